"""Fixtures shared by the tests of features."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tiny_models import model_folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a tiny random network by its kind; written once per session."""
    pytest.importorskip("transformers")
    return partial(model_folder, root=tmp_path_factory.getbasetemp())

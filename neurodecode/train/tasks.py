"""What can be trained by a configuration: names of modules of this package, and nothing from elsewhere."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from neurodecode.data.validate import suggest
from neurodecode.errors import ConfigError

TASKS = {"contrastive": "neurodecode.train.contrastive"}


def find_task(name: Any) -> ModuleType:
    """Import the module of a task.

    Parameters
    ----------
    name : str
        Name in `TASKS`.

    Returns
    -------
    ModuleType
        With ``Config``, a frozen pydantic model that has ``task`` and ``trainer``, and
        ``run(config, base, folder, *, resume, seed)``, which trains, scores, and returns JSON values or None in all processes but
        the first.

    Raises
    ------
    ConfigError
        If there is no such task.
    """
    if not isinstance(name, str) or name not in TASKS:
        raise ConfigError(f"task: {name!r} is unknown: {suggest(str(name), TASKS)}")
    return importlib.import_module(TASKS[name])

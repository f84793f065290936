"""What was found, as plain data."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.analysis.connectome.result import ConnectomeResult


def result(**changed: Any) -> ConnectomeResult:
    """Two components of three names in two samples; one pair was never observed."""
    graph = np.array([[np.nan, 1.0, np.nan], [1.0, np.nan, 0.5], [np.nan, 0.5, np.nan]])
    components = pd.DataFrame({"component": [1, 2], "null_reproducibility": [np.nan, np.nan], "stable": [True, False]})
    members: dict[str, Any] = {
        "names": ["AVA", "AVB", "RIM"],
        "samples": ["w1", "w2"],
        "times": np.arange(4.0),
        "time_factors": np.ones((4, 2)) / 2,
        "sample_factors": np.ones((2, 2)),
        "graphs": np.stack([graph, graph]),
        "labels": np.zeros((2, 3), np.int64),
        "confidence": np.ones((2, 3)),
        "components": components,
        "explained": 0.51,
        "null_explained": 0.25,
        "ranks": pd.DataFrame({"rank": [1, 2]}),
        "overlap": pd.DataFrame({"component": [1], "p": [0.5]}),
        "events": pd.DataFrame(),
    }
    return ConnectomeResult(**{**members, **changed})


def test_counts_are_those_of_the_tables() -> None:
    assert (result().rank, result().n_stable) == (2, 1)


def test_the_line_names_the_shifted_traces_only_if_there_are_any() -> None:
    line = "<ConnectomeResult: 2 components of 3 names in 2 samples, explained 0.510"
    assert repr(result()) == line + " (shifted traces 0.250), 1 stable>"
    assert repr(result(null_explained=None)) == line + ", 1 stable>"


def test_all_of_it_is_json_without_nan_and_without_factors() -> None:
    found = json.loads(json.dumps(result(settings={"rank": np.int64(2)}, notes=["one"]).to_dict(), allow_nan=False))
    assert (found["metric"], found["score"], found["chance"]) == ("explained share", 0.51, 0.25)
    assert (found["rank"], found["n_stable"], found["n_samples"], found["n_names"]) == (2, 1, 2, 3)
    assert found["components"][0] == {"component": 1, "null_reproducibility": None, "stable": True}
    assert found["ranks"] == [{"rank": 1}, {"rank": 2}]
    assert (found["settings"], found["notes"]) == ({"rank": 2}, ["one"])
    assert not {"graphs", "time_factors", "events"} & set(found)

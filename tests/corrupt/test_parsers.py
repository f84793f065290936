"""Any text at all, given to a parser of ours, ends in a value or in a documented error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurodecode.data import Recording, load, save
from neurodecode.data.store import MARKER, _marker_text, read_marker
from neurodecode.errors import ConfigError, DataError, FormatError
from neurodecode.io.bids_names import format_name, parse_name
from neurodecode.io.bids_search import bids_file
from neurodecode.io.bids_tables import read_confounds, read_events, sidecar
from neurodecode.io.checksums import check_known
from neurodecode.io.meeg import channels_tsv
from neurodecode.pipeline.config import MODELS
from neurodecode.pipeline.configure import load_config

FIGURES = [150, pytest.param(2000, marks=pytest.mark.slow)]
STEM = "sub-01_task-rest"

cells = st.one_of(
    st.sampled_from(["n/a", "1", "-0.5", "1e400", "nan", "inf", "0x1", "", '"', "'", "１", "1,5", "2026-01-01", "True"]),
    st.floats().map(str),
    st.text(max_size=6),
)
columns = st.sampled_from(
    ["onset", "duration", "trial_type", "name", "type", "units", "status", "value", "x", "onset", "\ufeffonset"]
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)
KEYS = ["pipeline", "input", "decode", "mask", "clean", "responses", "compute", "epochs", "signal", "report"]
names = st.sampled_from([*KEYS, "seed", "subjects", "n_features", "estimator", "C", "tmin"])
configurations = st.recursive(
    values, lambda inner: st.dictionaries(st.one_of(names, st.text(max_size=5)), inner, max_size=4), max_leaves=10
)


@st.composite
def tables(draw: Any) -> bytes:
    """Bytes that look like a table, more or less."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.binary(max_size=60))
    rows = [draw(st.lists(columns, min_size=1, max_size=4))]
    width = len(rows[0]) if draw(st.booleans()) else draw(st.integers(0, 5))
    rows += draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=4))
    text = draw(st.sampled_from(["\n", "\r\n", "\r"])).join("\t".join(row) for row in rows) + draw(st.sampled_from(["", "\n"]))
    return text.encode("utf-8", draw(st.sampled_from(["surrogatepass", "replace"])))


def only_documented(parse: Callable[[], Any], *documented: type[Exception]) -> Any:
    """What a parser returns, or None where it raised what its docstring says."""
    try:
        return parse()
    except documented as error:
        message = str(error)
    assert len(message) > 20, "an error says what was wrong and what to do"
    return None


def examples(n: int, strategy: Any, check: Callable[[Any], None]) -> None:
    """Run a check on so many examples; the same ones every time."""
    quiet = settings(max_examples=n, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    quiet(given(strategy)(check))()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The smallest BIDS data set."""
    (tmp_path / "sub-01" / "eeg").mkdir(parents=True)
    (tmp_path / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.9.0"}')
    (tmp_path / "sub-01" / "eeg" / f"{STEM}_eeg.edf").write_bytes(b"0")
    return tmp_path


@pytest.mark.parametrize("n", FIGURES)
@pytest.mark.parametrize(("suffix", "read"), [("events", read_events), ("timeseries", read_confounds), ("channels", None)])
def test_tables(suffix: str, read: Any, n: int, folder: Path) -> None:
    path = folder / "sub-01" / "eeg" / f"{STEM}_{suffix}.tsv"
    data = bids_file(folder / "sub-01" / "eeg" / f"{STEM}_eeg.edf")

    def check(content: bytes) -> None:
        path.write_bytes(content)
        table = only_documented(lambda: read(path) if read else channels_tsv(data), FormatError)
        assert table is None or isinstance(table, pd.DataFrame)
        if suffix == "events" and table is not None and len(table):
            assert table["onset"].notna().all()

    examples(n, tables(), check)


def test_the_text_nan_is_no_onset(folder: Path) -> None:
    path = folder / "sub-01" / "eeg" / f"{STEM}_events.tsv"
    path.write_text("onset\nnan")
    with pytest.raises(FormatError, match="onset"):
        read_events(path)


@pytest.mark.parametrize("n", FIGURES)
def test_configurations(n: int, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"

    def check(content: Any) -> None:
        text = json.dumps(content) if not isinstance(content, str) else content
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        only_documented(lambda: load_config(path), ConfigError)

    known = st.fixed_dictionaries({"pipeline": st.sampled_from(list(MODELS))}, optional=dict.fromkeys(KEYS[1:], configurations))
    examples(n, st.one_of(configurations, known, st.text(max_size=40)), check)


@pytest.mark.parametrize("n", FIGURES)
def test_overrides(n: int) -> None:
    def check(override: str) -> None:
        only_documented(lambda: load_config("haxby_objects", [override]), ConfigError)

    keys = st.sampled_from(["decode.C", "input.subjects", "compute", "compute.seed", "a.b.c", "", "decode..C", "."])
    examples(n, st.one_of(st.builds("{}={}".format, keys, st.text(max_size=12)), st.text(max_size=12)), check)


@pytest.mark.parametrize("n", FIGURES)
def test_stored_metadata(n: int, tmp_path: Path) -> None:
    """A meta.json of any content, with a seal that fits as well as with one that does not."""
    channels = pd.DataFrame({"name": ["Fz"], "kind": "eeg", "unit": "V"})
    root = save(Recording(np.zeros((1, 10)), 10.0, channels), tmp_path / "stored")
    whole = json.loads((root / MARKER).read_text())
    del whole["seal"]
    fields = [*whole, "stimulus_kind", "rates", "ids"]

    def check(change: tuple[str, Any, bool, bool]) -> None:
        field, value, inner, sealed = change
        changed = {**whole, field: {**whole[field], **value} if inner and isinstance(value, dict) else value}
        text = _marker_text(changed) if sealed else json.dumps(changed)
        (root / MARKER).write_text(text, encoding="utf-8", errors="surrogatepass")
        only_documented(lambda: load(root), FormatError)

    changes = st.tuples(st.sampled_from(list(whole)), values, st.just(False), st.booleans())
    nested = st.tuples(
        st.sampled_from([name for name in fields if isinstance(whole.get(name), dict)]),
        st.dictionaries(
            st.one_of(st.sampled_from(["data.npy", "channels", "events.tsv", "..", "/x"]), st.text(max_size=5)), values
        ),
        st.just(True),
        st.just(True),
    )
    examples(n, st.one_of(changes, nested), check)


@pytest.mark.parametrize("n", FIGURES)
def test_markers_of_any_bytes(n: int, tmp_path: Path) -> None:
    def check(content: bytes) -> None:
        (tmp_path / MARKER).write_bytes(content)
        assert only_documented(lambda: read_marker(tmp_path), FormatError) is None

    examples(n, st.one_of(st.binary(max_size=80), values.map(lambda value: json.dumps(value).encode())), check)


@pytest.mark.parametrize("n", FIGURES)
def test_sidecars(n: int, folder: Path) -> None:
    path = folder / "sub-01" / "eeg" / f"{STEM}_eeg.json"
    data = folder / "sub-01" / "eeg" / f"{STEM}_eeg.edf"

    def check(content: bytes) -> None:
        path.write_bytes(content)
        only_documented(lambda: sidecar(data), FormatError)

    examples(n, st.one_of(st.binary(max_size=60), values.map(lambda value: json.dumps(value).encode())), check)


@pytest.mark.parametrize("n", FIGURES)
def test_names(n: int) -> None:
    def check(name: str) -> None:
        found = parse_name(name)
        if found:
            only_documented(lambda: format_name(found.entities, found.suffix, found.extension), DataError)

    parts = st.sampled_from(["sub-01", "ses-", "-1", "run-1", "task-räst", "bold", ".nii.gz", "_", "-", "desc-é", "x", "."])
    examples(n, st.one_of(st.lists(parts, max_size=8).map("_".join), st.text(max_size=30)), check)


@pytest.mark.parametrize("n", FIGURES)
@pytest.mark.parametrize("name", ["x.bin.sha256", "set.lock.tsv"])
def test_checksums(name: str, n: int, tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"0")

    def check(content: bytes) -> None:
        (tmp_path / name).write_bytes(content)
        only_documented(lambda: check_known(tmp_path / "x.bin"), FormatError)

    header = b"path\tbytes\tsha256\n"
    digests = st.sampled_from([b"0" * 64, b"g" * 64, b"5" * 63, b""])
    rows = st.builds(lambda a, b: header + b"x.bin\t" + a + b"\t" + b + b"\n", st.sampled_from([b"1", b"-1", b"x", b""]), digests)
    examples(n, st.one_of(st.binary(max_size=90), rows, digests.map(lambda digest: digest + b"  x.bin\n")), check)

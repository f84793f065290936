"""Steps: when they run, when they are skipped, and what they leave behind."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from neurodecode.errors import DataError, FormatError
from neurodecode.pipeline.step import PROVENANCE, Item, Step, read_provenance, run_item, why_run_item
from neurodecode.pipeline.verify import verify


def copy_upper(parameters: Mapping[str, Any], folder: Path) -> None:
    """A step: its input in capitals, as often as told."""
    text = Path(parameters["path"]).read_text(encoding="utf-8")
    (folder / "out.txt").write_text(text.upper() * parameters["times"], encoding="utf-8")


def fail_half_way(parameters: Mapping[str, Any], folder: Path) -> None:
    """A step that dies after writing something."""
    (folder / "out.txt").write_text("half", encoding="utf-8")
    raise DataError(f"no more than half of {parameters['times']}")


@pytest.fixture
def item(tmp_path: Path) -> Item:
    """A step with one input file."""
    source = tmp_path / "in.txt"
    source.write_text("abc", encoding="utf-8")
    step = Step("copy", 1, copy_upper)
    return Item("unit", step, {"in.txt": str(source)}, {"times": 2}, str(tmp_path / "out"), {"path": str(source)})


def test_first_run_then_skip(item: Item):
    assert run_item(item) == ("done", "no output yet")
    assert Path(item.output, "out.txt").read_text() == "ABCABC"
    state, reason = run_item(item)
    assert (state, "verified" in reason) == ("skipped", True)


def test_unkeyed_values_do_not_matter(item: Item):
    run_item(item)
    assert why_run_item(replace(item, unkeyed={**item.unkeyed, "jobs": 8})) is None


def test_reasons_to_run_again(item: Item):
    run_item(item)
    assert why_run_item(replace(item, parameters={"times": 3})) == "settings changed: times"
    assert why_run_item(replace(item, step=Step("copy", 2, copy_upper))) == "the step is now version 2"
    Path(item.inputs["in.txt"]).write_text("other", encoding="utf-8")
    assert why_run_item(item) == "inputs changed: in.txt"
    Path(item.output, "out.txt").write_text("ABCABX", encoding="utf-8")
    assert why_run_item(item) == "output out.txt was damaged or removed"
    Path(item.output, PROVENANCE).write_text("{", encoding="utf-8")
    assert why_run_item(item) == "its provenance is not readable"


@pytest.mark.parametrize("text", ["[]", "{}", '{"outputs": {}, "key": 1}', '{"outputs": 3}'])
def test_a_strange_provenance_means_run_again(item: Item, text: str):
    run_item(item)
    Path(item.output, PROVENANCE).write_text(text, encoding="utf-8")
    assert why_run_item(item) is not None
    assert run_item(item)[0] == "done"


def test_a_failing_step_leaves_nothing(item: Item):
    with pytest.raises(DataError):
        run_item(replace(item, step=Step("fail", 1, fail_half_way)))
    assert not Path(item.output).exists()
    assert sorted(p.name for p in Path(item.output).parent.iterdir()) == [".neurodecode.guard", "in.txt"]


def test_a_failing_step_keeps_the_older_output(item: Item):
    run_item(item)
    with pytest.raises(DataError):
        run_item(replace(item, step=Step("fail", 1, fail_half_way)))
    assert Path(item.output, "out.txt").read_text() == "ABCABC"


def test_provenance_says_from_what_and_holds_no_path(item: Item):
    run_item(item)
    entry = read_provenance(Path(item.output))
    assert set(entry) == {"key", "recipe", "outputs", "versions", "seconds"}
    assert set(entry["outputs"]) == {"out.txt"}
    assert "neurodecode" in entry["versions"]
    assert str(Path(item.output).parent) not in json.dumps(entry)


def test_verify_finds_what_was_altered(item: Item):
    run_item(item)
    root = Path(item.output).parent
    assert verify(root) == (1, [])
    Path(item.output, "out.txt").write_text("abcabc", encoding="utf-8")
    assert verify(root) == (1, ["out/out.txt"])


def test_verify_of_an_empty_folder_is_an_error(tmp_path: Path):
    with pytest.raises(FormatError, match="nothing|no provenance"):
        verify(tmp_path)

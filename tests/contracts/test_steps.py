"""Pipeline steps: run once, skipped while nothing changed, run again for whatever did, whole or not at all, the same bytes.

A new `Step` in ``neurodecode.pipeline`` needs a pipeline in `MINIATURES` that runs it on a data set of a second.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import meeg_files
import numpy as np
import pandas as pd
import pytest
from bids_trees import SHAPE, TR, write_description, write_json, write_table, write_volume
from contracts.members import modules
from datasets import meeg_miniatures, speech_miniatures
from PIL import Image
from scipy.spatial.distance import pdist, squareform

from neurodecode.errors import DataError, NeurodecodeError
from neurodecode.pipeline import load_config
from neurodecode.pipeline.planning import find_units, prepare_items, subject_items
from neurodecode.pipeline.step import PROVENANCE, Item, Step, read_provenance, run_item, why_run_item


class Miniature(NamedTuple):
    """A pipeline on a small data set."""

    write: Callable[[Path], object]
    """Writes the BIDS folder."""
    pipeline: str
    """Name of the pipeline."""
    settings: list[str]
    """What is set on the command line."""
    on_subjects: bool = False
    """Whether the step on a subject is tested, too."""


def write_blocks(root: Path) -> None:
    """Two runs of raw BOLD with faces and houses in blocks."""
    write_description(root)
    rng = np.random.default_rng(0)
    for run in ("1", "2"):
        stem = root / "sub-01" / "func" / f"sub-01_task-look_run-{run}"
        onsets = 12.0 * np.arange(1, 9)
        table = pd.DataFrame({"onset": onsets, "duration": 6.0, "trial_type": ["face", "house"] * 4})
        write_table(stem.with_name(f"{stem.name}_events.tsv"), table)
        write_volume(
            stem.with_name(f"{stem.name}_bold.nii.gz"), (1000 + 10 * rng.standard_normal((*SHAPE, 60))).astype(np.int16), TR
        )


def write_contacts(root: Path) -> None:
    """Ten seconds of two contacts at 400 Hz."""
    file = meeg_files.write_bids(root, "ieeg", ".edf")
    meeg_files.write_edf(file, meeg_files.counts(n_times=4000), per_record=[400] * 3)
    write_json(file.with_suffix(".json"), {"PowerLineFrequency": 60, "TaskName": "faces", "SamplingFrequency": 400.0})


def write_pictures(root: Path) -> None:
    """The same blocks, each with a picture of its own."""
    write_blocks(root)
    (root / "stimuli").mkdir()
    rng = np.random.default_rng(1)
    for events in sorted(root.rglob("*_events.tsv")):
        table = pd.read_csv(events, sep="\t")
        names = [f"{events.stem}_{i}.png" for i in range(len(table))]
        for name in names:
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(root / "stimuli" / name)
        write_table(events, table.assign(stim_file=names))


def write_rdms(root: Path) -> None:
    """Dissimilarities of twelve images, in the arrays of the 92 objects."""
    root.mkdir(parents=True)
    rng = np.random.default_rng(2)
    rdms = np.stack([squareform(pdist(rng.standard_normal((12, 5)))) for _ in range(8)])
    arrays = {"hit_rdms": rdms[:4].reshape(2, 2, 12, 12), "monkey_it_rdm": rdms[4], "model_rdms": rdms[5:]}
    images = rng.integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)
    np.savez(root / "objects92.npz", images=images, model_names=np.array(["animacy", "V1", "monkeyIT"]), **arrays)


def write_words(root: Path) -> None:
    """Forty epochs of three channels, each after a word."""
    import mne

    root.mkdir(parents=True)
    rng = np.random.default_rng(3)
    words = [f"w{'o' * (i % 7)}rd{i}" for i in range(40)]
    metadata = pd.DataFrame({"association": words, "FAS": rng.random(40)})
    info = mne.create_info(["Fz", "Cz", "Pz"], 50.0, "eeg")
    epochs = mne.EpochsArray(1e-6 * rng.standard_normal((40, 3, 10)), info, metadata=metadata, verbose="error")
    epochs.save(root / "priming_n400-epo.fif", verbose="error")


def write_traces(root: Path) -> None:
    """Three samples of eight names that act together for a while."""
    from neurodecode.simulate import planted_traces

    root.mkdir(parents=True)
    np.savez(root / "story_htfa.npz", weights=planted_traces(12, 100, 4).traces.transpose(0, 2, 1))


def write_heard(root: Path) -> None:
    """Windows of speech."""
    from neurodecode.simulate import simulate_speech, write_simulated_meeg

    root.mkdir(parents=True)
    world = simulate_speech(n_subjects=2, n_sensors=8, n_train=40, n_validation=10, n_test=10, snr=0.2)
    write_simulated_meeg(root, world)


def write_seen(root: Path) -> None:
    """Windows of images."""
    from neurodecode.simulate import simulate_images, write_simulated_meeg

    root.mkdir(parents=True)
    write_simulated_meeg(root, simulate_images(n_subjects=2, n_sensors=8, n_train=40, n_validation=10, n_test=10, snr=0.2))


RAW = ["clean.allow_raw=true", "clean.confounds=null", "mask=null", "responses.method=block_average"]
EPOCHS = ["signal.l_freq=null", "signal.h_freq=30", "epochs.tmin=-0.1", "epochs.tmax=0.2", "epochs.baseline=null"]
LINEAR = ["decoder.network=ridge", "retrieval.n_seeds=1", "retrieval.n_bootstrap=9"]
SMALL = ["ranks=[2]", "n_restarts=2", "n_splits=1", "null=false", "smoothing_s=null"]
MINIATURES = [
    Miniature(write_blocks, "fmri_decoding", [*RAW, "decode.n_permutations=5"], True),
    Miniature(meeg_files.write_bids, "meeg_decoding", [*EPOCHS, "signal.reference=null", "signal.bad_channels=keep"]),
    Miniature(write_contacts, "ieeg_quality", ["reference=none"]),
    Miniature(write_pictures, "model_to_brain", [*RAW, "encode.n_permutations=9", "rsa.n_bootstrap=20"], True),
    Miniature(write_rdms, "objects92_rsa", ["rsa.n_bootstrap=20"], True),
    Miniature(write_words, "priming_n400", ["encode.n_permutations=9"], True),
    Miniature(write_traces, "connectome", ["input.sfreq=4.0", *(f"analysis.{name}" for name in SMALL)], True),
    Miniature(write_heard, "meg_speech", [*LINEAR, "input.dataset=null"], True),
    Miniature(write_seen, "meg_images", [*LINEAR, "input.dataset=null", "course=null"], True),
    Miniature(speech_miniatures.write_brennan2019, "meg_speech", ["input.dataset=brennan2019", "features.kind=mel"]),
    Miniature(meeg_miniatures.write_things_meg, "meg_images", ["features.targets=embeddings"]),
]


def members() -> dict[str, Step]:
    """Steps that modules of the pipeline hold under a name."""
    found = [value for module in modules("pipeline") for value in vars(module).values() if isinstance(value, Step)]
    return {step.name: step for step in found}


def items_of(miniature: Miniature, folder: Path) -> tuple[list[Item], list[Item]]:
    """Items on runs, and items on subjects."""
    root, out = folder / "data", folder / "out"
    miniature.write(root)
    config = load_config(miniature.pipeline, miniature.settings)
    units = find_units(config, root)
    return prepare_items(config, units, root, out), subject_items(config, units, out, jobs=1)


def contents(folder: str | Path) -> dict[str, bytes]:
    """Every file of an output but the one that holds run times."""
    files = [p for p in sorted(Path(folder).rglob("*")) if p.is_file() and p.name != PROVENANCE]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def check_step(item: Item, folder: Path) -> None:
    """The contract."""
    moved: Item = pickle.loads(pickle.dumps(item))  # noqa: S301
    assert run_item(moved)[0] == "done"
    written = contents(item.output)
    assert written, "a step leaves something behind"
    provenance = read_provenance(Path(item.output))
    assert provenance["recipe"]["step"] == item.step.name
    assert set(provenance["recipe"]["inputs"]) == set(item.inputs)
    assert run_item(item)[0] == "skipped", "nothing changed, and yet it ran again"
    elsewhere = replace(item, output=str(folder / "elsewhere"))
    run_item(elsewhere)
    repeatable = contents(elsewhere.output) == written  # a bool: pytest would explain long bytes for minutes
    assert repeatable, "a second run gives other bytes"
    _check_reasons(item)
    _check_whole_or_not_at_all(item, folder / "broken")


def _check_reasons(item: Item) -> None:
    """Whatever the output depends on makes the step run again; where it is done and by how many does not."""
    assert why_run_item(item) is None
    newer = item.step._replace(version=item.step.version + 1)
    assert "version" in str(why_run_item(replace(item, step=newer)))
    assert "settings" in str(why_run_item(replace(item, parameters={**item.parameters, "planted": 1})))
    assert "inputs" in str(why_run_item(replace(item, inputs={**item.inputs, "planted": __file__})))
    assert why_run_item(replace(item, unkeyed={**item.unkeyed, "jobs": 8})) is None
    first = next(p for p in Path(item.output).rglob("*") if p.is_file() and p.name != PROVENANCE)
    whole = first.read_bytes()
    first.write_bytes(whole + b" ")
    assert "damaged" in str(why_run_item(item))
    first.write_bytes(whole)


def _check_whole_or_not_at_all(item: Item, out: Path) -> None:
    """A failure after the work was done leaves nothing under the final name."""

    def fail(parameters: Mapping[str, Any], folder: Path) -> None:
        item.step.run(parameters, folder)
        raise DataError(f"planted failure in {folder.name}")

    with pytest.raises(NeurodecodeError, match="planted"):
        run_item(replace(item, step=item.step._replace(run=fail), output=str(out)))
    assert not out.exists()
    assert not [p for p in out.parent.iterdir() if p.name.startswith(f".{out.name}")]


def test_steps_have_names_versions_and_functions_that_travel() -> None:
    steps = [value for module in modules("pipeline") for value in vars(module).values() if isinstance(value, Step)]
    assert len(members()) == len({id(step) for step in steps}) >= 4, "two steps have one name"
    for step in members().values():
        assert isinstance(step.version, int)
        assert step.version >= 1
        assert pickle.loads(pickle.dumps(step)) == step  # noqa: S301


def test_steps(tmp_path: Path) -> None:
    exercised = set()
    for i, miniature in enumerate(MINIATURES):
        folder = tmp_path / str(i)
        runs, subjects = items_of(miniature, folder)
        check_step(runs[0], folder)
        if miniature.on_subjects:
            for item in runs[1:]:
                run_item(item)
            check_step(subjects[0], folder / "subject")
            exercised.add(subjects[0].step.name)
        exercised.add(runs[0].step.name)
    missing = set(members()) - exercised - {"generator"}  # trains a network: tests/pipeline/test_reconstruct.py
    assert not missing, f"add a pipeline to MINIATURES in {Path(__file__).name} that runs {sorted(missing)}"


def write_twice(parameters: Mapping[str, Any], folder: Path) -> None:
    """A good step."""
    (folder / "out.txt").write_text(Path(parameters["path"]).read_text() * 2)


def write_random(parameters: Mapping[str, Any], folder: Path) -> None:
    """A step with numbers that nobody seeded."""
    (folder / "out.txt").write_text(str(np.random.default_rng().random()))


def write_nothing(parameters: Mapping[str, Any], folder: Path) -> None:
    """A step that forgets its work."""


def write_elsewhere(parameters: Mapping[str, Any], folder: Path) -> None:
    """A step that writes past the folder it was given."""
    out = Path(parameters["path"]).parent / "broken"
    out.mkdir(exist_ok=True)
    (folder / "out.txt").write_text("x")


class TestTheContractItself:
    """A step that breaks one promise is noticed."""

    @pytest.fixture
    def item(self, tmp_path: Path) -> Item:
        source = tmp_path / "in.txt"
        source.write_text("abc")
        step, unkeyed = Step("planted", 1, write_twice), {"path": str(source)}
        return Item("unit", step, {"in.txt": str(source)}, {}, str(tmp_path / "out"), unkeyed)

    def test_a_good_one_passes(self, item: Item, tmp_path: Path) -> None:
        check_step(item, tmp_path)

    @pytest.mark.parametrize(
        ("run", "message"),
        [(write_random, "other bytes"), (write_nothing, "leaves something behind"), (write_elsewhere, "exists")],
    )
    def test_a_bad_one_is_noticed(self, item: Item, tmp_path: Path, run: Callable[..., None], message: str) -> None:
        with pytest.raises(AssertionError, match=message):
            check_step(replace(item, step=item.step._replace(run=run)), tmp_path)

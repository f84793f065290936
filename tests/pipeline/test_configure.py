"""Configurations: names, files, overrides and their errors."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from neurodecode.errors import ConfigError
from neurodecode.pipeline.config import MODELS
from neurodecode.pipeline.configure import load_config, named_pipelines


def test_every_shipped_pipeline_is_valid_and_has_a_title():
    names = named_pipelines()
    expected = {"fmri_decoding", "meeg_decoding", "ieeg_quality", "haxby_objects", "eeg_faces", "eeg_p300"}
    assert expected <= set(names)
    assert all(load_config(name).title for name in names)


def test_generic_pipelines_are_the_defaults_of_their_model():
    for name in (MODELS.keys() & named_pipelines().keys()) - {"connectome"}:  # the others need the name of a file
        config, model = load_config(name), MODELS[name]
        assert config == model(pipeline=name, title=config.title, description=config.description)


def test_override_keeps_the_rest_of_its_block():
    config = load_config("haxby_objects", ["decode.n_permutations=7"])
    assert (config.decode.n_permutations, config.decode.C, config.decode.n_features) == (7, 0.01, 500)


def test_override_in_a_block_that_the_file_leaves_out_keeps_the_defaults_of_the_pipeline():
    assert load_config("meeg_decoding", ["decode.n_permutations=7"]).decode.estimator == "lda"
    assert load_config("fmri_decoding", ["input.tasks=[a]"]).input.derivatives == "auto"


def test_values_are_yaml():
    config = load_config("eeg_faces", ["epochs.trial_types=[face]", "epochs.baseline=null", "signal.l_freq=0.5"])
    assert (config.epochs.trial_types, config.epochs.baseline, config.signal.l_freq) == (["face"], None, 0.5)


def test_file_and_name_give_the_same(tmp_path: Path):
    copy = tmp_path / "mine.yaml"
    copy.write_text(named_pipelines()["haxby_objects"].read_text(encoding="utf-8"), encoding="utf-8")
    assert load_config(copy) == load_config("haxby_objects")


def test_configuration_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        load_config("haxby_objects").title = "other"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("decode.n_perm=3", "unknown key 'decode.n_perm': did you mean 'n_permutations'"),
        ("decod.C=3", "unknown key 'decod': did you mean 'decode'"),
        ("mask.labl=x", "unknown key 'mask.labl': did you mean 'label'"),
        ("decode.C=-1", "decode.C: Input should be greater than 0, got -1"),
        ("decode.estimator=svm", "decode.estimator"),
        ("compute.max_memory=lots", "compute.max_memory"),
        ("compute.device=tpu", "compute.device"),
        ("input.subjects=[01, 02]", "write ['01'] or [sub-01]"),
        ("nonsense", "must have the form key=value"),
        ("decode.C=[", "is not YAML"),
        ("pipeline=fmri_decode", "did you mean 'fmri_decoding'"),
    ],
)
def test_a_wrong_override_is_explained_in_one_line(override: str, message: str):
    with pytest.raises(ConfigError) as error:
        load_config("haxby_objects", [override])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_name_suggests_the_closest():
    with pytest.raises(ConfigError, match="did you mean 'haxby_objects'"):
        load_config("haxby_object")


@pytest.mark.parametrize("text", ["- a list", "a: [", "\x00", "{pipeline: 3}", ""])
def test_a_broken_file_is_explained(tmp_path: Path, text: str):
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"broken\.yaml"):
        load_config(path)


def test_yaml_never_runs_code(tmp_path: Path):
    path = tmp_path / "hostile.yaml"
    marker = tmp_path / "touched"
    path.write_text(f"pipeline: !!python/object/apply:os.system ['touch {marker}']\n", encoding="utf-8")
    with pytest.raises(ConfigError):
        load_config(path)
    assert not marker.exists()


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_any_override_gives_a_configuration_or_a_config_error(text: str):
    try:
        load_config("haxby_objects", [text])
    except ConfigError:
        return

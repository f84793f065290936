"""Manifests of weights: complete, fixed to a commit, and found on this machine without a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny_models
from typer.testing import CliRunner

from neurodecode.cli.app import app
from neurodecode.errors import DataError, FormatError, NeurodecodeError
from neurodecode.io import model_files, weight_sets
from neurodecode.io.weight_sets import as_pinned, fetch_weights, local_weights, read_weight_set, weight_set


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache, and every call of the hub that would leave this machine fails the test."""
    import huggingface_hub
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))

    def refuse(*args: Any, **options: Any) -> Any:
        if not options.get("local_files_only"):
            raise AssertionError("the hub was called")
        raise FileNotFoundError("not in the cache")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)


def test_every_manifest_is_complete_and_fixed_to_a_commit() -> None:
    names = weight_sets.weight_sets()
    assert {"clip_vit_l14", "wav2vec2_xlsr53", "dinov2_giant"} <= set(names)
    for name in names:
        found = weight_set(name)
        assert len(found.revision) == 40
        assert weight_set(found.id) == found, "found by its id, too"


def test_an_unknown_name_is_answered_with_the_closest() -> None:
    with pytest.raises(DataError, match="dinov2_base"):
        weight_set("dinov2_bass")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("gpt2", "gpt3"), "expected that of the file"),
        (("607a30d783dfa663caf39e06633721c8d4cfcd7e", "main"), "revision"),
        (("gated: false", "colour: red"), "gated|colour"),
        (("id: openai-community/gpt2", "id: ../gpt2"), "id"),
        (("name:", "{name:"), "YAML"),
    ],
)
def test_a_wrong_manifest_is_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    text = (weight_sets.manifest_folder() / "gpt2.yaml").read_text()
    path = tmp_path / "gpt2.yaml"
    path.write_text(text.replace(change[0], change[1], 1))
    with pytest.raises(FormatError, match=message) as caught:
        read_weight_set(path)
    assert "gpt2.yaml" in str(caught.value)


def test_nothing_is_fetched_by_looking() -> None:
    chosen = weight_set("gpt2")
    assert local_weights(chosen) is None
    with pytest.raises(DataError, match="no mirror of gpt2"):
        fetch_weights(chosen, mirror="somebody/else")


def test_weights_are_found_under_the_commit_or_a_mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, str | None, bool]] = []

    def found(model: str, *, revision: str | None = None, download: bool = False) -> model_files.ModelFiles:
        asked.append((model, revision, download))
        if model.startswith("openai"):
            raise FormatError(model, "not here", "fetch it")
        return model_files.ModelFiles(model, revision, tmp_path)

    monkeypatch.setattr(weight_sets, "find_model", found)
    chosen = weight_set("clip_vit_b32")
    here = local_weights(chosen)
    assert here is not None
    assert here.name == chosen.mirrors[0]
    assert asked == [(chosen.id, chosen.revision, False), (chosen.mirrors[0], None, False)]
    assert fetch_weights(chosen, mirror=chosen.mirrors[0]).folder == tmp_path
    assert asked[-1] == (chosen.mirrors[0], None, True)


class TestCommand:
    def test_list_and_info(self) -> None:
        listed = CliRunner().invoke(app, ["models", "list"])
        assert listed.exit_code == 0, listed.output
        assert len(listed.stdout.splitlines()) == len(weight_sets.weight_sets())
        told = CliRunner().invoke(app, ["models", "info", "clip_vit_b32"]).stdout
        for part in ("openai/clip-vit-base-patch32", "mirrors", "size      about", "here      no", "neurodecode models fetch"):
            assert part in told

    def test_fetch_says_what_it_takes_and_where_it_is(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(weight_sets, "find_model", lambda name, **_: model_files.ModelFiles(name, None, tmp_path))
        done = CliRunner().invoke(app, ["models", "fetch", "gpt2"])
        assert done.exit_code == 0, done.output
        assert "licence: MIT" in done.stdout
        assert str(tmp_path) in done.stdout

    def test_an_unknown_set_is_an_error_in_one_line(self) -> None:
        done = CliRunner().invoke(app, ["models", "fetch", "nonsense"])
        assert isinstance(done.exception, NeurodecodeError)

    def test_a_hub_that_cannot_be_reached_is_no_traceback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the client of the hub raises is no OSError."""
        import huggingface_hub
        from huggingface_hub.utils import get_session

        client = __import__(type(get_session()).__module__.partition(".")[0])

        def unreachable(*_: Any, **__: Any) -> Any:
            raise client.ConnectError("name not known")

        monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
        with pytest.raises(FormatError, match="cannot be downloaded .*name not known"):
            fetch_weights(weight_set("gpt2"))


class TestPipelineFolders:
    """Folders of diffusers are checked part by part, and never run code of their own."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tiny_models.pipeline(tmp_path / "pipeline")

    def test_a_whole_one_opens_offline(self, folder: Path) -> None:
        from neurodecode.generate import open_pipeline

        pipeline = open_pipeline(folder)
        made = pipeline(batch_size=2, num_inference_steps=2, output_type="np").images
        assert made.shape == (2, 8, 8, 3)

    def test_a_missing_part(self, folder: Path) -> None:
        (folder / "unet").rename(folder / "elsewhere")
        with pytest.raises(NeurodecodeError, match="'unet' is missing"):
            model_files.find_model(folder)

    def test_cut_weights(self, folder: Path) -> None:
        path = folder / "unet" / "diffusion_pytorch_model.safetensors"
        path.write_bytes(path.read_bytes()[:1000])
        with pytest.raises(NeurodecodeError, match=r"diffusion_pytorch_model\.safetensors"):
            model_files.find_model(folder)

    def test_pickled_weights(self, folder: Path) -> None:
        path = folder / "unet" / "diffusion_pytorch_model.safetensors"
        path.rename(path.with_suffix(".bin"))
        with pytest.raises(FormatError, match="only .*bin"):
            model_files.find_model(folder)

    def test_code_of_its_own(self, folder: Path) -> None:
        index = folder / "model_index.json"
        index.write_text(index.read_text().replace('"diffusers"', '"my_code"'))
        with pytest.raises(FormatError, match="code of its own"):
            model_files.find_model(folder)

    def test_another_kind_of_folder(self, tmp_path: Path) -> None:
        from neurodecode.generate import open_pipeline

        network = tiny_models.pipeline(tmp_path / "p") / "unet"
        (network / "diffusion_pytorch_model.safetensors").rename(network / "model.safetensors")
        with pytest.raises(FormatError, match=r"model_index\.json"):
            open_pipeline(network)


def test_a_known_model_is_pinned_to_its_commit() -> None:
    known = weight_set("clip_vit_l14")
    assert as_pinned("clip_vit_l14") == as_pinned(known.id) == (known.id, known.revision)
    assert as_pinned("folders/of_mine") == ("folders/of_mine", None)

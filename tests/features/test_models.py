"""Models are found, checked and opened without a download, without pickles and without foreign code."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tiny_models import pictures

from neurodecode.errors import CorruptFileError, DataError, DiskSpaceError, FormatError
from neurodecode.features import embed_images, load_model
from neurodecode.features.models import run_batches
from neurodecode.features.units import Site, choose_layers, join_sites, unit_table

COMMIT = "0123456789" * 4


@pytest.fixture
def copy(tiny: Callable[[str], Path], tmp_path: Path) -> Path:
    """A copy of a vision network that may be damaged."""
    return Path(shutil.copytree(tiny("vit"), tmp_path / "vit"))


def test_a_model_is_opened_when_it_is_used(tiny: Callable[[str], Path]) -> None:
    model = load_model(tiny("vit"), device="cpu")
    assert repr(model) == "<Model vit, float32 on cpu>"
    assert "net" not in vars(model)
    assert model.config.hidden_size == 32
    assert "net" not in vars(model)
    assert not model.net.training
    assert load_model(model) is model


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_type_to_compute_in(tiny: Callable[[str], Path], dtype: str) -> None:
    model = load_model(tiny("vit"), dtype=dtype)
    assert str(next(model.net.parameters()).dtype) == f"torch.{dtype}"
    assert model.identity["dtype"] == dtype


def test_half_precision_gives_nearly_the_same(tiny: Callable[[str], Path]) -> None:
    full, half = (embed_images(pictures(), tiny("vit"), dtype=d).data for d in ("float32", "bfloat16"))
    assert 0 < np.abs(full - half).max() < 0.1
    assert half.dtype == np.float32


def test_identity_is_the_content(copy: Path, tmp_path: Path) -> None:
    first = load_model(copy).identity
    assert set(first["files"]) == {"config.json", "model.safetensors", "preprocessor_config.json"}
    moved = Path(shutil.copytree(copy, tmp_path / "elsewhere" / "vit"))
    assert load_model(moved).identity == first
    weights = bytearray((moved / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (moved / "model.safetensors").write_bytes(bytes(weights))
    changed = load_model(moved).identity
    assert [n for n in first["files"] if changed["files"][n] != first["files"][n]] == ["model.safetensors"]


def test_a_readme_is_no_part_of_the_identity(copy: Path) -> None:
    first = load_model(copy).identity
    (copy / "README.txt").write_text("hello")
    assert load_model(copy).identity == first


@pytest.mark.parametrize("name", ["/nowhere/at/all", "a/b/c", "../up"])
def test_a_folder_that_is_not_there(name: str) -> None:
    with pytest.raises(FormatError, match="there is no such folder"):
        load_model(name)


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no config\.json"):
        load_model(tmp_path)


def cut(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "config cut": (lambda f: cut(f / "config.json", 100), "config.json: it is not readable JSON"),
    "config of no kind": (lambda f: (f / "config.json").write_text('{"model_type": "nothing"}'), "cannot be read"),
    "config a list": (lambda f: (f / "config.json").write_text("[1]"), "cannot be read"),
    "weights cut": (lambda f: cut(f / "model.safetensors", 2000), "no whole safetensors file"),
    "weights cut by one": (lambda f: cut(f / "model.safetensors", -1), "no whole safetensors file"),
    "weights empty": (lambda f: cut(f / "model.safetensors", 0), "no whole safetensors file"),
    "weights not there": (lambda f: (f / "model.safetensors").unlink(), "there is no model.safetensors"),
    "weights pickled": (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), "only .*pytorch_model.bin"),
    "parameter missing": (lambda f: rewrite(f, drop="layer"), "parameters are missing"),
    "parameter of another shape": (lambda f: rewrite(f, halve="attention"), "cannot be read|another shape"),
    "processor not there": (lambda f: (f / "preprocessor_config.json").unlink(), "image processor cannot be read"),
    "index of nothing": (lambda f: shard(f, {"weight_map": 3}), "weight_map does not name"),
    "index that leads out": (lambda f: shard(f, {"weight_map": {"a": "../x.safetensors"}}), "weight_map does not name"),
    "shard missing": (
        lambda f: shard(f, {"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}),
        "2 of 2 files of weights",
    ),
}


def rewrite(folder: Path, drop: str = "nothing", halve: str = "nothing") -> None:
    """Weights that lack some parameters, or hold half of them."""
    from safetensors.numpy import load_file, save_file

    weights = {
        k: v
        for k, v in load_file(folder / "model.safetensors").items()
        if drop not in k and drop.replace("encoder.layer", "layers") not in k
    }
    halved = {k: np.ascontiguousarray(v[: len(v) // 2]) if halve in k else v for k, v in weights.items()}
    save_file(halved, folder / "model.safetensors", metadata={"format": "pt"})


def shard(folder: Path, index: dict[str, Any]) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_gives_one_error_that_names_it(copy: Path, damage: str) -> None:
    do, message = DAMAGES[damage]
    do(copy)
    with pytest.raises(FormatError, match=message) as caught:
        embed_images(pictures(1), copy)
    assert str(copy) in str(caught.value)
    assert isinstance(caught.value, CorruptFileError) or damage in ("weights not there", "weights pickled")


def test_a_pooler_that_the_weights_lack_is_not_made_up(copy: Path) -> None:
    rewrite(copy, drop="pooler")
    assert embed_images(pictures(1), copy).n_units == 96
    with pytest.raises(DataError, match=r"its weights lack pooler"):
        embed_images(pictures(1), copy, pooling="projected")


def test_code_that_comes_with_a_model_is_not_run(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "code.Config", "AutoModel": "code.Model"}}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "code.py").write_text("raise SystemExit('this ran')")
    with pytest.raises(CorruptFileError, match=str(copy)):
        embed_images(pictures(1), copy)


def test_a_slow_tokenizer_is_refused(tiny: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    slow = SimpleNamespace(from_pretrained=lambda *_, **__: SimpleNamespace(is_fast=False))
    monkeypatch.setattr(transformers, "AutoTokenizer", slow)
    with pytest.raises(FormatError, match="knows no character offsets"):
        load_model(tiny("gpt2")).tokenizer  # noqa: B018


@pytest.mark.parametrize(
    ("options", "message"), [({"device": "abacus"}, "device='abacus'"), ({"dtype": "float7"}, "did you mean")]
)
def test_unknown_devices_and_types(tiny: Callable[[str], Path], options: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_model(tiny("vit"), **options)


# --- models of the hub ---------------------------------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The hub's library with an empty cache, and a record of what would have been fetched."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return huggingface_hub


def cache_model(folder: Path, root: Path) -> None:
    """Lay a model into the hub's cache as a download does: blobs, and links that name them."""
    from neurodecode.data.hashing import sha256_file

    base = root / "models--lab--tiny"
    snapshot = base / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (base / "refs").mkdir()
    (base / "refs" / "main").write_text(COMMIT)
    (base / "blobs").mkdir()
    for path in folder.iterdir():
        blob = base / "blobs" / sha256_file(path)
        shutil.copy(path, blob)
        (snapshot / path.name).symlink_to(blob)


def test_a_model_that_is_not_here_is_not_fetched(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    real = hub.snapshot_download
    monkeypatch.setattr(hub, "snapshot_download", lambda *a, **k: asked.update(k) or real(*a, **k))
    with pytest.raises(FormatError, match="nor in the cache") as caught:
        load_model("lab/tiny", revision="v1")
    assert asked["local_files_only"] is True
    for word in ("hf download lab/tiny --revision v1 --dry-run", "how large", "download=True"):
        assert word in str(caught.value)


def test_a_model_in_the_cache_is_opened(hub: Any, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    cache_model(tiny("vit"), tmp_path / "hub")
    model = load_model("lab/tiny")
    assert model.files.revision == COMMIT
    assert model.identity["files"] == load_model(tiny("vit")).identity["files"]
    assert repr(model) == f"<Model lab/tiny at {COMMIT}, float32 on {model.device}>"
    expected = embed_images(pictures(), tiny("vit")).data
    np.testing.assert_array_equal(embed_images(pictures(), "lab/tiny").data, expected)


def fetchable(hub: Any, monkeypatch: pytest.MonkeyPatch, names: dict[str, int], result: Any) -> list[Any]:
    """Pretend that the hub has these files, of these sizes."""
    calls: list[Any] = []
    siblings = [SimpleNamespace(rfilename=n, size=s) for n, s in names.items()]
    info = SimpleNamespace(model_info=lambda *_, **__: SimpleNamespace(siblings=siblings))
    monkeypatch.setattr(hub, "HfApi", lambda: info)

    def fetch(*names: Any, **options: Any) -> str:
        calls.append(options)
        if isinstance(result, Exception):
            raise result
        return str(result)

    monkeypatch.setattr(hub, "snapshot_download", fetch)
    return calls


def test_a_download_is_asked_for_and_announced(
    hub: Any,
    tiny: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sizes = {"model.safetensors": 3_000_000, "config.json": 10, "pytorch_model.bin": 9_000_000_000}
    calls = fetchable(hub, monkeypatch, sizes, tiny("vit"))
    with caplog.at_level(logging.INFO):
        assert load_model("lab/tiny", download=True).files.name == "lab/tiny"
    assert "fetching lab/tiny: 3 MB in 2 files" in caplog.text
    assert calls[0]["local_files_only"] is False
    assert not any(pattern.endswith((".bin", ".py", ".pt")) for pattern in calls[0]["allow_patterns"])


@pytest.mark.parametrize(
    ("names", "result", "error", "message"),
    [
        ({"pytorch_model.bin": 5}, None, FormatError, "none of its 1 files is safetensors"),
        ({"model.safetensors": 10**18}, None, DiskSpaceError, "1e\\+06 TB"),
        ({"model.safetensors": 5}, OSError("no route"), FormatError, "cannot be downloaded .no route"),
    ],
)
def test_downloads_that_cannot_be(
    hub: Any, monkeypatch: pytest.MonkeyPatch, names: dict[str, int], result: Any, error: type[Exception], message: str
) -> None:
    fetchable(hub, monkeypatch, names, result)
    with pytest.raises(error, match=message):
        load_model("lab/tiny", download=True)


def test_without_a_network_the_hub_says_so(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: Any, **__: Any) -> None:
        raise hub.errors.OfflineModeIsEnabled("HF_HUB_OFFLINE is set")

    monkeypatch.setattr(hub, "HfApi", lambda: SimpleNamespace(model_info=offline))
    with pytest.raises(FormatError, match="HF_HUB_OFFLINE is set"):
        load_model("lab/tiny", download=True)


# --- batches, layers, units ----------------------------------------------------------------------------------------


def test_a_batch_that_does_not_fit_is_halved(caplog: pytest.LogCaptureFixture) -> None:
    import torch

    sizes = []

    def run(items: range) -> list[int]:
        sizes.append(len(items))
        if len(items) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        assert not torch.is_grad_enabled()
        return list(items)

    assert [i for batch in run_batches(range(7), run, 8, "image") for i in batch] == list(range(7))
    assert sizes == [7, 4, 2, 2, 2, 1]
    assert torch.is_grad_enabled()
    assert "trying 4" in caplog.text


def test_one_item_that_does_not_fit() -> None:
    import torch

    def run(items: range) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(DataError, match="one image alone does not fit"):
        list(run_batches(range(3), run, 2, "image"))


@pytest.mark.parametrize("size", [0, -1, 1.5])
def test_wrong_batch_sizes(size: float) -> None:
    with pytest.raises(DataError, match="batch_size must be"):
        list(run_batches(range(3), list, size, "image"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("layers", "chosen"), [("all", [0, 1, 2]), (1, [1]), (-1, [2]), ([2, 0], [2, 0]), (np.array([-2]), [1]), ((0, -1), [0, 2])]
)
def test_layers_are_chosen(layers: Any, chosen: list[int]) -> None:
    assert choose_layers(layers, 3) == chosen


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("some", "'some'"),
        (3, "no layer 3"),
        (-4, "no layer -4"),
        ([0, -3], "must differ"),
        ([], "whole numbers"),
        (0.5, "0.5"),
        ([True], "True"),
    ],
)
def test_layers_that_there_are_not(layers: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        choose_layers(layers, 3)


def test_units_stand_in_the_order_of_the_columns() -> None:
    values = {Site("hidden", 1): np.ones((2, 3), np.float32), Site("hidden", 2, (1, 2)): np.zeros((2, 4), np.float32)}
    units = unit_table(values)
    assert units["name"].tolist() == ["hidden.1.0", "hidden.1.1", "hidden.1.2"] + [
        f"hidden.2.0.{c}.{i}" for c in (0, 1) for i in (0, 1)
    ]
    assert units["layer"].tolist() == [1] * 3 + [2] * 4
    assert units["index"].tolist() == [0, 1, 2, 0, 1, 0, 1]
    assert units["patch_column"].tolist()[3:] == [0, 0, 1, 1]
    np.testing.assert_array_equal(join_sites(values), [[1, 1, 1, 0, 0, 0, 0]] * 2)

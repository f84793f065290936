"""Images as responses: equal to a plain call of the network, whatever the batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import films, hidden_states, pictures

from neurodecode.data import Stimuli
from neurodecode.errors import DataError
from neurodecode.features import embed_images, load_model

Tiny = Callable[[str], Path]
SPECIAL = {"vit": 1, "clip": 1, "dinov2": 1, "registers": 4, "siglip": 0}  # tokens before the patches


def plain(folder: Path, stimuli: Stimuli) -> tuple[Any, ...]:
    """Hidden states without any of our code but the choice of the image processor."""
    pixels = load_model(folder).image_processor(images=list(stimuli), return_tensors="pt")["pixel_values"]
    return hidden_states(folder, "vision_model" if folder.name == "clip" else None, pixel_values=pixels)


def of_layer(responses: Any, layer: int) -> Any:
    return np.asarray(responses.data)[:, (responses.units["layer"] == layer).to_numpy()]


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("pooling", ["mean", "cls", "none"])
def test_equal_to_a_plain_call(tiny: Tiny, kind: str, pooling: str) -> None:
    stimuli, n = pictures(3), SPECIAL[kind]
    if pooling == "cls" and not n:
        with pytest.raises(DataError, match="has no class token"):
            embed_images(stimuli, tiny(kind), pooling=pooling)
        return
    found = embed_images(stimuli, tiny(kind), pooling=pooling)
    for layer, state in enumerate(plain(tiny(kind), stimuli)):
        expected = {"mean": state[:, n:].mean(1), "cls": state[:, 0], "none": state[:, n:].reshape(3, -1)}[pooling]
        np.testing.assert_allclose(of_layer(found, layer), expected, rtol=1e-4, atol=1e-5)
    assert found.samples["stimulus"].tolist() == list(stimuli.ids)


@pytest.mark.parametrize("pooling", ["mean", "none"])
def test_layers_of_a_convolutional_network_differ_in_size(tiny: Tiny, pooling: str) -> None:
    stimuli = pictures(2)
    found = embed_images(stimuli, tiny("convnext"), pooling=pooling)
    for layer, state in enumerate(plain(tiny("convnext"), stimuli)):
        places = state.transpose(0, 2, 3, 1)
        expected = places.mean((1, 2)) if pooling == "mean" else places.reshape(2, -1)
        np.testing.assert_allclose(of_layer(found, layer), expected, rtol=1e-4, atol=1e-5)


def test_units_of_patches_know_their_place(tiny: Tiny) -> None:
    found = embed_images(pictures(2), tiny("vit"), layers=-1, pooling="none")
    assert found.units.columns.tolist() == ["name", "layer", "index", "site", "patch_row", "patch_column"]
    state = plain(tiny("vit"), pictures(2))[-1]
    column = found.units.query("patch_row == 2 and patch_column == 1 and index == 7").index[0]
    np.testing.assert_allclose(found.data[:, column], state[:, 1 + 2 * 4 + 1, 7], rtol=1e-4, atol=1e-5)


def test_the_joint_space_of_clip(tiny: Tiny) -> None:
    import torch
    from transformers import CLIPModel

    found = embed_images(pictures(3), tiny("clip"), pooling="projected")
    net, model = CLIPModel.from_pretrained(tiny("clip")).eval(), load_model(tiny("clip"))
    pixels = model.image_processor(images=list(pictures(3)), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        expected = net.visual_projection(net.vision_model(pixels).pooler_output).numpy()
    np.testing.assert_allclose(found.data, expected, rtol=1e-4, atol=1e-5)
    assert found.units["site"].unique().tolist() == ["projection"]
    assert found.units["layer"].unique().tolist() == [2]


@pytest.mark.parametrize(("kind", "n_units"), [("vit", 32), ("dinov2", 32), ("convnext", 20), ("siglip", 32)])
def test_the_embedding_of_a_model_without_a_joint_space_is_its_pooled_output(tiny: Tiny, kind: str, n_units: int) -> None:
    assert embed_images(pictures(2), tiny(kind), pooling="projected").data.shape == (2, n_units)


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_batches_make_no_difference(tiny: Tiny, batch_size: int) -> None:
    whole = embed_images(pictures(5), tiny("clip"), batch_size=5)
    np.testing.assert_allclose(embed_images(pictures(5), tiny("clip"), batch_size=batch_size).data, whole.data, atol=1e-5)


def test_layers_are_columns_of_all_layers(tiny: Tiny) -> None:
    whole, two = embed_images(pictures(2), tiny("vit")), embed_images(pictures(2), tiny("vit"), layers=[-1, 0])
    np.testing.assert_array_equal(two.data, np.concatenate([of_layer(whole, 2), of_layer(whole, 0)], axis=1))
    assert two.units["layer"].tolist() == [2] * 32 + [0] * 32
    assert two.units["name"].is_unique


def test_images_of_different_sizes_pass_through_the_processor(tiny: Tiny) -> None:
    items = [pictures(1, shape)[0] for shape in ((40, 50), (64, 33), (32, 32))]
    mixed = embed_images(Stimuli(list("abc"), items, "image"), tiny("clip"))
    alone = embed_images(Stimuli(["b"], items[1:2], "image"), tiny("clip"))
    np.testing.assert_allclose(mixed.data[1], alone.data[0], atol=1e-5)


def test_a_processor_that_keeps_sizes_needs_equal_ones(tiny: Tiny) -> None:
    items = [pictures(1, shape)[0] for shape in ((32, 32), (32, 40))]
    with pytest.raises(DataError, match="cannot make one batch"):
        embed_images(Stimuli(["a", "b"], items, "image"), tiny("vit_free"))


def test_the_cache_reads_no_weights(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = embed_images(pictures(3), tiny("vit"), cache=tmp_path, stored_as="float16")
    monkeypatch.setattr("neurodecode.features.models.Model.net", property(lambda self: pytest.fail("weights were read")))
    second = embed_images(pictures(3), tiny("vit"), cache=tmp_path, stored_as="float16")
    np.testing.assert_array_equal(first.data, second.data)


@pytest.mark.parametrize("change", ["picture", "name", "layers", "pooling", "dtype", "model"])
def test_whatever_changes_is_computed_anew(tiny: Tiny, tmp_path: Path, change: str) -> None:
    stimuli = pictures(2)
    embed_images(stimuli, tiny("vit"), cache=tmp_path)
    items = [stimuli[0], stimuli[1].copy()]
    items[1][0, 0, 0] ^= 1
    other = {"picture": Stimuli(stimuli.ids, items, "image"), "name": Stimuli(["image0", "x"], list(stimuli), "image")}
    options = {"layers": {"layers": [0, 1]}, "pooling": {"pooling": "cls"}, "dtype": {"dtype": "bfloat16"}}
    model = tiny("dinov2") if change == "model" else tiny("vit")
    embed_images(other.get(change, stimuli), model, cache=tmp_path, **options.get(change, {}))
    assert len(list(tmp_path.glob("embed_images-*"))) == 2


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("vit", {"pooling": "max"}, "pooling='max'"),
        ("vit", {"layers": 3}, "there is no layer 3"),
        ("vit", {"batch_size": 0}, "batch_size"),
        ("vit", {"stored_as": "int8"}, "stored_as"),
        ("gpt2", {}, "not images"),
        ("wav2vec2", {}, "not images"),
    ],
)
def test_wrong_arguments(tiny: Tiny, kind: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        embed_images(pictures(1), tiny(kind), **options)


def test_only_images(tiny: Tiny) -> None:
    with pytest.raises(DataError, match="kind 'video'"):
        embed_images(films(3), tiny("vit"))

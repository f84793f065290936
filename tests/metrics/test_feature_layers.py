"""Features of a layer: small networks with the layer names of the literature, and the preparation of images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from retrieval_data import images

from neurodecode.errors import DataError
from neurodecode.metrics import METRIC_LAYERS, FeatureLayer, image_report, layer_features
from neurodecode.metrics.feature_layers import prepare

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402


class Small(nn.Module):
    """Names of layers as in AlexNet, Inception, EfficientNet and ResNet; dropout shows the mode."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        parts: list[nn.Module] = [nn.Conv2d(3, 4, 5, stride=8)]
        parts += [nn.Identity() for _ in range(3)] + [nn.Conv2d(4, 6, 3, padding=1)]
        parts += [nn.ReLU(), nn.Dropout(0.5)] + [nn.Identity() for _ in range(4)] + [nn.ReLU()]
        self.features = nn.Sequential(*parts)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.visual_projection = nn.Linear(6, 5, bias=False)

    def forward(self, x: Any) -> Any:
        return self.visual_projection(self.avgpool(self.features(x)).flatten(1))


@pytest.fixture
def network() -> nn.Module:
    return Small().train()


@pytest.mark.parametrize("name", METRIC_LAYERS)
def test_every_layer_of_the_table(name: str, network: nn.Module, rng: np.random.Generator) -> None:
    chosen = METRIC_LAYERS[name]
    shown = images(rng, n=3)
    found = layer_features(shown, network, name)
    kept: dict[str, Any] = {}
    hook = network.get_submodule(chosen.layer).register_forward_hook(lambda m, i, o: kept.update(o=o))
    with torch.no_grad():
        network.eval()(prepare(torch.from_numpy(shown), chosen))
    hook.remove()
    np.testing.assert_allclose(found, kept["o"].numpy(), rtol=1e-5, atol=1e-6)
    assert found.dtype == np.float32
    assert len(found) == 3


def test_what_the_table_says() -> None:
    """Sizes and scores of the published protocol."""
    stated = {name: (layer.layer, layer.size, layer.score) for name, layer in METRIC_LAYERS.items()}
    assert stated == {
        "alexnet_2": ("features.4", 256, "two_way"),
        "alexnet_5": ("features.11", 256, "two_way"),
        "inception": ("avgpool", 342, "two_way"),
        "clip": ("visual_projection", 224, "two_way"),
        "efficientnet": ("avgpool", 255, "distance"),
        "swav": ("avgpool", 224, "distance"),
    }


def test_torchvision_knows_the_layers() -> None:
    torchvision = pytest.importorskip("torchvision")
    for name, chosen in METRIC_LAYERS.items():
        if name != "clip":
            options = {"init_weights": False} if name == "inception" else {}
            network = getattr(torchvision.models, chosen.network)(weights=None, **options)
            assert chosen.layer in dict(network.named_modules()), name


def test_batches_change_nothing(network: nn.Module, rng: np.random.Generator) -> None:
    shown = images(rng, n=5)
    whole = layer_features(shown, network, "alexnet_5")
    np.testing.assert_allclose(layer_features(shown, network, "alexnet_5", batch_size=2), whole, rtol=1e-5, atol=1e-6)


def test_the_network_is_left_as_it_was(network: nn.Module, rng: np.random.Generator) -> None:
    network.avgpool.eval()
    layer_features(images(rng, n=2), network, "swav")
    assert network.training
    assert network.features[6].training
    assert not network.avgpool.training
    assert not network.avgpool._forward_hooks
    assert all(p.grad is None for p in network.parameters())
    with pytest.raises(RuntimeError):
        layer_features(images(rng, n=2), network, FeatureLayer("s", "", "features.4", 2, "two_way"))  # too small for its kernel
    assert network.training
    assert not network.features[4]._forward_hooks


def test_preparation_of_images() -> None:
    shown = torch.full((1, 10, 20, 3), 255, dtype=torch.uint8)
    chosen = METRIC_LAYERS["clip"]._replace(size=5)
    found = prepare(shown, chosen)
    assert found.shape == (1, 3, 5, 10)
    expected = (1 - np.array(chosen.mean)) / np.array(chosen.std)
    np.testing.assert_allclose(found.mean(dim=(0, 2, 3)).numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(prepare(shown[..., :1] / 255.0, chosen).numpy(), found.numpy(), rtol=1e-6)


def test_interpolations_differ(rng: np.random.Generator) -> None:
    shown = torch.from_numpy(images(rng, n=1))
    chosen = METRIC_LAYERS["clip"]
    assert not torch.allclose(prepare(shown, chosen), prepare(shown, chosen._replace(interpolation="bicubic")), atol=0.01)


def test_double_precision_and_networks_without_parameters(rng: np.random.Generator) -> None:
    layer = FeatureLayer("pool", "", "0", 8, "two_way")
    assert layer_features(images(rng, n=2), nn.Sequential(nn.AvgPool2d(2)), layer).shape == (2, 3, 4, 4)
    assert layer_features(images(rng, n=2), nn.Sequential(nn.Conv2d(3, 2, 3)).double(), layer).dtype == np.float32


def test_a_layer_before_one_that_works_in_place(rng: np.random.Generator) -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(inplace=True))
    assert layer_features(images(rng, n=2), network, FeatureLayer("conv", "", "0", 8, "two_way")).min() < 0


def test_extractors_of_a_report(network: nn.Module, rng: np.random.Generator) -> None:
    true = images(rng, n=6)
    extractors = {name: lambda shown, name=name: layer_features(shown, network, name) for name in ("alexnet_2", "swav")}
    found = image_report(true, true, extractors, n_null=20, n_bootstrap=0)
    assert found.scores["alexnet_2"].mean() == 1
    np.testing.assert_allclose(found.scores["swav"], 0, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "shape", "options", "message"),
    [
        ("alexnet2", (1, 8, 8, 3), {}, "did you mean 'alexnet_2'"),
        (FeatureLayer("x", "", "features.44", 8, "two_way"), (1, 8, 8, 3), {}, "has no layer 'features.44'"),
        ("swav", (1, 8, 8, 2), {}, "1 or 3"),
        ("swav", (0, 8, 8, 3), {}, "1 or 3"),
        ("swav", (1, 8, 8, 3), {"batch_size": 0}, "batch_size"),
    ],
)
def test_what_cannot_be_taken(
    network: nn.Module, layer: Any, shape: tuple[int, ...], options: dict[str, int], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        layer_features(np.ones(shape), network, layer, **options)


def test_an_output_that_is_no_tensor() -> None:
    class Pair(nn.Module):
        def forward(self, x: Any) -> Any:
            return x, x

    with pytest.raises(DataError, match="tuple"):
        layer_features(np.ones((1, 8, 8, 3)), nn.Sequential(Pair()), FeatureLayer("pair", "", "0", 8, "two_way"))

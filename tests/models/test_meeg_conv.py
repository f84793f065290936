"""Networks of speech and images: parameters as in the papers, what they see, and that products of linear parts are exact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from neurodecode.errors import DataError
from neurodecode.models import MelTower, meeg_conv
from neurodecode.models.meeg_conv import Heads, SensorMixing
from neurodecode.models.sensor_layers import SpatialAttention

SMALL: dict[str, Any] = {"channels": 8, "attention_channels": 6, "n_blocks": 2, "fourier": 3}


def count(module: nn.Module) -> int:
    """Parameters."""
    return sum(p.numel() for p in module.parameters())


def windows(n_samples: int = 5, n_channels: int = 7, n_times: int = 20, n_subjects: int = 3) -> dict[str, Tensor]:
    """Windows of several subjects under two montages, in float64."""
    generator = torch.Generator().manual_seed(0)
    positions = torch.rand(2, n_channels, 2, generator=generator, dtype=torch.float64)
    positions[1, 0] = torch.nan
    return {
        "signal": torch.randn(n_samples, n_channels, n_times, generator=generator, dtype=torch.float64),
        "positions": positions[torch.arange(n_samples) % 2],
        "subject": torch.arange(n_samples) % n_subjects,
    }


class TestParameters:
    @pytest.mark.parametrize("n_subjects", [1, 27, 96])
    def test_speech(self, n_subjects: int) -> None:
        with torch.device("meta"):
            assert count(meeg_conv.speech(n_subjects)) == 7_596_754 + 72_900 * n_subjects

    def test_speech_part_by_part(self) -> None:
        with torch.device("meta"):
            network = meeg_conv.speech()
        sensors, layers = network.sensors, network.stack.layers
        assert count(sensors.attention) == 552_960
        assert count(sensors.mix) == 73_170
        assert sensors.subjects is not None
        assert count(sensors.subjects) == 27 * 72_900
        blocks = [count(nn.ModuleList(layers[4 * k : 4 * k + 4])) for k in range(5)]
        assert blocks == [1_183_360] + 4 * [1_231_360]
        assert count(network.head) == 861_824

    def test_image(self) -> None:
        with torch.device("meta"):
            assert count(meeg_conv.image()) == 6_424_472
            assert count(meeg_conv.image(n_heads=2)) == 7_998_104

    def test_image_part_by_part(self) -> None:
        with torch.device("meta"):
            network = meeg_conv.image()
        assert network.sensors.subjects is not None
        assert count(network.sensors.subjects) == 291_600
        layers = network.stack.layers
        assert [count(nn.ModuleList(layers[4 * k : 4 * k + 4])) for k in range(2)] == [1_183_360, 1_231_360]
        assert network.stack.dilations == [1, 2, 4, 8]
        assert count(network.hidden) + count(network.widen) == 1_518_208
        assert count(network.pool) == 182
        assert count(network.heads[0]) == 1_573_632

    def test_tower_of_the_head_alone(self, tmp_path: Path) -> None:
        tower = MelTower(8, 16, channels=32, n_blocks=0)
        assert count(tower) == (8 + 1) * 64 + (64 + 1) * 16
        tower.save(tmp_path / "tower")
        features = torch.randn(2, 8, 5)
        torch.testing.assert_close(MelTower.load(tmp_path / "tower")(features=features), tower(features=features))
        with pytest.raises(DataError, match="n_blocks must be"):
            MelTower(8, 16, n_blocks=-1)

    def test_without_subjects(self) -> None:
        with torch.device("meta"):
            assert count(meeg_conv.speech(subject_layer=False)) == 7_596_754


@pytest.mark.parametrize("kind", ["brain", "mel"])
def test_receptive_field_of_135_samples(kind: str) -> None:
    """Samples of the input that the middle of the output depends on, at the size of the paper."""
    torch.manual_seed(0)
    inputs = windows(1, 3, 201, 1)
    if kind == "brain":
        network: nn.Module = meeg_conv.speech(1, 2).double().eval()
        seen, given = inputs["signal"], inputs
    else:
        network = MelTower(3, 2).double().eval()
        seen, given = inputs["signal"], {"features": inputs["signal"]}
    seen.requires_grad_()
    network(**given)[0, :, 100].sum().backward()
    assert seen.grad is not None
    reached = seen.grad.abs().sum((0, 1)).nonzero().flatten()
    assert (reached.min(), reached.max(), len(reached)) == (100 - 67, 100 + 67, 135)


class TestSensorMixing:
    @staticmethod
    def one_after_the_other(mixing: SensorMixing, signal: Tensor, positions: Tensor, subject: Tensor) -> Tensor:
        mixed = mixing.mix(mixing.attention(signal=signal, positions=positions).mT).mT
        return mixed if mixing.subjects is None else mixing.subjects(signal=mixed, subject=subject)

    @pytest.mark.parametrize("n_subjects", [None, 3])
    @pytest.mark.parametrize("training", [True, False])
    def test_the_product_is_the_same_map(self, n_subjects: int | None, training: bool) -> None:
        torch.manual_seed(0)
        mixing = SensorMixing(SpatialAttention(6, n_frequencies=3), n_subjects).double().train(training)
        inputs = windows()
        inputs["subject"][0] = -1
        results = []
        for run in (mixing, lambda **given: self.one_after_the_other(mixing, **given)):
            torch.manual_seed(1)
            mixing.zero_grad()
            output = run(**inputs)
            output.square().sum().backward()
            results.append([output, *[p.grad for p in mixing.parameters()]])
        for product, plain in zip(*results, strict=True):
            torch.testing.assert_close(product, plain)

    def test_under_autocast(self) -> None:
        network = meeg_conv.speech(3, 4, **SMALL).eval()
        inputs = windows()
        inputs |= {"signal": inputs["signal"].float(), "positions": inputs["positions"].float()}
        with torch.no_grad():
            exact = network(**inputs)
            with torch.autocast("cpu", torch.bfloat16):
                rough = network(**inputs)
        assert rough.dtype == torch.bfloat16
        assert 0 < (rough - exact).abs().max() < 0.05 * exact.abs().max()

    def test_in_half_precision_positions_stay_exact(self) -> None:
        attention = SpatialAttention(6, n_frequencies=8).bfloat16().eval()
        exact = SpatialAttention(6, n_frequencies=8).eval()
        exact.load_state_dict(attention.state_dict())
        positions = windows()["positions"].float()
        weights, _ = attention.weights(positions=positions)
        assert weights.dtype == torch.bfloat16
        assert torch.equal(weights, exact.weights(positions=positions)[0].bfloat16())
        network = meeg_conv.speech(3, 4, **SMALL).bfloat16()
        inputs = windows()
        assert torch.isfinite(network(**inputs | {"signal": inputs["signal"].bfloat16()})).all()


class TestSpeech:
    def test_features_over_time(self) -> None:
        network = meeg_conv.speech(3, 4, **SMALL).double()
        assert network(**windows()).shape == (5, 4, 20)
        assert network(**windows(2, 11, 33)).shape == (2, 4, 33)

    def test_subjects_matter_and_strangers_are_told(self) -> None:
        network = meeg_conv.speech(3, 4, **SMALL).double().eval()
        inputs = windows(2)
        own = network(**inputs)
        assert not torch.allclose(network(**inputs | {"subject": torch.tensor([1, 2])}), own)
        with pytest.raises(DataError, match="subject 3 is not among the 3"):
            network(**inputs | {"subject": torch.tensor([0, 3])})
        assert torch.isfinite(network(**inputs | {"subject": torch.tensor([-1, -1])})).all()

    def test_without_subjects_nobody_is_a_stranger(self) -> None:
        network = meeg_conv.speech(3, 4, subject_layer=False, **SMALL).double().eval()
        inputs = windows(2)
        assert torch.equal(network(**inputs | {"subject": torch.tensor([7, 9])}), network(**inputs))

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("signal", torch.ones(5, 7), r"got \(5, 7\)"),
            ("positions", torch.ones(5, 6, 2), r"\(5, 6, 2\)"),
            ("positions", torch.ones(7, 2), r"\(7, 2\)"),
            ("subject", torch.zeros(4, dtype=torch.int64), r"\(4,\)"),
            ("subject", torch.zeros(5), "int64 numbers, got torch.float32"),
        ],
    )
    def test_what_does_not_fit(self, name: str, value: Tensor, message: str) -> None:
        with pytest.raises(DataError, match=message):
            meeg_conv.speech(3, 4, **SMALL)(**windows() | {name: value})

    def test_refused(self) -> None:
        with pytest.raises(DataError, match="n_features must be"):
            meeg_conv.speech(3, 0)


class TestImage:
    @pytest.mark.parametrize("aggregation", ["affine", "mean", "attention"])
    def test_layers_in_the_order_of_the_paper(self, aggregation: str) -> None:
        """The wide convolution before the aggregation, which is how the paper states it."""
        torch.manual_seed(0)
        network = meeg_conv.image(3, 4, n_times=20, width=12, aggregation=aggregation, **SMALL).double().eval()
        inputs = windows()
        hidden = network.hidden(network.stack(signal=network.sensors(**inputs)))
        wide = functional.conv1d(hidden, network.widen.weight[..., None], network.widen.bias)
        torch.testing.assert_close(network.encode(**inputs), network.pool(signal=wide))
        torch.testing.assert_close(network(**inputs), network.heads[0](network.pool(signal=wide)))

    def test_two_heads(self) -> None:
        network = meeg_conv.image(3, 4, n_times=20, width=12, n_heads=2, **SMALL).double().eval()
        given = network(**windows())
        assert isinstance(given, Heads)
        assert given.clip.shape == given.mse.shape == (5, 4)
        given.mse.sum().backward()
        assert network.heads[0].weight.grad is None
        assert network.heads[1].weight.grad is not None

    def test_windows_of_another_length(self) -> None:
        network = meeg_conv.image(3, 4, n_times=21, width=12, **SMALL).double()
        with pytest.raises(DataError, match="windows have 20 samples of time, this network was made for 21"):
            network(**windows())
        assert meeg_conv.image(3, 4, aggregation="mean", width=12, **SMALL).double()(**windows()).shape == (5, 4)

    def test_refused(self) -> None:
        with pytest.raises(DataError, match="n_heads=3"):
            meeg_conv.image(n_heads=3)

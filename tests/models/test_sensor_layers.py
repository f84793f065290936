"""Layers of networks on M/EEG: small cases by hand, and what must hold for any sensors and subjects."""

from __future__ import annotations

import copy
from math import log, pi

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from neurodecode.errors import DataError
from neurodecode.models.sensor_layers import (
    DilatedGLUStack,
    FourierPositions,
    SpatialAttention,
    SubjectLayer,
    TemporalAggregation,
)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def attention(**options: float) -> SpatialAttention:
    """A small one that computes in float64."""
    return SpatialAttention(6, n_frequencies=4, **options).double()


def layout(n_samples: int = 1, n_channels: int = 9) -> Tensor:
    """Random sensors."""
    return torch.rand(n_samples, n_channels, 2, dtype=torch.float64)


class TestFourierPositions:
    def test_the_formula(self) -> None:
        positions, n, margin = layout(3, 5), 4, 0.3
        embedded = FourierPositions(n, margin)(positions=positions)
        assert embedded.shape == (3, 5, 32)
        for k in range(n):
            for j in range(n):
                x, y = positions.unbind(-1)
                phase = 2 * pi * (k * (x + margin) + j * (y + margin)) / (1 + 2 * margin)
                torch.testing.assert_close(embedded[..., k * n + j], phase.cos())
                torch.testing.assert_close(embedded[..., n * n + k * n + j], phase.sin())

    def test_float32_is_near(self) -> None:
        positions = layout(1, 200)
        exact = FourierPositions()(positions=positions)
        torch.testing.assert_close(FourierPositions()(positions=positions.float()).double(), exact, rtol=0, atol=5e-5)

    def test_of_size_2048(self) -> None:
        assert FourierPositions().n_outputs == 2048
        with pytest.raises(DataError, match="n_frequencies"):
            FourierPositions(0)


class TestSpatialAttention:
    def test_by_hand(self) -> None:
        """Three sensors at phases 0, a quarter and a half of a period; one head asks for the cosine and one for the sine."""
        layer = SpatialAttention(2, n_frequencies=2, margin=0.2, dropout_radius=0).double()
        with torch.no_grad():
            layer.heads.zero_()
            layer.heads[0, 2] = log(2)  # cosine of k = 1, l = 0
            layer.heads[1, 4 + 2] = log(3)  # its sine
        positions = torch.tensor([[[-0.2, 0.9], [0.15, 0.1], [0.5, 0.4]]], dtype=torch.float64)
        signal = torch.tensor([[[7.0, 14.0], [0.0, 7.0], [7.0, 0.0]]], dtype=torch.float64)
        expected = torch.tensor([[4 / 7, 2 / 7, 1 / 7], [1 / 5, 3 / 5, 1 / 5]], dtype=torch.float64)
        torch.testing.assert_close(layer.weights(positions=positions)[0][0], expected)
        mixed = layer(signal=signal, positions=positions)
        torch.testing.assert_close(mixed, torch.tensor([[[5.0, 10.0], [2.8, 7.0]]], dtype=torch.float64))

    def test_written_out(self) -> None:
        """Softmax over sensors of the inner products, sample by sample, where samples share montages and sensors."""
        layer = attention().eval()
        positions = layout(3)[[0, 1, 0, 2]]
        positions[3, :4] = positions[0, 3:7]
        signal = torch.randn(4, 9, 7, dtype=torch.float64)
        scores = torch.einsum("oe,bce->boc", layer.heads, layer.embed(positions=positions))
        expected = torch.einsum("boc,bct->bot", scores.softmax(2), signal)
        torch.testing.assert_close(layer(signal=signal, positions=positions), expected)

    def test_one_row_of_weights_per_montage(self) -> None:
        positions = layout(2)[[1, 0, 1, 1]]
        positions[:, 2] = torch.nan
        weights, montage = attention().weights(positions=positions)
        assert weights.shape == (2, 6, 9)
        assert montage[0] == montage[2] == montage[3] != montage[1]

    @pytest.mark.parametrize("training", [True, False])
    def test_weights_sum_to_one(self, training: bool) -> None:
        weights, _ = attention().train(training).weights(positions=layout(3))
        torch.testing.assert_close(weights.sum(2), torch.ones(3, 6, dtype=torch.float64))

    def test_order_of_sensors_means_nothing(self) -> None:
        layer, positions, signal = attention().eval(), layout(2), torch.randn(2, 9, 7, dtype=torch.float64)
        order = torch.randperm(9)
        torch.testing.assert_close(
            layer(signal=signal[:, order], positions=positions[:, order]), layer(signal=signal, positions=positions)
        )

    def test_another_montage(self) -> None:
        layer = attention().eval()
        for n_channels in (1, 9, 40):
            signal = torch.randn(2, n_channels, 7, dtype=torch.float64)
            assert layer(signal=signal, positions=layout(2, n_channels)).shape == (2, 6, 7)

    @pytest.mark.parametrize("coordinates", [slice(None), 0, 1])
    def test_unknown_sensors_weigh_nothing(self, coordinates: slice | int) -> None:
        layer, positions = attention().eval(), layout(2)
        positions[0, [1, 5], coordinates] = torch.nan
        weights, montage = layer.weights(positions=positions)
        weights = weights[montage]
        assert (weights[0][:, [1, 5]] == 0).all()
        assert (weights[1] > 0).all()
        alone, _ = layer.weights(positions=positions[:1, [0, 2, 3, 4, 6, 7, 8]])
        torch.testing.assert_close(weights[0][:, [0, 2, 3, 4, 6, 7, 8]], alone[0])

    def test_no_known_sensor(self) -> None:
        positions = layout(3)
        positions[1] = torch.nan
        with pytest.raises(DataError, match="1 of 3 montages have no sensor of known position, of 9"):
            attention().weights(positions=positions)

    def test_dropout_bans_exactly_the_sensors_in_the_radius(self) -> None:
        layer, positions = attention(dropout_radius=0.3).train(), layout(1, 200)
        torch.manual_seed(3)
        centre = torch.rand(2, dtype=torch.float64)
        torch.manual_seed(3)
        weights = layer.weights(positions=positions)[0][0]
        inside = (positions[0] - centre).square().sum(1).sqrt() <= 0.3
        assert 10 < inside.sum() < 150
        assert (weights[:, inside] == 0).all()
        assert (weights[:, ~inside] > 0).all()

    def test_points_of_dropout_cover_the_unit_square(self) -> None:
        layer = attention(dropout_radius=0.05).train()
        positions = torch.cartesian_prod(torch.linspace(0, 1, 21), torch.linspace(0, 1, 21)).double()[None]
        banned = sum((layer.weights(positions=positions)[0][0] == 0).all(0).double() for _ in range(400)).view(3, 7, 3, 7)
        expected = 400 * pi * 0.05**2  # of each sensor that is not at the border
        assert (banned.mean((1, 3)) > 0.5 * expected).all()
        assert abs(banned.flatten().mean() - expected * 0.96) < 0.15 * expected

    def test_no_dropout_in_evaluation_or_of_radius_zero(self) -> None:
        positions = layout(1, 200)
        assert (attention(dropout_radius=0.5).eval().weights(positions=positions)[0] > 0).all()
        assert (attention(dropout_radius=0).train().weights(positions=positions)[0] > 0).all()

    def test_a_montage_that_would_lose_all_sensors_loses_none(self) -> None:
        layer, positions = attention(dropout_radius=3.0).train(), layout(2)
        positions[0, 0] = torch.nan
        positions[1, 1:] += 9
        weights, montage = layer.weights(positions=positions)
        weights = weights[montage]
        assert (weights[0][:, 1:] > 0).all()
        assert (weights[0][:, 0] == 0).all()
        assert (weights[1][:, 0] == 0).all()

    def test_parameters_as_in_the_paper(self) -> None:
        heads = SpatialAttention().heads
        assert heads.shape == (270, 2048)
        assert abs(heads.std().item() * 2048**0.5 - 1) < 0.01

    def test_gradient(self) -> None:
        layer, positions = attention().eval(), layout(2)[[0, 1, 0]]
        signal = torch.randn(3, 9, 4, dtype=torch.float64)

        def mixed(heads: Tensor) -> Tensor:
            given = torch.func.functional_call(layer, {"heads": heads}, kwargs={"signal": signal, "positions": positions})
            assert isinstance(given, Tensor)
            return given

        assert torch.autograd.gradcheck(mixed, layer.heads.detach().requires_grad_())


class TestKeptWeights:
    """Without gradients in evaluation, weights are computed again only where something differs."""

    @staticmethod
    def counted(layer: SpatialAttention) -> list[int]:
        calls: list[int] = []
        layer.embed.register_forward_hook(lambda *_: calls.append(1))
        return calls

    @torch.no_grad()
    def test_once_per_montage(self) -> None:
        layer, positions, signal = attention().eval(), layout(4), torch.randn(4, 9, 3, dtype=torch.float64)
        positions[:, 3] = torch.nan
        calls = self.counted(layer)
        first = layer(signal=signal, positions=positions)
        assert torch.equal(layer(signal=signal, positions=positions.clone()), first)
        assert len(calls) == 1

    @torch.no_grad()
    def test_another_montage_or_other_parameters(self) -> None:
        layer, positions, signal = attention().eval(), layout(2), torch.randn(2, 9, 3, dtype=torch.float64)
        calls = self.counted(layer)
        layer(signal=signal, positions=positions)
        positions[1, 2, 0] += 1e-6
        layer(signal=signal, positions=positions)
        layer.heads.data[5, 7] += 1e-6  # goes unseen by the counter of versions
        changed = layer(signal=signal, positions=positions)
        assert len(calls) == 3
        fresh = attention().eval()
        fresh.load_state_dict(layer.state_dict())
        assert torch.equal(fresh(signal=signal, positions=positions), changed)

    def test_never_in_training_or_with_gradients(self) -> None:
        layer, positions = attention().eval(), layout()
        with torch.inference_mode():
            kept, _ = layer.weights(positions=positions)
        weights, _ = layer.weights(positions=positions)
        assert weights.requires_grad
        assert torch.equal(weights, kept)
        weights[0, 0, 0].backward()
        assert layer.heads.grad is not None
        calls = self.counted(layer)
        with torch.no_grad():
            layer.train().weights(positions=positions)
        assert calls == [1]

    def test_in_another_kind_of_number(self) -> None:
        layer, positions = attention().eval(), layout()
        with torch.no_grad():
            layer.weights(positions=positions)
            assert layer.float().weights(positions=positions.float())[0].dtype == torch.float32

    def test_a_copy_computes_the_same(self) -> None:
        layer, positions = attention().eval(), layout()
        with torch.inference_mode():
            kept, _ = layer.weights(positions=positions)
        with torch.no_grad():
            assert torch.equal(copy.deepcopy(layer).weights(positions=positions)[0], kept)


class TestSubjectLayer:
    def test_a_mixed_batch(self) -> None:
        layer, signal = SubjectLayer(4, 5).double(), torch.randn(6, 5, 7, dtype=torch.float64)
        subject = torch.tensor([2, 0, 3, 2, 2, 1])
        apart = torch.stack([layer.weight[s] @ x for s, x in zip(subject, signal, strict=True)])
        torch.testing.assert_close(layer(signal=signal, subject=subject), apart)

    def test_gradients_reach_the_subjects_that_came(self) -> None:
        layer, signal = SubjectLayer(4, 5), torch.randn(3, 5, 7)
        layer(signal=signal, subject=torch.tensor([2, 0, 2])).sum().backward()
        assert layer.weight.grad is not None
        assert layer.weight.grad.flatten(1).abs().sum(1).gt(0).tolist() == [True, False, True, False]

    @pytest.mark.parametrize("unknown", [4, -2, 100])
    def test_unknown_subjects(self, unknown: int) -> None:
        with pytest.raises(DataError, match=f"subject {unknown} is not among the 4 .* 0 to 3: give -1"):
            SubjectLayer(4, 5)(signal=torch.ones(2, 5, 7), subject=torch.tensor([0, unknown]))

    def test_a_stranger_is_given_the_mean(self) -> None:
        layer, signal = SubjectLayer(4, 5).double(), torch.randn(2, 5, 7, dtype=torch.float64)
        given = layer(signal=signal, subject=torch.tensor([-1, 3]))
        torch.testing.assert_close(given[0], layer.weight.mean(0) @ signal[0])
        torch.testing.assert_close(given[1], layer.weight[3] @ signal[1])

    def test_parameters_as_in_the_paper(self) -> None:
        weight = SubjectLayer(2).weight
        assert weight.shape == (2, 270, 270)
        assert abs(weight.std().item() * 270**0.5 - 1) < 0.01

    def test_refused(self) -> None:
        with pytest.raises(DataError, match="n_subjects"):
            SubjectLayer(0)


class TestDilatedGLUStack:
    def test_dilations(self) -> None:
        stack = DilatedGLUStack(3, 4, 5)
        assert stack.dilations == [1, 2, 4, 8, 16, 1, 2, 4, 8, 16]
        convolutions = [module for module in stack.modules() if isinstance(module, torch.nn.Conv1d)]
        assert [c.dilation[0] for c in convolutions] == [1, 2, 1, 4, 8, 1, 16, 1, 1, 2, 4, 1, 8, 16, 1]
        assert DilatedGLUStack(3, 4, 2, period=3).dilations == [1, 2, 4, 1]

    @pytest.mark.parametrize("n_inputs", [3, 4])
    def test_a_block_written_out(self, n_inputs: int) -> None:
        stack = DilatedGLUStack(n_inputs, 4, 1).double().eval()
        first, second, gate = stack.layers[:3]
        for norm in (first.norm, second.norm):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
        signal = torch.randn(2, n_inputs, 11, dtype=torch.float64)

        def convolved(layer: torch.nn.Module, values: Tensor, dilation: int) -> Tensor:
            padded = functional.pad(values, (dilation, dilation))
            n_times = values.shape[2]
            taps = [layer.conv.weight[:, :, i] @ padded[:, :, i * dilation : i * dilation + n_times] for i in range(3)]
            norm = layer.norm
            scaled = (sum(taps) + layer.conv.bias[:, None] - norm.running_mean[:, None]) / (norm.running_var + norm.eps).sqrt()[
                :, None
            ]
            return functional.gelu(scaled * norm.weight[:, None] + norm.bias[:, None])

        hidden = convolved(first, signal, 1) + (signal if n_inputs == 4 else 0)
        hidden = hidden + convolved(second, hidden, 2)
        values, gates = functional.conv1d(hidden, gate.weight, gate.bias, padding=1).chunk(2, dim=1)
        torch.testing.assert_close(stack(signal=signal), values * gates.sigmoid())

    def test_refused(self) -> None:
        with pytest.raises(DataError, match="period must be"):
            DilatedGLUStack(3, 4, period=0)


class TestTemporalAggregation:
    SIGNAL = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)

    def test_mean(self) -> None:
        torch.testing.assert_close(TemporalAggregation("mean")(signal=self.SIGNAL), self.SIGNAL.mean(2))

    def test_affine(self) -> None:
        layer = TemporalAggregation("affine", n_times=4)
        torch.testing.assert_close(layer(signal=self.SIGNAL), layer.time(self.SIGNAL)[..., 0])
        assert sum(p.numel() for p in TemporalAggregation().parameters()) == 182

    def test_affine_of_another_length(self) -> None:
        with pytest.raises(DataError, match="windows have 4 samples of time, this network was made for 181"):
            TemporalAggregation("affine")(signal=self.SIGNAL)

    def test_attention(self) -> None:
        layer = TemporalAggregation("attention", n_channels=3, n_hidden=2)
        with torch.no_grad():
            layer.score[0].weight.copy_(torch.tensor([[1.0, 0, 0], [0, 0, 0]]))
            layer.score[0].bias.zero_()
            layer.score[2].weight.copy_(torch.tensor([[log(4.0), 5.0]]))
        signal = torch.tensor([[[0.0, 50.0, -50.0], [1.0, 2.0, 3.0], [0.0, 8.0, 0.0]]])
        weights = torch.tensor([1, 4, 1 / 4]) / 5.25  # the hyperbolic tangent of 0, 50 and -50 is 0, 1 and -1
        torch.testing.assert_close(layer(signal=signal), signal @ weights)

    def test_unknown(self) -> None:
        with pytest.raises(DataError, match=r"aggregation='linear' is unknown: did you mean|choose from"):
            TemporalAggregation("linear")  # type: ignore[arg-type]
        with pytest.raises(DataError, match="aggregation='attention'"):
            TemporalAggregation("attention").line(self.SIGNAL)

"""NICE and ATM: layers as the papers list them, and what they refuse."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from neurodecode.errors import DataError
from neurodecode.models import ATM, NICE
from neurodecode.models.nice import TemporalSpatial


class TestNICE:
    def test_1440_values_from_one_second(self) -> None:
        assert TemporalSpatial(63, 250).n_outputs == 1440
        assert NICE().projector[0].in_features == 1440

    def test_layers(self) -> None:
        torch.manual_seed(0)
        network = NICE(4, 5, 90, n_filters=3).double().eval()
        signal = torch.randn(2, 5, 90, dtype=torch.float64)
        over_time, _, norm, _, over_channels, norm_again, _, _, mix = network.filters.layers
        filtered = over_time(signal[:, None])
        smooth = torch.stack([filtered[..., t : t + 51].mean(-1) for t in (0, 5, 10, 15)], dim=-1)
        hidden = functional.elu(norm_again(over_channels(functional.elu(norm(smooth)))))
        first = network.projector[0](mix(hidden).reshape(2, 12))
        second = first + network.projector[1].layers[1](functional.gelu(first))
        torch.testing.assert_close(network(signal=signal), functional.layer_norm(second, (4,)))

    def test_weights_are_drawn_small(self) -> None:
        torch.manual_seed(0)
        network = NICE()
        for weight in (network.filters.layers[4].weight, network.projector[0].weight):
            assert abs(weight.std().item() / 0.02 - 1) < 0.02
        norm = network.filters.layers[2].weight
        assert abs(norm.mean().item() - 1) < 0.02

    @pytest.mark.parametrize("shape", [(2, 62, 250), (2, 63, 249), (63, 250)])
    def test_another_montage_or_length(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(DataError, match=r"windows must have shape \(n_samples, 63, 250\)"):
            NICE()(signal=torch.ones(shape))

    def test_refused(self) -> None:
        with pytest.raises(DataError, match="n_times=74 is too short: 75"):
            NICE(n_times=74)
        with pytest.raises(DataError, match="n_features"):
            NICE(0)


class TestATM:
    @staticmethod
    def small() -> ATM:
        torch.manual_seed(0)
        network = ATM(4, 5, 20, 3, width=80, n_heads=3, feedforward=9, n_filters=3).double().eval()
        for module in network.filters.layers:  # away from weights so small that nothing comes through
            if isinstance(module, nn.Conv2d):
                module.reset_parameters()
        return network

    def test_62_dimensions_per_head(self) -> None:
        network = ATM()
        assert network.encoder[0].queries_keys_values.out_features == 3 * 4 * 62
        assert network.projector[0].in_features == 1440

    def test_a_layer_written_out(self) -> None:
        layer = self.small().encoder[0]
        tokens = torch.randn(1, 6, 80, dtype=torch.float64)
        queries, keys, values = layer.queries_keys_values(tokens)[0].chunk(3, dim=1)
        attended = []
        for head in range(3):
            part = slice(26 * head, 26 * head + 26)
            weights = (queries[:, part] @ keys[:, part].T / 26**0.5).softmax(1)
            attended.append(weights @ values[:, part])
        hidden = layer.norms[0](tokens[0] + layer.out(torch.cat(attended, dim=1)))
        torch.testing.assert_close(layer(tokens)[0], layer.norms[1](hidden + layer.perceptron(hidden)))

    def test_subjects(self) -> None:
        network, signal = self.small(), torch.randn(2, 5, 20, dtype=torch.float64)
        stranger = network(signal=signal)
        torch.testing.assert_close(network(signal=signal, subject=torch.tensor([-1, -1])), stranger)
        assert not torch.allclose(network(signal=signal, subject=torch.tensor([0, 1])), stranger)
        with pytest.raises(DataError, match="subject 3 is not among the 3"):
            network(signal=signal, subject=torch.tensor([0, 3]))

    def test_channels_see_each_other_and_keep_their_place(self) -> None:
        network = self.small()
        signal = torch.randn(1, 5, 20, dtype=torch.float64)
        tokens = torch.cat([network.embed(signal) + network.channels, network.subjects[None, :1]], dim=1)
        other = tokens.clone()
        other[0, 4] += torch.randn(80, dtype=torch.float64)
        assert not torch.allclose(network.encoder(tokens)[0, 0], network.encoder(other)[0, 0])
        constant = torch.ones(1, 5, 20, dtype=torch.float64)
        mapped = network.encoder(network.embed(constant) + network.channels)
        assert not torch.allclose(mapped[0, 0], mapped[0, 1])

    def test_dropout_in_training_alone(self) -> None:
        network, signal = self.small(), torch.randn(2, 5, 20, dtype=torch.float64)
        network.filters.eval()
        network.projector.eval()
        assert torch.equal(network(signal=signal), network(signal=signal))
        network.encoder.train()
        assert not torch.equal(network(signal=signal), network(signal=signal))
        assert isinstance(network.encoder[-1], nn.LayerNorm)

    def test_another_montage(self) -> None:
        with pytest.raises(DataError, match=r"\(n_samples, 5, 20\)"):
            self.small()(signal=torch.ones(2, 4, 20))

"""The projector: standardises by what belongs to its weights, and is linear without a hidden layer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.models import BrainProjector


def test_linear_on_standardised_responses() -> None:
    network = BrainProjector(4, 2)
    mean, scale = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([2.0, 4.0, 0.0, 1.0])
    network.standardise(mean, scale)
    responses = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    z = (responses - mean) / torch.tensor([2.0, 4.0, 1.0, 1.0])
    torch.testing.assert_close(network(responses=responses), z @ network.subject.weight.T + network.subject.bias)


def test_blocks_are_residual() -> None:
    network = BrainProjector(4, 2, hidden=3, n_blocks=2).eval()
    for block in network.blocks:
        torch.nn.init.zeros_(block[1].weight)
        torch.nn.init.zeros_(block[1].bias)
    responses = torch.ones(1, 4)
    torch.testing.assert_close(network(responses=responses), network.head(network.subject(responses)))


def test_statistics_are_saved_with_the_weights(tmp_path: Path) -> None:
    network = BrainProjector(4, 2, hidden=3)
    network.standardise(torch.arange(4.0), torch.arange(1.0, 5.0))
    network.save(tmp_path / "n")
    loaded = BrainProjector.load(tmp_path / "n")
    assert loaded.config == network.config
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in loaded.state_dict().items())


@pytest.mark.parametrize(
    ("file", "text", "error", "message"),
    [
        ("config.json", "{", CorruptFileError, "config.json"),
        ("config.json", '{"network": "Other", "config": {}, "sha256": ""}', FormatError, "found 'Other'"),
        ("model.safetensors", "x", CorruptFileError, "differs from its sha256"),
    ],
)
def test_damage_is_named(tmp_path: Path, file: str, text: str, error: type[Exception], message: str) -> None:
    BrainProjector(4, 2).save(tmp_path / "n")
    (tmp_path / "n" / file).write_text(text)
    with pytest.raises(error, match=message):
        BrainProjector.load(tmp_path / "n")


def test_weights_of_another_shape(tmp_path: Path) -> None:
    BrainProjector(4, 2).save(tmp_path / "n")
    config = tmp_path / "n" / "config.json"
    header = json.loads(config.read_text())
    header["config"]["n_outputs"] = 3
    config.write_text(json.dumps(header))
    with pytest.raises(CorruptFileError, match="does not fit"):
        BrainProjector.load(tmp_path / "n")


def test_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="n_inputs"):
        BrainProjector(0, 2)
    with pytest.raises(FormatError, match="no such file"):
        BrainProjector.load(tmp_path)

"""A folded network is the network, for every kind of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurodecode.decode import FoldedNetwork
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.models import meeg_conv

SIZES = {"attention_channels": 12, "channels": 8, "fourier": 4}
POSITIONS = np.random.default_rng(0).uniform(size=(9, 2))
POSITIONS[3] = np.nan


def trained(network: Any, n_times: int = 25) -> Any:
    """A network whose BatchNorm has seen data."""
    torch.manual_seed(1)
    positions = torch.from_numpy(np.stack([POSITIONS] * 6)).float()
    for _ in range(3):
        network(signal=3 * torch.randn(6, 9, n_times) + 1, positions=positions, subject=torch.arange(6) % 3)
    return network.eval()


def image(**options: Any) -> Any:
    torch.manual_seed(0)
    return trained(meeg_conv.image(3, 5, n_times=25, width=20, **{**SIZES, **options}))


def speech(**options: Any) -> Any:
    torch.manual_seed(0)
    return trained(meeg_conv.speech(3, 5, n_blocks=3, **{**SIZES, **options}))


NETWORKS: dict[str, Any] = {
    "image": image,
    "mean over time": lambda: image(aggregation="mean"),
    "attention over time": lambda: image(aggregation="attention"),
    "no subject layer": lambda: image(subject_layer=False),
    "as many channels as go in": lambda: image(attention_channels=8),
    "speech": speech,
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("subject", [2, -1])
def test_it_is_the_network_in_evaluation(name: str, subject: int) -> None:
    network = NETWORKS[name]()
    windows = np.random.default_rng(2).standard_normal((4, 9, 25)).astype(np.float32)
    folded = FoldedNetwork(network, POSITIONS, subject)
    positions = torch.from_numpy(np.stack([POSITIONS] * 4)).float()
    with torch.no_grad():
        expected = network(signal=torch.from_numpy(windows), positions=positions, subject=torch.full((4,), subject)).numpy()
    scale = np.abs(expected).max()
    np.testing.assert_allclose(folded.predict(windows), expected, rtol=0, atol=2e-6 * scale)
    np.testing.assert_array_equal(folded.predict(windows[1:2]), folded.predict(windows)[1:2], err_msg="windows see each other")


def test_windows_of_another_length_where_the_network_takes_them() -> None:
    folded = FoldedNetwork(NETWORKS["speech"](), POSITIONS, 0)
    first, other = np.ones((1, 9, 25), np.float32), np.ones((1, 9, 40), np.float32)
    before = folded.predict(first)
    assert folded.predict(other).shape == (1, 5, 40)
    np.testing.assert_array_equal(folded.predict(first), before)


def test_each_head_by_itself() -> None:
    network = image(n_heads=2)
    window = np.random.default_rng(2).standard_normal((1, 9, 25)).astype(np.float32)
    given = {
        "signal": torch.from_numpy(window),
        "positions": torch.from_numpy(POSITIONS)[None].float(),
        "subject": torch.tensor([1]),
    }
    with torch.no_grad():
        expected = network(**given)
    for head in (0, 1):
        found = FoldedNetwork(network, POSITIONS, 1, head=head).predict(window)
        np.testing.assert_allclose(found, expected[head].numpy(), atol=1e-6)


def test_the_network_itself_is_not_touched() -> None:
    network = image().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    FoldedNetwork(network, POSITIONS, 0)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert {p.dtype for p in network.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: FoldedNetwork(image(), POSITIONS[:, :1]), r"positions must be \(n_channels, 2\), got \(9, 1\)"),
        (lambda: FoldedNetwork(image(), POSITIONS, 3), "subject 3 is not among the 3"),
        (lambda: FoldedNetwork(image(), POSITIONS, head=1), "head 1 is not among the 1"),
        (
            lambda: FoldedNetwork(torch.nn.Linear(2, 2), POSITIONS),
            "only SpeechNetwork or an ImageNetwork can be folded, got Linear",
        ),
        (lambda: FoldedNetwork(image(), POSITIONS).predict(np.zeros((1, 8, 25))), r"windows must be \(n_windows, 9, n_times\)"),
        (
            lambda: FoldedNetwork(image(), POSITIONS).predict(np.zeros((1, 9, 24))),
            "windows have 24 samples, the network was made for 25",
        ),
    ],
)
def test_what_does_not_fit(use: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        use()


class TestOnDisk:
    @pytest.mark.parametrize("name", ["image", "speech"])
    def test_what_was_saved_predicts_the_same(self, name: str, tmp_path: Path) -> None:
        folded = FoldedNetwork(NETWORKS[name](), POSITIONS, 2)
        loaded = FoldedNetwork.load(folded.save(tmp_path / "folded"))
        window = np.random.default_rng(2).standard_normal((1, 9, 25)).astype(np.float32)
        np.testing.assert_array_equal(loaded.predict(window), folded.predict(window))

    def test_what_is_missing_or_changed(self, tmp_path: Path) -> None:
        folder = FoldedNetwork(image(), POSITIONS, 2).save(tmp_path / "folded")
        whole = (folder / "config.json").read_text()
        for old, new in (("ImageNetwork", "os"), ('"head"', '"hat"'), ("{", "")):
            (folder / "config.json").write_text(whole.replace(old, new, 1))
            with pytest.raises(CorruptFileError, match=r"config\.json"):
                FoldedNetwork.load(folder)
        (folder / "config.json").write_text(whole)
        np.save(folder / "positions.npy", POSITIONS + 1)
        with pytest.raises(CorruptFileError, match=r"positions\.npy"):
            FoldedNetwork.load(folder)
        with pytest.raises(FormatError, match="cannot be read"):
            FoldedNetwork.load(tmp_path / "nothing")

"""Networks: keyword-only, shapes in the docstring, as many parameters as the paper, saved as a configuration and plain weights.

A new ``torch.nn.Module`` in ``neurodecode.models`` needs a row in `CASES`. A module that is only a part of others is private, or
is listed in `PARTS`.
"""

from __future__ import annotations

import ast
import copy
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from contracts.members import defined_in
from house.source import PACKAGE, trees
from safetensors.torch import load_file, save_file
from torch import nn

from neurodecode.errors import DataError, NeurodecodeError
from neurodecode.models import ATM, NICE, BrainProjector, MelTower, meeg_conv


class Case(NamedTuple):
    """A network and what to feed it."""

    make: Callable[[], Any]
    """A small one."""
    inputs: Callable[[], dict[str, torch.Tensor]]
    """Keyword arguments of ``forward`` with two samples."""
    paper: Callable[[], Any]
    """The one of the paper."""
    n_parameters: int
    """Its number of parameters as the paper states it."""
    tolerance: float = 0.01
    """How far ours may be off, as a share."""


SMALL: dict[str, Any] = {"channels": 8, "attention_channels": 6, "n_blocks": 2, "fourier": 3}


def windows(n_channels: int = 5, n_times: int = 20) -> dict[str, torch.Tensor]:
    """Two samples of two subjects under two montages, one sensor of which has no position."""
    generator = torch.Generator().manual_seed(0)
    positions = torch.rand(2, n_channels, 2, generator=generator)
    positions[1, 0] = torch.nan
    signal = torch.randn(2, n_channels, n_times, generator=generator)
    return {"signal": signal, "positions": positions, "subject": torch.tensor([0, 2])}


CASES: dict[str, Case] = {
    "BrainProjector": Case(
        lambda: BrainProjector(7, 3, hidden=5, n_blocks=2),
        lambda: {"responses": torch.linspace(-1, 1, 14).reshape(2, 7)},
        lambda: BrainProjector(15724, 4096),
        64_409_600,  # the layer of subject 1 in MindEye2
    ),
    "SpeechNetwork": Case(
        lambda: meeg_conv.speech(3, 4, **SMALL), windows, meeg_conv.speech, 7_596_754 + 27 * 72_900, tolerance=0
    ),
    "ImageNetwork": Case(
        lambda: meeg_conv.image(3, 4, n_times=20, width=12, n_heads=1, **SMALL),
        windows,
        meeg_conv.image,
        6_424_472,
        tolerance=0,
    ),
    "MelTower": Case(
        lambda: MelTower(5, 3, channels=8, n_blocks=1),
        lambda: {"features": windows()["signal"]},
        MelTower,
        1_039_360 + 4 * 1_231_360 + 697_728,  # blocks as in the network of speech, a head to 768; the paper states no sum
        tolerance=0,
    ),
    "NICE": Case(
        lambda: NICE(4, 5, 80, n_filters=3),
        lambda: windows(5, 80),
        NICE,
        1_040 + 80 + 100_840 + 80 + 1_640 + 1_106_688 + 590_592 + 1_536,  # layer by layer; the paper states no sum
        tolerance=0,
    ),
    "ATM": Case(
        lambda: ATM(4, 5, 20, 3, width=80, n_heads=3, feedforward=9, n_filters=3),
        lambda: windows(5, 20),
        ATM,
        62_750 + 73 * 250 + 186_744 + 62_250 + 128_506 + 1_500 + 103_680 + 1_475_584 + 1_049_600 + 2_048,
        tolerance=0,
    ),
}
PARTS = {
    "FourierPositions",
    "SpatialAttention",
    "SubjectLayer",
    "SensorMixing",
    "DilatedGLUStack",
    "TemporalAggregation",
    "TemporalSpatial",
    "Projector",
}


def members() -> dict[str, type]:
    """Public networks."""
    found = {name: value for name, value in defined_in("models") if inspect.isclass(value) and issubclass(value, nn.Module)}
    return {name: value for name, value in found.items() if name not in PARTS}


def check_network(case: Case, folder: Path) -> None:
    """The contract."""
    model = case.make()
    _check_signature(type(model))
    torch.manual_seed(0)
    first, inputs = case.make().eval(), case.inputs()
    before = copy.deepcopy(inputs)
    output = first(**inputs)
    assert all(torch.allclose(inputs[name], before[name], 0, 0, equal_nan=True) for name in inputs), "the input was changed"
    assert torch.isfinite(_tensor(output)).all()
    torch.testing.assert_close(_tensor(first(**inputs)), _tensor(output), msg="a second call gives something else")
    _check_samples_apart(first, inputs)
    _check_gradients(case)
    _check_storage(first, inputs, folder)
    with torch.device("meta"):
        counted = sum(p.numel() for p in case.paper().parameters())
    assert abs(counted - case.n_parameters) <= case.tolerance * case.n_parameters, f"{counted}, the paper has {case.n_parameters}"


def _tensor(output: Any) -> torch.Tensor:
    return output if isinstance(output, torch.Tensor) else output[0]


def _check_signature(kind: type) -> None:
    parameters = list(inspect.signature(kind.forward).parameters.values())[1:]
    assert parameters, "forward takes something"
    kinds = {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}
    assert all(p.kind in kinds for p in parameters), "forward takes keywords only: tensors are easily mixed up"
    document = inspect.getdoc(kind.forward) or ""
    for parameter in parameters:
        line = next((text for text in document.splitlines() if text.startswith(f"{parameter.name} :")), "")
        assert "shape" in line or "int" in line or "float" in line, f"the docstring must give the shape of {parameter.name}"
    returns = document.partition("Returns")[2]
    assert "shape" in returns, "the docstring must give the shape of the result"


def _check_samples_apart(model: Any, inputs: dict[str, torch.Tensor]) -> None:
    alone = model(**{name: value[:1] for name, value in inputs.items()})
    together = _tensor(model(**inputs))[:1]
    torch.testing.assert_close(_tensor(alone), together, rtol=1e-4, atol=1e-5, msg="samples of a batch see each other")


def _check_gradients(case: Case) -> None:
    model = case.make().train()
    _tensor(model(**case.inputs())).square().sum().backward()
    idle = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not idle, f"parameters that nothing depends on: {idle}"


def _check_storage(model: Any, inputs: dict[str, torch.Tensor], folder: Path) -> None:
    model.save(folder)
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]
    json.loads((folder / "config.json").read_text())
    loaded = type(model).load(folder).eval()
    torch.testing.assert_close(_tensor(loaded(**inputs)), _tensor(model(**inputs)), msg="a saved network computes otherwise")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-8])
    with pytest.raises(NeurodecodeError, match="model.safetensors"):
        type(model).load(folder)


def test_every_member_has_a_case() -> None:
    missing = set(members()) - set(CASES)
    assert not missing, f"add a row to CASES in {Path(__file__).name} for {sorted(missing)}"
    assert set(CASES) <= set(members()), "a row has no network"


def test_models_know_no_files_no_trainers_no_tables() -> None:
    banned = ("pandas", "neurodecode.data.store", "neurodecode.io", "neurodecode.train", "accelerate")
    wrong = []
    for path, tree in trees().items():
        if PACKAGE / "models" in path.parents:
            names = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
            names += [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
            wrong += [f"{path.name} imports {name}" for name in names if name.startswith(banned)]
    assert wrong == []


@pytest.mark.parametrize("name", CASES)
def test_network(name: str, tmp_path: Path) -> None:
    check_network(CASES[name], tmp_path)


class Planted(nn.Module):
    """A good network: one linear map."""

    def __init__(self, n_channels: int = 4, n_outputs: int = 3) -> None:
        super().__init__()
        self.config = {"n_channels": n_channels, "n_outputs": n_outputs}
        self.linear = nn.Linear(n_channels, n_outputs)

    def forward(self, *, signal: torch.Tensor) -> torch.Tensor:
        """Map channels to outputs.

        Parameters
        ----------
        signal : Tensor of shape (n_samples, n_channels)
            Signal.

        Returns
        -------
        Tensor of shape (n_samples, n_outputs)
            Outputs.
        """
        return self.linear(signal)

    def save(self, folder: Path) -> None:
        """Write configuration and weights."""
        (folder / "config.json").write_text(json.dumps(self.config))
        save_file(self.state_dict(), folder / "model.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Planted:
        """Read what `save` wrote."""
        model = cls(**json.loads((folder / "config.json").read_text()))
        try:
            model.load_state_dict(load_file(folder / "model.safetensors"))
        except Exception as error:
            raise DataError(f"model.safetensors: {error}") from error
        return model


class TestTheContractItself:
    """A network that breaks one promise is noticed."""

    CASE = Case(Planted, lambda: {"signal": torch.ones(2, 4) * torch.tensor([[1.0], [2.0]])}, lambda: Planted(100, 10), 1010)

    def test_a_good_one_passes(self, tmp_path: Path) -> None:
        check_network(self.CASE, tmp_path)

    def test_another_number_of_parameters(self, tmp_path: Path) -> None:
        with pytest.raises(AssertionError, match="1010, the paper has 2000"):
            check_network(self.CASE._replace(n_parameters=2000), tmp_path)

    def test_positional_tensors(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Planted, "forward", lambda self, signal: self.linear(signal))
        with pytest.raises(AssertionError, match="keywords only"):
            check_network(self.CASE, tmp_path)

    def test_no_shapes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Planted.forward, "__doc__", "Map channels to outputs.")
        with pytest.raises(AssertionError, match="shape of signal"):
            check_network(self.CASE, tmp_path)

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda model, signal: model.linear(signal - signal.mean(0)), "see each other"),
            (lambda model, signal: model.linear(signal) + torch.randn(1), "a second call"),
            (lambda model, signal: model.linear(signal.mul_(2)), "the input was changed"),
            (lambda model, signal: signal, "nothing depends on"),
        ],
    )
    def test_another_forward(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Any, message: str) -> None:
        def forward(self: Any, *, signal: torch.Tensor) -> torch.Tensor:
            return spoil(self, signal if signal.requires_grad else signal.requires_grad_(message == "nothing depends on"))

        forward.__doc__ = Planted.forward.__doc__
        monkeypatch.setattr(Planted, "forward", forward)
        with pytest.raises(AssertionError, match=message):
            check_network(self.CASE, tmp_path)

    def test_pickled_weights(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Planted, "save", lambda self, folder: torch.save(self.state_dict(), folder / "model.pt"))
        with pytest.raises(AssertionError, match=r"model\.pt"):
            check_network(self.CASE, tmp_path)

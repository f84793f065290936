"""Generators: one signature, pictures as uint8, the same ones from the same seed, and no network until a picture is asked for.

A new class with ``generate`` in ``neurodecode.generate`` needs a row in `CASES`.
"""

from __future__ import annotations

import inspect
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from contracts.members import defined_in

SIGNATURE = ["conditions", "init", "strength", "guidance", "steps", "seed"]


class Case(NamedTuple):
    """A generator that needs no weights of anyone, and conditions for two pictures."""

    make: Callable[[], Any]
    """The adapter, around a model with random weights."""
    conditions: Callable[[], Any]
    """Embeddings of two pictures."""


def tiny() -> Any:
    """Trained for two steps."""
    from neurodecode.generate import TinyDiffusion

    pictures = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), np.uint8)
    return TinyDiffusion(steps=2, channels=(8,), n_components=4, temperature=1.0).fit(pictures)


CASES: dict[str, Case] = {"TinyDiffusion": Case(tiny, lambda: {"embedding": np.ones((2, 4))})}


def members() -> dict[str, type]:
    """Public classes that generate."""
    classes = {name: value for name, value in defined_in("generate") if inspect.isclass(value) and hasattr(value, "generate")}
    return {name: value for name, value in classes.items() if not getattr(value, "_is_protocol", False)}


def check_generator(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract."""

    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("the constructor calls the network")

    with monkeypatch.context() as patched:
        patched.setattr(socket.socket, "connect", refuse)
        patched.setattr(socket, "getaddrinfo", refuse)
        generator = case.make()
    _check_signature(generator)
    assert isinstance(generator.needs, (list, tuple)), "`needs` names the embeddings that it wants"
    assert generator.needs
    state = str(np.random.get_state())  # noqa: NPY002
    options: dict[str, Any] = {"init": None, "strength": 1.0, "guidance": 1.0, "steps": 2}
    pictures = generator.generate(case.conditions(), **options, seed=0)
    assert str(np.random.get_state()) == state, "a global seed was used"  # noqa: NPY002
    assert pictures.dtype == np.uint8, "pictures are uint8"
    assert pictures.ndim in (4, 5), "(n, H, W, 3), or (n, T, H, W, 3)"
    assert pictures.shape[-1] == 3, "(n, H, W, 3), or (n, T, H, W, 3)"
    assert len(pictures) == 2
    same, other = (generator.generate(case.conditions(), **options, seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(same, pictures, err_msg="same seed, other pictures")
    assert not np.array_equal(other, pictures), "the seed changes nothing"


def _check_signature(generator: Any) -> None:
    parameters = inspect.signature(generator.generate).parameters
    assert list(parameters) == SIGNATURE, f"generate takes {SIGNATURE}, got {list(parameters)}"
    keywords = [name for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY]
    assert keywords == SIGNATURE[1:], "all but the conditions are keywords"


def test_every_member_has_a_case() -> None:
    missing = set(members()) - set(CASES)
    assert not missing, f"add a row to CASES in {Path(__file__).name} for {sorted(missing)}"
    assert set(CASES) <= set(members()), "a row has no generator"


@pytest.mark.parametrize("name", CASES)
def test_generator(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check_generator(CASES[name], monkeypatch)


class Planted:
    """A good generator: noise around the mean of each condition."""

    needs = ("picture",)

    def generate(
        self, conditions: Any, *, init: Any = None, strength: float = 1.0, guidance: float = 1.0, steps: int = 1, seed: int = 0
    ) -> np.ndarray:
        """One picture per condition."""
        noise = np.random.default_rng(seed).integers(0, 100, (len(conditions), 8, 8, 3))
        return (noise + np.asarray(conditions).mean(axis=1)[:, None, None, None]).astype(np.uint8)


class TestTheContractItself:
    """A generator that breaks one promise is noticed."""

    CASE = Case(Planted, lambda: np.ones((2, 4)))

    def test_a_good_one_passes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        check_generator(self.CASE, monkeypatch)

    def test_a_hub_in_the_constructor(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def make() -> Planted:
            socket.create_connection(("localhost", 9))
            return Planted()

        with pytest.raises(AssertionError, match="the constructor calls the network"):
            check_generator(self.CASE._replace(make=make), monkeypatch)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda pictures, seed: pictures.astype(float), "uint8"),
            (lambda pictures, seed: pictures[..., :1], "H, W, 3"),
            (lambda pictures, seed: pictures * 0, "the seed changes nothing"),
            (lambda pictures, seed: np.random.default_rng().permuted(pictures), "same seed, other pictures"),
            (lambda pictures, seed: pictures + np.random.randint(2), "a global seed"),  # noqa: NPY002
        ],
    )
    def test_other_pictures(self, monkeypatch: pytest.MonkeyPatch, change: Any, message: str) -> None:
        good = Planted.generate

        def generate(
            self: Any, conditions: Any, *, init: Any, strength: float, guidance: float, steps: int, seed: int
        ) -> np.ndarray:
            return change(good(self, conditions, seed=seed), seed)

        monkeypatch.setattr(Planted, "generate", generate)
        with pytest.raises(AssertionError, match=message):
            check_generator(self.CASE, monkeypatch)

    def test_another_signature(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Planted, "generate", lambda self, embeddings, seed=0: None)
        with pytest.raises(AssertionError, match="generate takes"):
            check_generator(self.CASE, monkeypatch)

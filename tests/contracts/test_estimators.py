"""Estimators: parameters kept as given, nothing but what was fitted is remembered, same seed same result, saved without code.

A new class with ``fit`` in ``decode``, ``artifacts``, ``analysis`` or ``compare`` needs a row in `CASES`: how to make it, and
what to fit it on.
"""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import decoding_data
import meeg_worlds
import numpy as np
import pytest
from contracts.members import defined_in, snapshot
from sklearn.base import clone

from neurodecode.data import Responses
from neurodecode.decode import LinearDecoder, MEEGImageDecoder, SpeechDecoder
from neurodecode.errors import DataError, NeurodecodeError

RECONSTRUCTORS = {"Reconstructor", "RidgeReconstructor", "GeneratorReconstructor", "MeanImage"}  # arrays to images: tests/decode
OWN_TESTS = {
    "DynamicConnectome",
    "GainControlModel",
}  # not fitted on samples with a target: tests/FOLDER hold them to the same promises
FOLDERS = ("decode", "artifacts", "analysis", "compare")
PLAIN_FILES = {".json", ".npy", ".npz", ".tsv", ".safetensors"}


class Case(NamedTuple):
    """An estimator and what to fit it on."""

    make: Callable[[], Any]
    """A fresh one, not fitted."""
    data: Callable[[int], Responses] = lambda seed: decoding_data.make_responses(seed=seed)
    """Responses to fit on and, with another seed, to predict."""
    target: str | Callable[[Responses], Responses] = "trial_type"
    """Column to predict; or the targets of the stimuli of some responses, for estimators that decode what was presented."""
    any_sensors: bool = False
    """Whether other sensors than those fitted on may be decoded, too."""

    def given(self, responses: Responses) -> Any:
        """What goes into `fit` and `score` beside the responses."""
        return self.target if isinstance(self.target, str) else self.target(responses)


def speech_decoder() -> SpeechDecoder:
    """The network of the paper, far smaller."""
    sizes = {"attention_channels": 8, "channels": 8, "n_blocks": 1, "fourier": 3}
    return SpeechDecoder("conv", network_options=sizes, trainer=meeg_worlds.QUICK)


CASES: dict[str, list[Case]] = {
    "LinearDecoder": [
        Case(LinearDecoder),
        Case(lambda: LinearDecoder("classification", estimator="lda", n_features=4)),
        Case(LinearDecoder, lambda seed: decoding_data.make_responses(k=3, n_times=5, seed=seed)),
        Case(lambda: LinearDecoder("regression"), target="strength"),
    ],
    "SpeechDecoder": [
        Case(speech_decoder, lambda seed: meeg_worlds.named(seed, "speech").responses, meeg_worlds.targets_of, any_sensors=True),
    ],
    "MEEGImageDecoder": [
        Case(
            lambda: MEEGImageDecoder("projection", trainer=meeg_worlds.QUICK),
            lambda seed: meeg_worlds.named(seed, "images").responses,
            meeg_worlds.targets_of,
        ),
        Case(lambda: MEEGImageDecoder("ridge"), lambda seed: meeg_worlds.named(seed, "images").responses, meeg_worlds.targets_of),
    ],
}


def members() -> dict[str, type]:
    """Public classes that can be fitted."""
    found = {name: value for folder in FOLDERS for name, value in defined_in(folder)}
    fitted = {name: value for name, value in found.items() if inspect.isclass(value) and hasattr(value, "fit")}
    return {name: value for name, value in fitted.items() if name not in RECONSTRUCTORS | OWN_TESTS}


def check_estimator(case: Case, folder: Path) -> None:
    """The contract."""
    _check_parameters(case)
    train, test = case.data(0), case.data(1)
    before = snapshot(train), snapshot(test)
    estimator = case.make()
    with pytest.raises(DataError, match="not fitted"):
        estimator.predict(test)
    assert estimator.fit(train, case.given(train)) is estimator, "fit must return the estimator itself"
    predicted, score = estimator.predict(test), estimator.score(test, case.given(test))
    untouched = (snapshot(train), snapshot(test)) == before
    assert untouched, "the data were changed"
    assert len(predicted) == len(test)
    assert isinstance(score, float) or isinstance(score.chance, dict), "a score is a number, or a report with its chance"
    assert np.isfinite(float(score))
    _check_attributes(case.make(), estimator)
    _check_memory(case, estimator, test)
    _check_refusals(case, estimator, train, test)
    _check_storage(estimator, test, folder)


def _check_parameters(case: Case) -> None:
    """As scikit-learn asks: what went into the constructor comes out, and a clone is the same."""
    estimator = case.make()
    given = estimator.get_params()
    names = [p for p in inspect.signature(type(estimator)).parameters]
    assert sorted(given) == sorted(names), "get_params must name the constructor's arguments"
    assert set(vars(estimator)) == set(names), "the constructor must set its arguments and nothing else"
    assert clone(estimator).get_params() == given
    assert "random_state" in names, "a seed is an argument"
    with pytest.raises(NeurodecodeError, match="nonsense"):
        estimator.set_params(nonsense=1)
    assert estimator.set_params(random_state=7).random_state == 7


def _check_attributes(fresh: Any, fitted: Any) -> None:
    new = {name for name in vars(fitted) if name not in vars(fresh)}
    assert new, "fit remembers nothing"
    assert all(name.endswith("_") for name in new), f"what fit finds must end in an underscore, got {sorted(new)}"
    assert fitted.get_params() == fresh.get_params(), "fit changed a parameter"


def _check_memory(case: Case, estimator: Any, test: Responses) -> None:
    again = case.make().fit(case.data(0), case.given(case.data(0)))
    _same(again.predict(test), estimator.predict(test), "same seed, other result")
    refitted = case.make().fit(case.data(5), case.given(case.data(5))).fit(case.data(0), case.given(case.data(0)))
    _same(refitted.predict(test), estimator.predict(test), "an earlier fit was remembered")
    part = test.select(slice(0, 5))
    _same(estimator.predict(part), estimator.predict(test)[:5], "samples must not see each other")
    moved = pickle.loads(pickle.dumps(estimator))  # noqa: S301
    _same(moved.predict(test), estimator.predict(test), "must travel between processes")


def _same(a: np.ndarray, b: np.ndarray, otherwise: str) -> None:
    """Equal, numbers but for rounding: a product with fewer rows adds in another order."""
    if np.asarray(a).dtype.kind == "f":
        near = {"rtol": 1e-4, "atol": 1e-5} if np.asarray(a).dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-12}
        np.testing.assert_allclose(a, b, **near, err_msg=otherwise)
    else:
        np.testing.assert_array_equal(a, b, err_msg=otherwise)


def _check_refusals(case: Case, estimator: Any, train: Responses, test: Responses) -> None:
    data = np.array(train.data)
    data[3, 1] = np.nan
    name = train.units["name"].iloc[1]
    for use in (
        lambda: case.make().fit(train.replace(data=data), case.given(train)),
        lambda: estimator.predict(test.replace(data=data)),
    ):
        with pytest.raises(DataError) as caught:
            use()
        assert name in str(caught.value), f"the message must name the unit: {caught.value}"
    message = f"no column 'no_such_column'.*{case.target}" if isinstance(case.target, str) else "targets must be Responses"
    with pytest.raises(DataError, match=message):
        case.make().fit(train, "no_such_column")
    fewer = test.select(units=slice(0, 4))
    if case.any_sensors:
        assert estimator.predict(fewer).shape == estimator.predict(test).shape
    else:
        with pytest.raises(DataError, match="fitted on"):
            estimator.predict(fewer)
    with pytest.raises(DataError):
        case.make().fit(train.select(slice(0, 0)), case.given(train))


def _check_storage(estimator: Any, test: Responses, folder: Path) -> None:
    estimator.save(folder / "model")
    files = [p for p in (folder / "model").rglob("*") if p.is_file()]
    assert {p.suffix for p in files} <= PLAIN_FILES, f"only plain data may be saved, got {files}"
    loaded = type(estimator).load(folder / "model")
    _same(loaded.predict(test), estimator.predict(test), "a saved estimator predicts otherwise")
    assert loaded.get_params() == estimator.get_params()
    for path in files:
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(NeurodecodeError, match=path.name):
            type(estimator).load(folder / "model")
        path.write_bytes(whole)


def test_every_member_has_a_case() -> None:
    missing = set(members()) - set(CASES)
    assert not missing, f"add a row to CASES in {Path(__file__).name} for {sorted(missing)}"
    assert set(CASES) <= set(members()), "a row has no estimator"


@pytest.mark.parametrize(("name", "i"), [(name, i) for name, cases in CASES.items() for i in range(len(cases))])
def test_estimator(name: str, i: int, tmp_path: Path) -> None:
    check_estimator(CASES[name][i], tmp_path)


class Planted(LinearDecoder):
    """A good estimator, to be spoiled in one method."""


class TestTheContractItself:
    """An estimator that breaks one promise is noticed."""

    @pytest.fixture
    def broken(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Case]:
        def spoil(**methods: Any) -> Case:
            for name, method in methods.items():
                monkeypatch.setattr(Planted, name, method, raising=False)
            return Case(Planted)

        return spoil

    def test_a_good_one_passes(self, tmp_path: Path) -> None:
        check_estimator(Case(Planted), tmp_path)

    def test_work_in_the_constructor(self, broken: Callable[..., Case], tmp_path: Path) -> None:
        def init(self: Any, *args: Any, **options: Any) -> None:
            LinearDecoder.__init__(self, *args, **options)
            self.cache = {}

        init.__signature__ = inspect.signature(LinearDecoder.__init__)  # type: ignore[attr-defined]
        with pytest.raises(AssertionError, match="nothing else"):
            check_estimator(broken(__init__=init), tmp_path)

    def test_fit_that_returns_nothing(self, broken: Callable[..., Case], tmp_path: Path) -> None:
        def fit(self: Any, *args: Any) -> None:
            LinearDecoder.fit(self, *args)

        with pytest.raises(AssertionError, match="return the estimator itself"):
            check_estimator(broken(fit=fit), tmp_path)

    def test_a_found_value_without_underscore(self, broken: Callable[..., Case], tmp_path: Path) -> None:
        def fit(self: Any, *args: Any) -> Any:
            self.found = 1
            return LinearDecoder.fit(self, *args)

        with pytest.raises(AssertionError, match="end in an underscore"):
            check_estimator(broken(fit=fit), tmp_path)

    def test_a_random_fit(self, broken: Callable[..., Case], tmp_path: Path) -> None:
        def fit(self: Any, *args: Any) -> Any:
            LinearDecoder.fit(self, *args)
            self.coef_ = np.random.default_rng().standard_normal(self.coef_.shape)
            return self

        with pytest.raises(AssertionError, match="same seed, other result"):
            check_estimator(broken(fit=fit), tmp_path)

    def test_samples_that_see_each_other(self, broken: Callable[..., Case], tmp_path: Path) -> None:
        def predict(self: Any, responses: Any) -> Any:
            values = self.decision_function(responses)
            return np.array(self.classes_)[(values[:, 0] > values[:, 0].mean()).astype(int)]

        with pytest.raises(AssertionError, match="must not see each other"):
            check_estimator(broken(predict=predict), tmp_path)

    def test_a_changed_input(self, broken: Callable[..., Case], tmp_path: Path) -> None:
        def fit(self: Any, responses: Any, *args: Any) -> Any:
            LinearDecoder.fit(self, responses, *args)
            responses.data[:] -= responses.data.mean(axis=0)
            return self

        with pytest.raises(AssertionError, match="the data were changed"):
            check_estimator(broken(fit=fit), tmp_path)

    def test_code_in_the_saved_folder(self, broken: Callable[..., Case], tmp_path: Path) -> None:
        def save(self: Any, folder: Path) -> None:
            LinearDecoder.save(self, folder)
            (folder / "model.pkl").write_bytes(pickle.dumps(self.coef_))

        with pytest.raises(AssertionError, match="only plain data"):
            check_estimator(broken(save=save), tmp_path)

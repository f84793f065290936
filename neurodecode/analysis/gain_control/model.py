"""The gain-control model as an estimator: fitted on control and adapted tuning, tested on sessions that were left out."""

from __future__ import annotations

import json
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.analysis.gain_control.fitting import (
    Grid,
    Population,
    Prices,
    TuningParameters,
    explained,
    fit_prices,
    fit_tuning,
    population_of,
    predicted_change,
    tuning_in,
)
from neurodecode.analysis.gain_control.gains import as_probability
from neurodecode.analysis.gain_control.inputs import as_tuning, tuning_of
from neurodecode.analysis.gain_control.rivals import RIVALS
from neurodecode.analysis.gain_control.signatures import check_stimuli, preferred_stimulus
from neurodecode.data import Responses
from neurodecode.data.atomic import atomic_folder
from neurodecode.data.hashing import jsonable
from neurodecode.data.parameters import Parameters
from neurodecode.errors import CorruptFileError, DataError, FormatError

_Floats = NDArray[np.float64]
_CONFIG, _KIND = "config.json", "neurodecode GainControlModel"
OURS = "gain control"


@dataclass(eq=False)
class GainControlModel(Parameters):
    r"""Recurrent population whose gains minimise error, activity and change of gains over the ensemble of stimuli.

    Six parameters are fitted: width and baseline of the feedforward tuning, width and strength of the recurrent weights (from the
    control tuning alone), and the prices of activity :math:`\alpha` and of gains :math:`\gamma` (from the change of tuning). The
    model follows Duong et al. (2023); its default values and the way of fitting are ours, as their full text does not give them.

    Parameters
    ----------
    period : float
        Length of the circle of stimuli: 180 for orientations in degrees.
    n_bootstrap : int
        Resamples of sessions behind the intervals of the parameters.
    random_state : int
        Seed of the resamples.

    Attributes
    ----------
    parameters_ : dict of str to float
        ``tuning_width, baseline, recurrent_width, recurrent_strength, alpha, gamma``.
    stimuli_, preferred_ : array
        Stimuli (n_stimuli,) and preferences of units (n_units,).
    gains_control_ : array of shape (n_units,)
        Optimal gains in a uniform ensemble.
    gains_adapted_ : array of shape (n_units,)
        Optimal gains in the mean ensemble adapted to.
    gain_ratio_ : array of shape (n_units,)
        Adapted over control: what adaptation did.
    scores_ : DataFrame
        Of the model and its rivals: ``model, r2`` (share of the change of tuning that is explained, of the sessions fitted on),
        ``r2_held_out`` (mean over sessions, each predicted from the others; NaN for a single session) and ``n_parameters``.
    held_out_ : DataFrame
        ``session, model, r2`` of each session that was left out.
    bootstrap_ : DataFrame
        Parameters of each resample of sessions; empty for a single session.

    Raises
    ------
    DataError
        If a parameter is out of range.

    References
    ----------
    Duong, Simoncelli, Chklovskii & Lipshutz: Adaptive whitening with fast gain modulation and slow synaptic plasticity, and the
    normative model of adaptation in arXiv:2305.19869 (2023).
    """

    _: KW_ONLY
    period: float = 180.0
    n_bootstrap: int = 0
    random_state: int = 0

    def __post_init__(self) -> None:
        if not (self.period > 0 and self.n_bootstrap >= 0 and self.random_state >= 0):
            raise DataError(
                f"expected period > 0, n_bootstrap >= 0 and random_state >= 0, got {self.period!r}, {self.n_bootstrap!r} and "
                f"{self.random_state!r}"
            )

    def fit(
        self,
        tuning_control: Any,
        tuning_adapted: Any,
        stimulus_probability: ArrayLike,
        *,
        stimuli: ArrayLike | None = None,
        preferred: ArrayLike | None = None,
    ) -> GainControlModel:
        """Fit on tuning before and after adaptation.

        Parameters
        ----------
        tuning_control, tuning_adapted : array of shape ([n_sessions,] n_stimuli, n_units), or Responses
            Mean response of each unit to each stimulus. Responses have samples with ``orientation`` and perhaps ``session``, and
            units with ``preferred``.
        stimulus_probability : array of shape ([n_sessions,] n_stimuli)
            Probability of each stimulus in the ensemble adapted to; control is taken as uniform.
        stimuli : array of shape (n_stimuli,), optional
            Stimuli on the circle, each once; by default evenly spaced from 0, or those of Responses.
        preferred : array of shape (n_units,), optional
            Preferred stimulus of each unit; by default that of its control tuning.

        Returns
        -------
        GainControlModel
            This object.

        Raises
        ------
        DataError
            If shapes differ, a value is not finite, a stimulus stands twice, or tuning did not change.
        """
        control, adapted, told = _both(tuning_control, tuning_adapted)
        probability = _ensembles(stimulus_probability, control)
        self.stimuli_ = check_stimuli(self._stimuli(stimuli, told, control), self.period)
        mean = control.mean(axis=0)
        given = told[1] if preferred is None and told is not None else preferred
        self.preferred_ = preferred_stimulus(mean, self.stimuli_, self.period) if given is None else np.asarray(given, float)
        if self.preferred_.shape != (control.shape[2],):
            raise DataError(f"preferred must have shape ({control.shape[2]},), one per unit, got {self.preferred_.shape}")
        tuning, prices = self._parameters(control, adapted, probability)
        self.parameters_ = {**tuning._asdict(), **prices._asdict()}
        uniform = np.full(len(self.stimuli_), 1 / len(self.stimuli_))
        population = population_of(tuning, self._grid())
        self.gains_control_ = tuning_in(uniform, population, prices)[1]
        self.gains_adapted_ = tuning_in(probability.mean(axis=0), population, prices)[1]
        self.gain_ratio_ = self.gains_adapted_ / self.gains_control_
        self.scale_ = float(np.sum(mean * self._curve(uniform)) / np.sum(self._curve(uniform) ** 2))
        self.held_out_ = self._leave_one_out(control, adapted, probability)
        self.scores_ = self._scores(control, adapted, probability)
        self.bootstrap_ = self._resample(control, adapted, probability)
        return self

    def predict(self, stimulus_probability: ArrayLike) -> _Floats:
        """Tuning of the population once it is adapted to an ensemble.

        Parameters
        ----------
        stimulus_probability : array of shape (n_stimuli,)
            Probability of each of the stimuli fitted on.

        Returns
        -------
        array of shape (n_stimuli, n_units)
            On the scale of the control tuning.

        Raises
        ------
        DataError
            If the model is not fitted, or the probability has another length.
        """
        self._check_fitted()
        p = as_probability(stimulus_probability)
        if len(p) != len(self.stimuli_):
            raise DataError(f"stimulus_probability has {len(p)} values, the model was fitted on {len(self.stimuli_)} stimuli")
        return self.scale_ * self._curve(p)

    def score(self, tuning_control: Any, tuning_adapted: Any, stimulus_probability: ArrayLike) -> float:
        """Share of the change of tuning that the model explains in other sessions; 0 for predicting no change, 1 at best.

        Parameters
        ----------
        tuning_control, tuning_adapted : array of shape ([n_sessions,] n_stimuli, n_units), or Responses
            Tuning of the units and stimuli fitted on.
        stimulus_probability : array of shape ([n_sessions,] n_stimuli)
            Ensemble adapted to.

        Returns
        -------
        float
            R².

        Raises
        ------
        DataError
            If the model is not fitted, or shapes differ.
        """
        self._check_fitted()
        control, adapted, _ = _both(tuning_control, tuning_adapted)
        if control.shape[1:] != (len(self.stimuli_), len(self.preferred_)):
            raise DataError(
                f"tuning has shape {control.shape[1:]}, the model was fitted on {len(self.stimuli_), len(self.preferred_)}"
            )
        probability = _ensembles(stimulus_probability, control)
        predicted = predicted_change(control, probability, self._population(), self._prices(), self._grid())
        return explained(adapted - control, predicted)

    def save(self, folder: str | Path) -> Path:
        """Write the model as JSON.

        Parameters
        ----------
        folder : str or Path
            Appears whole or not at all; an older model of that name is replaced.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        DataError
            If the model is not fitted.
        """
        self._check_fitted()
        fitted = {name: value for name, value in vars(self).items() if name.endswith("_")}
        tables = {name: value.to_dict("records") for name, value in fitted.items() if isinstance(value, pd.DataFrame)}
        content = {"kind": _KIND, "version": 1, "parameters": self.get_params(), "fitted": {**fitted, **tables}}
        with atomic_folder(folder, marker=_CONFIG) as partial:
            text = json.dumps(jsonable(content), indent=1) + "\n"
            (partial / _CONFIG).write_text(text, encoding="utf-8", newline="\n")
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> GainControlModel:
        """Read a model that `save` wrote.

        Parameters
        ----------
        folder : str or Path
            Its folder.

        Returns
        -------
        GainControlModel
            Fitted.

        Raises
        ------
        FormatError
            If the folder holds something else.
        CorruptFileError
            If its file is damaged.
        """
        path = Path(folder) / _CONFIG
        if not path.is_file():
            raise FormatError(path, "there is no such file", "Give the folder that GainControlModel.save wrote")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["kind"] != _KIND:
                raise FormatError(path, f"it is a {content['kind']}, expected a {_KIND}", "Give the folder of such a model")
            model = cls(**content["parameters"])
            for name, value in content["fitted"].items():
                setattr(model, name, _restored(name, value))
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptFileError(path, f"it is no readable model ({error})", "Save the model again") from error
        return model

    def _parameters(self, control: _Floats, adapted: _Floats, p: _Floats) -> tuple[TuningParameters, Prices]:
        tuning = fit_tuning(control.mean(axis=0), self._grid())
        return tuning, fit_prices(control, adapted, p, population_of(tuning, self._grid()), self._grid())

    def _leave_one_out(self, control: _Floats, adapted: _Floats, p: _Floats) -> pd.DataFrame:
        """Each session from the others, by the model and its rivals."""
        rows: list[dict[str, Any]] = []
        for session in range(len(control)) if len(control) > 1 else ():
            rest, own = np.delete(np.arange(len(control)), session), [session]
            change = adapted[own] - control[own]
            tuning, prices = self._parameters(control[rest], adapted[rest], p[rest])
            found = predicted_change(control[own], p[own], population_of(tuning, self._grid()), prices, self._grid())
            rows.append({"session": session, "model": OURS, "r2": explained(change, found)})
            for name, fit in RIVALS.items():
                predicted = fit(control[rest], adapted[rest], p[rest])(control[own], p[own]) - control[own]
                rows.append({"session": session, "model": name, "r2": explained(change, predicted)})
        return pd.DataFrame(rows, columns=["session", "model", "r2"])

    def _scores(self, control: _Floats, adapted: _Floats, p: _Floats) -> pd.DataFrame:
        own = predicted_change(control, p, self._population(), self._prices(), self._grid())
        found = {OURS: own, **{name: fit(control, adapted, p)(control, p) - control for name, fit in RIVALS.items()}}
        n, m = control.shape[1:]
        counts = dict(zip(found, (6, 0, 1, m, n + m - 1, 1), strict=True))
        means = self.held_out_.groupby("model")["r2"].mean()
        rows = [
            {
                "model": name,
                "r2": explained(adapted - control, change),
                "r2_held_out": float(means.get(name, np.nan)),
                "n_parameters": counts[name],
            }
            for name, change in found.items()
        ]
        return pd.DataFrame(rows)

    def _resample(self, control: _Floats, adapted: _Floats, p: _Floats) -> pd.DataFrame:
        rng, rows = np.random.default_rng(self.random_state), []
        for _ in range(self.n_bootstrap if len(control) > 1 else 0):
            taken = rng.integers(0, len(control), len(control))
            tuning, prices = self._parameters(control[taken], adapted[taken], p[taken])
            rows.append({**tuning._asdict(), **prices._asdict()})
        return pd.DataFrame(rows, columns=list(self.parameters_))

    def _stimuli(self, stimuli: ArrayLike | None, told: Any, control: _Floats) -> _Floats:
        if stimuli is None and told is None:
            return np.asarray(np.arange(control.shape[1]) * self.period / control.shape[1])
        found = np.asarray(told[0] if stimuli is None else stimuli, float)
        if found.shape != (control.shape[1],):
            raise DataError(f"stimuli must have shape ({control.shape[1]},), one per row of the tuning, got {found.shape}")
        return found

    def _grid(self) -> Grid:
        return Grid(self.stimuli_, self.preferred_, self.period)

    def _population(self) -> Population:
        return population_of(TuningParameters(*list(self.parameters_.values())[:4]), self._grid())

    def _prices(self) -> Prices:
        return Prices(self.parameters_["alpha"], self.parameters_["gamma"])

    def _curve(self, p: _Floats) -> _Floats:
        return tuning_in(p, self._population(), self._prices())[0]

    def _check_fitted(self) -> None:
        if not hasattr(self, "parameters_"):
            raise DataError(f"this {type(self).__name__} is not fitted: call fit, or load a saved one")


def _both(control: Any, adapted: Any) -> tuple[_Floats, _Floats, tuple[_Floats, _Floats | None] | None]:
    """Tuning before and after, (n_sessions, n_stimuli, n_units), and what Responses tell of stimuli and units."""
    told = None
    if isinstance(control, Responses):
        first, second = tuning_of(control), tuning_of(adapted)
        if not np.array_equal(first.stimuli, second.stimuli):
            raise DataError(f"control and adapted responses are to other stimuli: {first.stimuli} and {second.stimuli}")
        told, control, adapted = (first.stimuli, first.preferred), first.tuning, second.tuning
    before, after = as_tuning("tuning_control", control), as_tuning("tuning_adapted", adapted)
    if before.shape != after.shape:
        raise DataError(f"control and adapted tuning must have one shape, got {before.shape} and {after.shape}")
    if np.array_equal(before, after):
        raise DataError(f"adapted tuning equals control tuning in all {before.size} values: there is no change to explain")
    return before, after, told


def _ensembles(probability: ArrayLike, control: _Floats) -> _Floats:
    """A probability per session, (n_sessions, n_stimuli)."""
    p = np.atleast_2d(np.asarray(probability, float))
    if p.shape[0] not in (1, len(control)) or p.shape[1] != control.shape[1]:
        raise DataError(f"stimulus_probability must be ([{len(control)},] {control.shape[1]}), got {np.shape(probability)}")
    return np.stack([as_probability(row) for row in np.broadcast_to(p, (len(control), p.shape[1]))])


def _restored(name: str, value: Any) -> Any:
    if name in ("scores_", "held_out_", "bootstrap_"):
        return pd.DataFrame(value).replace({None: np.nan}) if name == "scores_" else pd.DataFrame(value)
    return np.asarray(value, float) if isinstance(value, list) else value

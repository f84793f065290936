"""What the simulated visual cortex saw comes out again: the digit, its picture, and the receptive fields."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from neurodecode.data import Responses
from neurodecode.data.responses import concatenate
from neurodecode.decode import LinearDecoder
from neurodecode.io import read_bids_all, read_confounds
from neurodecode.pipeline import load_config, run_pipeline
from neurodecode.preprocess import fmri
from neurodecode.simulate import Truth, write_visual_cortex

CHANCE = 0.1


class Simulated(NamedTuple):
    """A simulated subject."""

    truth: Truth
    """What was put in."""
    betas: Responses
    """Single trials of all vertices of both hemispheres."""

    @property
    def seeing(self) -> np.ndarray:
        """Columns of the vertices that see, in the order of the truth."""
        vertices = self.truth["vertices"]
        position = {name: i for i, name in enumerate(self.betas.units["name"])}
        return np.array([position[f"{h}_{v}"] for h, v in zip(vertices["hemisphere"], vertices["vertex"], strict=True)])


def simulated(folder: Path, **experiment: object) -> Simulated:
    """Write a data set and estimate its betas as the generic pipeline does."""
    truth, made = write_visual_cortex(folder, **experiment), []  # type: ignore[arg-type]
    for run in read_bids_all(folder, derivatives="fmriprep", space="fsaverage5"):
        run, table = fmri.drop_non_steady_state(run, read_confounds(run, folder))
        made.append(fmri.betas(fmri.clean(run, high_pass=None), confounds=fmri.select_confounds(table)))
    return Simulated(truth, concatenate(made))


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """Half of the default data set."""
    return simulated(tmp_path_factory.mktemp("half") / "data", n_runs=4, n_per_run=40)


def pixel_correlations(data: Simulated, columns: np.ndarray, alpha: float) -> tuple[float, float]:
    """Mean over images of the correlation of pixels, of a ridge on the other runs and of their mean image."""
    images, runs = data.truth["images"].reshape(len(data.betas), -1), data.betas.samples["run"].to_numpy()
    ridge, mean = np.empty_like(images), np.empty_like(images)
    for run in np.unique(runs):
        train, test = runs != run, runs == run
        scaler = StandardScaler().fit(data.betas.matrix()[train][:, columns])
        x_train, x_test = (scaler.transform(data.betas.matrix()[rows][:, columns]) for rows in (train, test))
        ridge[test] = Ridge(alpha=alpha).fit(x_train, images[train]).predict(x_test)
        mean[test] = images[train].mean(axis=0)
    by_ridge, by_mean = ([np.corrcoef(a, b)[0, 1] for a, b in zip(made, images, strict=True)] for made in (ridge, mean))
    return float(np.mean(by_ridge)), float(np.mean(by_mean))


@pytest.mark.parametrize("estimator", ["logistic", "lda"])
def test_the_digit_is_decoded_from_all_vertices(half: Simulated, estimator: str) -> None:
    decoder = LinearDecoder(estimator=estimator, n_features=500, random_state=0)  # type: ignore[arg-type]
    result = decoder.cross_validate(half.betas, target="trial_type", groups="run", n_permutations=0)
    assert result.chance == pytest.approx(CHANCE)
    assert 3 * CHANCE < result.score < 0.9


def test_vertices_that_do_not_see_tell_nothing(half: Simulated) -> None:
    blind = np.setdiff1d(np.arange(half.betas.n_units), half.seeing)[::20]
    result = LinearDecoder(random_state=0).cross_validate(
        half.betas.select(units=blind), target="trial_type", groups="run", n_permutations=0
    )
    assert result.score < 0.2


def test_the_picture_is_reconstructed_better_than_by_the_mean_image(half: Simulated) -> None:
    ridge, mean = pixel_correlations(half, half.seeing, 1000.0)
    assert ridge > mean + 0.05


def test_betas_follow_the_planted_amplitudes(half: Simulated) -> None:
    planted, found = half.truth["amplitudes"], half.betas.matrix()[:, half.seeing]
    responsive = planted.std(axis=0) > 0.2
    correlation = [np.corrcoef(a, b)[0, 1] for a, b in zip(planted.T[responsive], found.T[responsive], strict=True)]
    assert np.mean(correlation) > 0.4


def test_receptive_fields_are_found_where_they_were_planted(half: Simulated) -> None:
    """Correlation of each pixel with the response is a blurred picture of the field: its centre is close to the true one."""
    images = half.truth["images"].reshape(len(half.betas), -1)
    lit = images.std(axis=0) > 0.15
    x, y = (axis.ravel()[lit] for axis in np.meshgrid(np.arange(8) - 3.5, 3.5 - np.arange(8)))
    vertices = half.truth["vertices"]
    inside = ((vertices["field_x"].abs() < 2) & (vertices["field_y"].abs() < 3)).to_numpy()
    pixels = (images - images.mean(axis=0))[:, lit] / images.std(axis=0)[lit]
    found = half.betas.matrix()[:, half.seeing[inside]]
    weights = np.maximum(((found - found.mean(axis=0)).T @ pixels), 0) ** 3
    weights /= weights.sum(axis=1, keepdims=True)
    for axis, name in ((x, "field_x"), (y, "field_y")):
        assert np.corrcoef(weights @ axis, vertices[name][inside])[0, 1] > 0.6, name


@pytest.mark.slow
def test_the_whole_data_set(tmp_path: Path) -> None:
    data = simulated(tmp_path / "data")
    for estimator in ("logistic", "lda"):
        decoder = LinearDecoder(estimator=estimator, n_features=500, random_state=0)  # type: ignore[arg-type]
        score = decoder.cross_validate(data.betas, target="trial_type", groups="run", n_permutations=0).score
        assert 0.5 < score < 0.8, estimator
    ridge, mean = pixel_correlations(data, data.seeing, 1000.0)
    assert ridge > mean + 0.1


@pytest.mark.slow
def test_the_generic_pipeline_runs_on_it_unchanged(tmp_path: Path) -> None:
    write_visual_cortex(tmp_path / "data")
    config = load_config("fmri_decoding", ["decode.n_features=500", "decode.n_permutations=19"])
    results = run_pipeline(config, tmp_path / "data", tmp_path / "out").results
    assert results["score"] > 5 * CHANCE
    assert results["p_value"] == pytest.approx(0.05)

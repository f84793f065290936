"""Decoding over time: shapes, chunks, options and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from decoding_data import make_responses

from neurodecode.decode import LinearDecoder, generalise_over_time, parallel, time, time_resolved
from neurodecode.decode.time import smooth
from neurodecode.errors import DataError


def test_members_of_the_result() -> None:
    responses = make_responses(n_times=6)
    result = time_resolved(responses, n_permutations=9)
    assert result.scores.shape == (4, 6)
    np.testing.assert_allclose(result.mean, result.scores.mean(axis=0))
    np.testing.assert_array_equal(result.times, responses.times)
    assert (result.metric, result.chance, result.target) == ("roc_auc", 0.5, "trial_type")
    assert len(result.fold_names) == 4
    assert result.p_values is not None
    table = result.to_dataframe()
    assert table["p_value"].tolist() == result.p_values.tolist()
    assert time_resolved(responses, n_permutations=0).to_dataframe()["p_value"].isna().all()


@pytest.mark.parametrize(
    "decoder", [LinearDecoder(estimator="lda"), LinearDecoder(estimator="lda", n_features=3), LinearDecoder(n_features=3)]
)
@pytest.mark.parametrize("k", [2, 3])
def test_each_time_equals_its_own_cross_validation(decoder: LinearDecoder, k: int) -> None:
    responses = make_responses(60, k=k, n_times=3)
    result = time_resolved(responses, decoder=decoder, n_permutations=0)
    for i in range(3):
        alone = responses.replace(data=responses.data[:, :, i], times=None)
        np.testing.assert_allclose(result.scores[:, i], decoder.cross_validate(alone, n_permutations=0).fold_scores, atol=1e-9)


def test_regression_over_time() -> None:
    result = time_resolved(make_responses(120, n_times=2), "strength", decoder=LinearDecoder("regression"), n_permutations=4)
    assert result.metric == "r"
    assert result.mean[0] > 0.4


def test_numbers_do_not_depend_on_chunks_or_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    responses = make_responses(n_times=5)
    whole = time_resolved(responses, n_permutations=5), generalise_over_time(responses)
    monkeypatch.setattr(parallel, "_spawned", lambda function, shares, rest: [function(*rest, indices=s) for s in shares])
    monkeypatch.setattr(time, "_PREPARED_VALUES", 1)
    monkeypatch.setattr(time, "_OUTPUT_VALUES", 1)
    parts = time_resolved(responses, n_permutations=5, jobs=2), generalise_over_time(responses)
    np.testing.assert_array_equal(whole[0].scores, parts[0].scores)
    np.testing.assert_array_equal(whole[0].p_values, parts[0].p_values)  # type: ignore[arg-type]
    np.testing.assert_array_equal(whole[1].scores, parts[1].scores)


def test_generalisation_shape_and_diagonal() -> None:
    responses = make_responses(60, k=3, n_times=4)
    result = generalise_over_time(responses)
    assert result.scores.shape == (4, 4, 4)
    assert result.mean.shape == (4, 4)
    assert result.metric == "balanced_accuracy"
    np.testing.assert_allclose(np.einsum("fii->fi", result.scores), time_resolved(responses, n_permutations=0).scores)


def test_smoothing_is_a_moving_mean(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 2, 9))
    found = smooth(x, 5)
    for i in range(9):
        np.testing.assert_allclose(found[..., i], x[..., max(0, i - 2) : i + 3].mean(axis=-1))
    np.testing.assert_allclose(smooth(x, 1), x)


def test_window_is_the_nearest_odd_number_of_samples(rng: np.random.Generator) -> None:
    responses = make_responses(n_times=7)
    short = time_resolved(responses, window=0.015, n_permutations=0)
    np.testing.assert_array_equal(short.scores, time_resolved(responses, n_permutations=0).scores)
    three = time_resolved(responses.replace(data=smooth(responses.data, 3)), n_permutations=0)
    np.testing.assert_allclose(time_resolved(responses, window=0.03, n_permutations=0).scores, three.scores)


@pytest.mark.parametrize("function", [time_resolved, generalise_over_time])
def test_refusals(function: object) -> None:
    with pytest.raises(DataError, match="no time axis"):
        function(make_responses())  # type: ignore[operator]
    with pytest.raises(DataError, match="window"):
        function(make_responses(n_times=4), window=-1.0)  # type: ignore[operator]
    with pytest.raises(DataError, match="trial_type"):
        function(make_responses(n_times=4), "trialtype")  # type: ignore[operator]
    with pytest.raises(DataError, match="-3"):
        time_resolved(make_responses(n_times=4), n_permutations=-3)

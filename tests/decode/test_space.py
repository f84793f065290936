"""Searchlight and regions: geometry, equality with single cross-validations, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from decoding_data import make_responses

from neurodecode.data import Responses
from neurodecode.decode import LinearDecoder, parallel, roi, searchlight
from neurodecode.decode.space import neighbours, positions_mm
from neurodecode.errors import DataError


@pytest.fixture
def line() -> Responses:
    """Ten units 2 mm apart on a line; the first three hold the signal."""
    responses = make_responses(p=10)
    units = responses.units.assign(x=2.0 * np.arange(10), y=0.0, z=0.0, region=["a"] * 3 + ["b"] * 6 + [None])
    return responses.replace(units=units, meta={"space": {"name": "native", "type": "volume"}})


def test_each_sphere_equals_its_own_cross_validation(line: Responses) -> None:
    result = searchlight(line, radius_mm=2.0)
    for i, members in enumerate([[0, 1], [0, 1, 2], [1, 2, 3]]):
        alone = LinearDecoder(estimator="lda").cross_validate(line.select(units=members), n_permutations=0)
        assert result.scores[i] == pytest.approx(alone.score)
    assert result.radius_mm == 2.0
    assert result.space == {"name": "native", "type": "volume"}
    assert result.p_values is None
    assert "2 to 3 units" in result.notes[-1]
    assert result.units.equals(line.units)


def test_bad_units_are_no_centres_and_no_members(line: Responses) -> None:
    bad = line.replace(units=line.units.assign(bad=np.arange(10) == 1))
    result = searchlight(bad, radius_mm=2.0, n_permutations=3)
    assert np.flatnonzero(np.isnan(result.scores)).tolist() == [1]
    assert result.p_values is not None
    assert np.flatnonzero(np.isnan(result.p_values)).tolist() == [1]
    alone = LinearDecoder(estimator="lda").cross_validate(line.select(units=[0]), n_permutations=0)
    assert result.scores[0] == pytest.approx(alone.score)


def test_numbers_do_not_depend_on_the_division(monkeypatch: pytest.MonkeyPatch, line: Responses) -> None:
    monkeypatch.setattr(parallel, "_spawned", lambda function, shares, rest: [function(*rest, indices=s) for s in shares])
    one, two = (searchlight(line, radius_mm=4.0, n_permutations=3, jobs=jobs) for jobs in (1, 2))
    assert one.scores.tobytes() == two.scores.tobytes()
    assert one.p_values.tobytes() == two.p_values.tobytes()  # type: ignore[union-attr]


def test_time_axis_joins_the_features_of_a_sphere() -> None:
    responses = make_responses(n_times=3)
    units = responses.units.assign(x=2.0 * np.arange(10), y=0.0, z=0.0)
    result = searchlight(responses.replace(units=units), radius_mm=1.0)
    alone = LinearDecoder(estimator="lda").cross_validate(responses.select(units=[2]), n_permutations=0)
    assert result.scores[2] == pytest.approx(alone.score)


def test_neighbours_include_the_border() -> None:
    found = neighbours(np.array([[0.0, 0, 0], [3.1, 0, 0], [0, 3.1, 0], [3.1, 3.1, 0]]), 3.1)
    assert [f.tolist() for f in found] == [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]
    with pytest.raises(DataError, match="radius_mm"):
        neighbours(np.zeros((2, 3)), 0.0)


def test_positions_from_voxel_indices_and_affine() -> None:
    affine = np.array([[0, 2.0, 0, 5], [3.0, 0, 0, -1], [0, 0, 4.0, 0], [0, 0, 0, 1]])
    responses = make_responses(p=2)
    units = responses.units.assign(i=[0, 1], j=[0, 2], k=[0, 1])
    space = {"type": "volume", "affine": affine.tolist()}
    found = positions_mm(responses.replace(units=units, meta={"space": space}))
    np.testing.assert_allclose(found, [[5, -1, 0], [9, 2, 4]])


def test_positions_must_be_there_and_in_mm(line: Responses) -> None:
    with pytest.raises(DataError, match=r"columns x, y, z.*name"):
        searchlight(make_responses())
    with pytest.raises(DataError, match="'sensors'"):
        searchlight(line.replace(meta={"space": {"type": "sensors"}}))


def test_regions_equal_single_cross_validations(line: Responses) -> None:
    result = roi(line, n_permutations=9)
    assert result.table["roi"].tolist() == ["a", "b"]
    assert result.table["n_units"].tolist() == [3, 6]
    alone = LinearDecoder().cross_validate(line.select(units=slice(0, 3)), n_permutations=9)
    assert result.table["score"][0] == pytest.approx(alone.score)
    assert result.table["p"][0] == alone.p_value
    assert (result.metric, result.chance, result.target) == ("roc_auc", 0.5, "trial_type")


def test_regions_without_permutations_have_no_p(line: Responses) -> None:
    table = roi(line, n_permutations=0).table
    assert table[["p", "p_corrected"]].isna().all().all()


def test_regions_must_be_named(line: Responses) -> None:
    with pytest.raises(DataError, match="did you mean 'region'"):
        roi(line, regions="regions")
    with pytest.raises(DataError, match="no unit has a value"):
        roi(line.replace(units=line.units.assign(region="n/a")))


def test_numeric_regions(line: Responses) -> None:
    table = roi(line.replace(units=line.units.assign(parcel=np.arange(10) // 5)), regions="parcel", n_permutations=0).table
    assert isinstance(table, pd.DataFrame)
    assert table["roi"].tolist() == ["0", "1"]

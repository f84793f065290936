"""Maps land on the right voxels and vertices."""

from __future__ import annotations

from pathlib import Path

import encoding_data as examples
import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from neurodecode.errors import DataError


def test_each_score_stands_in_its_voxel(tmp_path: Path) -> None:
    result = examples.result()
    path = tmp_path / "score.nii.gz"
    result.to_nifti().to_filename(path)
    image = nib.load(path)
    assert image.shape == (4, 3, 2)
    np.testing.assert_allclose(image.affine, examples.cube()[1]["affine"])
    values = image.get_fdata()
    for row, score in zip(result.units.itertuples(), result.score, strict=True):
        assert values[row.i, row.j, row.k] == pytest.approx(score, rel=1e-6)
    assert np.count_nonzero(values) == len(result.units)


def test_other_maps_and_fill() -> None:
    result = examples.result()
    values = result.to_nifti("normalised", fill=-1.0).get_fdata()
    assert np.isnan(values).sum() == 1, "a target under the floor of the ceiling is not defined"
    assert np.isnan(values[0, 0, 0])
    assert (values == -1).sum() == 12
    np.testing.assert_allclose(
        result.to_nifti("gain").get_fdata()[tuple(result.units[["i", "j", "k"]].to_numpy().T)], result.scores["gain"], rtol=1e-6
    )


def test_times_become_volumes() -> None:
    result = examples.result(n_times=3)
    image = result.to_nifti()
    assert image.shape == (4, 3, 2, 3)
    last = result.units.iloc[-1]
    np.testing.assert_allclose(image.get_fdata()[last["i"], last["j"], last["k"]], result.score[-1], rtol=1e-6)


@pytest.mark.parametrize("n_times", [0, 2])
def test_each_score_stands_on_its_vertex(n_times: int) -> None:
    units, space = examples.surface()
    result = examples.result(units, n_times, space=space)
    images = result.to_gifti(fill=-9.0)
    assert sorted(images) == ["L", "R"]
    assert [len(images[side].darrays) for side in "LR"] == [max(n_times, 1)] * 2
    scores = result.score.reshape(4, -1)
    left, right = (images[side].darrays[-1].data for side in "LR")
    np.testing.assert_allclose(left, [scores[0, -1], -9, -9, -9, scores[1, -1]], rtol=1e-6)
    np.testing.assert_allclose(right, [-9, scores[2, -1], scores[3, -1], -9, -9, -9], rtol=1e-6)


def test_units_without_a_place_say_what_to_use() -> None:
    sensors = pd.DataFrame({"name": ["Fz", "Cz"]})
    with pytest.raises(DataError, match=r"no voxels.*\['i', 'j', 'k'\].*to_dataframe"):
        examples.result(sensors).to_nifti()
    with pytest.raises(DataError, match="no vertices"):
        examples.result().to_gifti()
    with pytest.raises(DataError, match="space is missing"):
        examples.result(space=None).to_nifti()
    with pytest.raises(DataError, match="unknown"):
        examples.result().to_nifti("beauty")

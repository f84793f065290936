"""Worms: names with sides, neurons that were not found, stimuli in the order of each worm, damaged and foreign files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from datasets.worm_miniatures import FPS, N_TIMES, trace, write_celegans_neural, write_yemini2021

from neurodecode.datasets import celegans_neural, yemini2021
from neurodecode.errors import CorruptFileError, DataError, FormatError


class TestYemini2021:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return write_yemini2021(tmp_path / "worms")

    def test_neurons_have_sides_and_their_own_traces(self, root: Path) -> None:
        recording, _ = yemini2021.load(root, "worm1")
        assert recording.channels["name"].tolist() == ["AVAL", "AVAR", "AWBL", "AWBR", "AVL"]
        assert recording.sfreq == FPS
        for row, (name, side) in enumerate([("AVA", "L"), ("AVA", "R"), ("AWB", "L"), ("AWB", "R"), ("AVL", "-")]):
            np.testing.assert_allclose(recording.data[row], trace(name, side, 0), rtol=1e-6)

    def test_a_neuron_that_was_not_found_is_no_channel(self, root: Path) -> None:
        recording, _ = yemini2021.load(root, "worm2")
        assert recording.channels["name"].tolist() == ["AVAL", "AVAR", "AWBL", "AVL"]
        np.testing.assert_allclose(recording.data[2], trace("AWB", "L", 1), rtol=1e-6)
        assert recording.data.shape == (4, N_TIMES)

    def test_stimuli_come_in_the_order_of_the_worm(self, root: Path) -> None:
        first, stimuli = yemini2021.load(root, "worm1")
        second, _ = yemini2021.load(root, "worm2")
        assert first.events["stimulus"].tolist() == ["butanone", "pentanedione", "nacl"]
        assert second.events["stimulus"].tolist() == ["nacl", "butanone", "pentanedione"]
        assert second.events["onset"].tolist() == [60.0, 120.0, 180.0]
        assert second.events["duration"].tolist() == [10.0] * 3
        assert stimuli["butanone"] == "2-butanone"

    def test_times_in_frames_are_noticed(self, tmp_path: Path) -> None:
        recording, _ = yemini2021.load(write_yemini2021(tmp_path / "frames", frames=True), "worm1")
        assert recording.events["onset"].tolist() == [60.0, 120.0, 180.0]

    def test_worms_are_listed_and_a_wrong_name_is_answered(self, root: Path) -> None:
        assert yemini2021.subjects(root) == ["worm1", "worm2"]
        with pytest.raises(DataError, match="did you mean 'worm2'"):
            yemini2021.load(root, "worm22")

    def test_a_foreign_file(self, root: Path) -> None:
        from scipy.io import savemat

        savemat(root / "other.mat", {"x": 1.0})
        with pytest.raises(FormatError, match=r"other\.mat.*no variable 'neurons'"):
            yemini2021.load(root, "worm1", file="other.mat")

    def test_a_cut_file(self, root: Path) -> None:
        path = root / yemini2021.FILE
        path.write_bytes(path.read_bytes()[:-500])
        with pytest.raises(CorruptFileError, match=r"Head_Activity_OH16230\.mat"):
            yemini2021.load(root, "worm1")

    def test_cells_that_do_not_fit(self, root: Path) -> None:
        from scipy.io import loadmat, savemat

        content = {k: v for k, v in loadmat(root / yemini2021.FILE).items() if not k.startswith("__")}
        savemat(root / yemini2021.FILE, {**content, "is_L": content["is_L"][:1]})
        with pytest.raises(CorruptFileError, match="do not fit each other"):
            yemini2021.load(root, "worm1")


class TestCollection:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return write_celegans_neural(tmp_path / "collection")

    def test_a_worm_is_found_within_its_source(self, root: Path) -> None:
        recording, _ = celegans_neural.load(root, "worm0", source="Uzel2022")
        assert recording.channels["name"].tolist() == ["AVAL", "AVAR"]
        assert recording.sfreq == pytest.approx(3.0)
        expected = np.random.default_rng([2, 1, 0]).standard_normal(60)
        np.testing.assert_allclose(recording.data[1], expected, rtol=1e-6)
        assert recording.meta["subject"] == "Uzel2022-worm0"

    def test_other_traces_and_neurons_without_a_name(self, root: Path) -> None:
        recording, _ = celegans_neural.load(root, "worm1", source="Kato2015", trace="residual_calcium", labelled=False)
        assert recording.channels["name"].tolist() == ["AVAL", "AVAR", "17"]
        expected = np.random.default_rng([1, 0, 2]).standard_normal(60)
        np.testing.assert_allclose(recording.data[0], expected, rtol=1e-6)

    def test_worms_are_listed(self, root: Path) -> None:
        table = celegans_neural.worms(root)
        assert table.to_numpy().tolist() == [["Kato2015", "worm0", 2], ["Kato2015", "worm1", 2], ["Uzel2022", "worm0", 2]]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"subject": "worm5", "source": "Kato2015"}, "no worm 'worm5' in Kato2015"),
            ({"subject": "worm0", "source": "Kato2016"}, "did you mean 'Kato2015'"),
            ({"subject": "worm0", "source": "Kato2015", "trace": "calcium"}, "trace='calcium' is unknown"),
        ],
    )
    def test_a_wrong_name_is_answered(self, root: Path, options: dict[str, str], message: str) -> None:
        with pytest.raises(DataError, match=message):
            celegans_neural.load(root, **options)

    def test_another_table(self, root: Path) -> None:
        pd.DataFrame({"worm": ["worm0"]}).to_parquet(root / celegans_neural.FILE)
        with pytest.raises(FormatError, match="no column 'source_dataset'"):
            celegans_neural.load(root, "worm0", source="Kato2015")

    def test_a_cut_file(self, root: Path) -> None:
        path = root / celegans_neural.FILE
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(CorruptFileError, match=r"worm_data_short\.parquet"):
            celegans_neural.load(root, "worm0", source="Kato2015")

    def test_only_names_is_an_error_where_nobody_has_one(self, root: Path) -> None:
        table = pd.read_parquet(root / celegans_neural.FILE)
        table.assign(is_labeled_neuron=False).to_parquet(root / celegans_neural.FILE)
        with pytest.raises(DataError, match="labelled=False"):
            celegans_neural.load(root, "worm0", source="Kato2015")

"""Tables of channels and events, and the words of BIDS for them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import describe
from neurodecode.data.hashing import jsonable, sha256_array, sha256_file, sha256_json
from neurodecode.data.tables import as_texts, channel_table, cut_rows, event_table, from_bids, row_mask, to_bids
from neurodecode.data.validate import check_finite, check_index, check_option, require, suggest
from neurodecode.errors import DataError, MissingDependencyError


class TestBids:
    def test_there_and_back(self) -> None:
        ours = channel_table({"name": ["Fz", "EOG1"], "kind": ["eeg", "eog"], "unit": "V", "bad": [False, True]}, 2)
        bids = to_bids(ours)
        assert bids.columns.tolist() == ["name", "type", "units", "status"]
        assert bids["type"].tolist() == ["EEG", "EOG"]
        assert bids["status"].tolist() == ["good", "bad"]
        pd.testing.assert_frame_equal(from_bids(bids), ours, check_dtype=False)

    def test_missing_columns_and_values_are_filled_later(self) -> None:
        read = from_bids(pd.DataFrame({"name": ["Fz", "Cz"], "type": ["EEG", np.nan], "status": ["good", np.nan]}))
        table = channel_table(read, 2)
        assert table["kind"].tolist() == ["eeg", "misc"]
        assert table["bad"].tolist() == [False, False]
        assert table["unit"].tolist() == ["n/a", "n/a"]

    def test_other_columns_pass_through(self) -> None:
        assert "sampling_frequency" in from_bids(pd.DataFrame({"name": ["Fz"], "sampling_frequency": [250]}))


class TestEvents:
    def test_none_is_an_empty_table(self) -> None:
        assert event_table(None).columns.tolist() == ["onset", "duration"]
        assert len(event_table(None)) == 0

    def test_numbers_as_text_become_numbers_and_ties_keep_their_order(self) -> None:
        events = event_table({"onset": ["2", "1.5", "2"], "duration": [None, "1", 3], "value": [1, 2, 3]})
        assert events["onset"].tolist() == [1.5, 2.0, 2.0]
        assert events["duration"].tolist() == [1.0, 0.0, 3.0]
        assert events["value"].tolist() == [2, 1, 3]


class TestRows:
    TABLE = pd.DataFrame({"kind": ["a", "b", None, "a"], "n": [1, 2, 3, 4]}, index=[9, 8, 7, 6])

    def test_mask(self) -> None:
        assert row_mask(self.TABLE, {"kind": "a", "n": [1, 2]}, "t").tolist() == [True, False, False, False]
        assert row_mask(self.TABLE, {"kind": None}, "t").tolist() == [False, False, True, False]
        assert row_mask(self.TABLE, {}, "t").all()

    def test_cut_numbers_rows_from_zero(self) -> None:
        assert cut_rows(self.TABLE, [2, 0])["n"].to_dict() == {0: 3, 1: 1}
        assert self.TABLE.index.tolist() == [9, 8, 7, 6]

    def test_texts_keep_what_is_missing(self) -> None:
        assert as_texts(pd.Series([1, 2])).tolist() == ["1", "2"]
        assert as_texts(pd.Series(["a", None])).isna().tolist() == [False, True]

    @pytest.mark.parametrize("rows", [slice(1, None), [1, 2], [-2, -1], [False, True, True], np.array([1, 2])])
    def test_index_forms(self, rows: object) -> None:
        assert check_index(rows, 3, "rows").tolist() == [1, 2]


class TestChecks:
    @pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 4, 5), (0, 4)])
    def test_finite_names_the_first_row(self, shape: tuple[int, ...]) -> None:
        data = np.zeros(shape)
        check_finite(data, ["x", "y", "z"], "data", "Do this")
        if len(data):
            data[1:] = np.nan
            with pytest.raises(DataError, match=r"data: 'y' holds NaN or infinite values \(2 of 3 rows do\). Do this"):
                check_finite(data, ["x", "y", "z"], "data", "Do this")

    def test_option(self) -> None:
        assert check_option("method", "lss", ("lss", "lsa")) == "lss"
        with pytest.raises(DataError, match="method='lsb' is unknown: did you mean"):
            check_option("method", "lsb", ("lss", "lsa"))

    def test_suggestion(self) -> None:
        assert suggest("trial_typ", ["trial_type", "onset"]) == "did you mean 'trial_type'?"
        assert suggest("xyz", ["b", "a"]) == "choose from ['a', 'b']"

    def test_a_missing_package_is_named_with_its_extra(self) -> None:
        assert require("json", "reading", "fmri").__name__ == "json"
        with pytest.raises(MissingDependencyError, match=r"nopackage is needed for maps .* pip install 'neurodecode\[fmri\]'"):
            require("nopackage", "maps", "fmri")


class TestHashes:
    def test_of_an_array_depend_on_numbers_and_shape_alone(self) -> None:
        x = np.arange(6.0).reshape(2, 3)
        assert sha256_array(x) == sha256_array(x.astype(np.float32)) == sha256_array(np.asfortranarray(x))
        assert sha256_array(x) != sha256_array(x.T)
        assert sha256_array(x) != sha256_array(x.ravel())

    def test_of_a_file_follow_its_content(self, tmp_path) -> None:
        path = tmp_path / "a.txt"
        path.write_bytes(b"abc")
        assert sha256_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        path.write_bytes(b"abcd")
        assert sha256_file(path) != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    def test_of_settings_ignore_the_order_of_keys(self) -> None:
        assert sha256_json({"a": 1, "b": [2]}) == sha256_json({"b": [2], "a": 1})

    def test_plain_json_values(self, tmp_path) -> None:
        value = {1: np.float32(0.5), "a": (np.int64(2), np.nan), "b": np.eye(2), "p": tmp_path, "t": np.bool_(True)}
        assert jsonable(value) == {"1": 0.5, "a": [2, None], "b": [[1, 0], [0, 1]], "p": str(tmp_path), "t": True}


class TestDescriptions:
    @pytest.mark.parametrize(
        ("n_bytes", "text"),
        [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_900, "1 MB"), (1.5e6, "1.5 MB"), (2e9, "2 GB"), (3e13, "30 TB")],
    )
    def test_memory(self, n_bytes: float, text: str) -> None:
        assert describe.memory(n_bytes) == text

    def test_counts_show_the_most_frequent(self) -> None:
        assert describe.counts(pd.Series(list("aabbbc"))) == "3 b, 2 a, 1 c"
        assert describe.counts(pd.Series(list("aabbbc")), 1) == "3 b, ..."

    def test_identity(self) -> None:
        assert describe.identity({"run": "2", "subject": "01", "session": None}) == "sub-01_run-2"
        assert describe.identity({}) == ""

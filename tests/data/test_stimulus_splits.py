"""Splits that stimuli carry with them, against small cases by hand and the counts of the data sets."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from neurodecode.data import Responses
from neurodecode.data.splits import check_split
from neurodecode.data.stimulus_splits import (
    check_blocks,
    check_context,
    check_zero_shot,
    hashed_split,
    similar_texts,
    speech_blocks,
    speech_segments_table,
    split_blocks,
    stimulus_draw,
    things_eeg2_split,
    things_meg_split,
    with_split,
)
from neurodecode.errors import DataError, SplitLeakError


class TestHash:
    def test_draws_by_hand(self) -> None:
        assert stimulus_draw("once upon a time") == 0.3718512878936314
        assert stimulus_draw("a") == 0.005975049809558652
        assert stimulus_draw("h") == 0.27446334593946886
        number = int(hashlib.sha256("für".encode()).hexdigest(), 16)
        assert stimulus_draw("für", seed=3) == random.Random(number + 3).random()

    def test_borders(self) -> None:
        draws = {"a": 0.0060, "i": 0.1711, "h": 0.2745, "j": 0.3782, "f": 0.9090}
        assert_allclose([stimulus_draw(name) for name in draws], list(draws.values()), atol=1e-4)
        assert hashed_split(draws).tolist() == ["test", "test", "validation", "train", "train"]
        assert hashed_split(draws, test=0.1, validation=0.3).tolist() == [
            "test",
            "validation",
            "validation",
            "validation",
            "train",
        ]

    def test_shares_of_many(self) -> None:
        names = hashed_split([f"sentence {i}" for i in range(20_000)])
        shares = [float(np.mean(names == name)) for name in ("test", "validation", "train")]
        assert_allclose(shares, [0.2, 0.1, 0.7], atol=0.01)

    @pytest.mark.parametrize("shares", [{"test": -0.1}, {"test": 0.9}, {"validation": np.nan}, {"test": 0.5, "validation": 0.5}])
    def test_refused(self, shares: dict[str, float]) -> None:
        with pytest.raises(DataError, match="leave something to train on"):
            hashed_split(["a"], **shares)


def story(*durations: float, audio: str = "story", gap: float = 0.2, n_words: int = 4) -> pd.DataFrame:
    """Words of sentences that last so many seconds."""
    rows, begin = [], 0.0
    for number, duration in enumerate(durations):
        step = duration / n_words
        for word in range(n_words):
            rows.append((audio, f"w{number}.{word}", begin + word * step, step * 0.999, number))
        begin += duration + gap
    return pd.DataFrame(rows, columns=["stimulus", "word", "onset", "duration", "sentence"])


class TestBlocks:
    def test_merged_by_hand(self) -> None:
        blocks = speech_blocks(story(2.0, 2.0, 2.0, 7.0, 1.0, 3.0, 1.5, 2.0))
        assert blocks["n_sentences"].tolist() == [3, 1, 4]  # 6.4 s, 7 s, and what lasts from 13.8 to 21.9 s
        assert_allclose(blocks["onset"], [0.0, 6.6, 13.8])
        assert_allclose(blocks["offset"], [6.4, 13.6, 21.9], atol=0.01)
        assert blocks["block"].tolist() == ["story#000", "story#001", "story#002"]
        assert blocks["text"][0] == "w0.0 w0.1 w0.2 w0.3 | w1.0 w1.1 w1.2 w1.3 | w2.0 w2.1 w2.2 w2.3"
        assert blocks["uid"][1] == "w3.0 w3.1 w3.2 w3.3"
        assert blocks["n_words"].tolist() == [12, 4, 16]

    def test_the_end_of_an_audio_is_a_block_of_its_own(self) -> None:
        both = pd.concat([story(6.5, 2.0, audio="one"), story(3.0, 4.0, audio="two")])
        blocks = speech_blocks(both)
        assert blocks["block"].tolist() == ["one#000", "one#001", "two#000"]
        assert blocks["n_sentences"].tolist() == [1, 1, 2]

    def test_rows_out_of_order_and_without_a_word(self) -> None:
        words = story(2.0, 5.0, 7.0)
        words.loc[len(words)] = ["story", None, np.nan, np.nan, 0]
        shuffled = words.sample(frac=1.0, random_state=1)
        pd.testing.assert_frame_equal(speech_blocks(shuffled), speech_blocks(words))

    def test_sentences_with_ids_are_not_merged(self) -> None:
        words = story(2.0, 2.0, 2.0).assign(sequence=lambda t: t["sentence"] + 100)
        blocks = speech_blocks(words, uid="sequence")
        assert blocks["uid"].tolist() == ["100", "101", "102"]
        assert blocks["n_sentences"].tolist() == [1, 1, 1]
        shuffled = pd.concat([story(2.0, audio=f"s{k}").assign(sequence=k) for k in (101, 102, 100)])
        again = split_blocks(speech_blocks(shuffled, uid="sequence"))
        assert dict(zip(again["uid"], again["split"], strict=True)) == dict(
            zip(blocks["uid"], hashed_split(blocks["uid"]), strict=True)
        )

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda t: t.drop(columns="sentence"), "no column 'sentence'"),
            (lambda t: t.assign(onset=np.nan), "'w0.0' in row 0 has no finite onset"),
            (lambda t: t.assign(word=None), "no word among the 8 rows"),
        ],
    )
    def test_refused(self, change: object, message: str) -> None:
        with pytest.raises(DataError, match=message):
            speech_blocks(change(story(2.0, 2.0)))

    def test_an_id_that_varies_within_a_sentence_is_refused(self) -> None:
        with pytest.raises(DataError, match="'word' has 4 values within sentence 1"):
            speech_blocks(story(2.0), uid="word")


class TestSimilarity:
    def test_by_hand(self) -> None:
        texts = [
            "the cat sat on the mat",
            "The cat sat on a mat.",
            "a dog ran",
            "on the mat the cat sat",
            "a dog ran off at once",
        ]
        assert similar_texts(texts, 1.0).tolist() == [0, 1, 2, 0, 3]
        assert similar_texts(texts, 0.8).tolist() == [0, 0, 1, 0, 2]  # five of six words in common: 10 / 12
        assert similar_texts(texts, 0.6).tolist() == [0, 0, 1, 0, 1]  # three of three and six: 6 / 9
        assert similar_texts(["a a b", "a b b"], 0.66).tolist() == [0, 0]  # a and b once each: 4 / 6
        assert similar_texts(["a a b", "a b b"], 0.67).tolist() == [0, 1]

    def test_chains_and_nothing(self) -> None:
        chain = ["a b c d", "a b c e", "a b f e", "x y z"]
        assert similar_texts(chain, 0.75).tolist() == [0, 0, 0, 1]
        assert similar_texts([]).tolist() == []
        with pytest.raises(DataError, match="got 1.5"):
            similar_texts(chain, 1.5)

    def test_many_in_parts(self) -> None:
        texts = [f"w{i % 300} x{i % 300} y{i % 300} z" for i in range(1200)]
        assert_array_equal(similar_texts(texts, 0.9), np.arange(1200) % 300)


class TestSplitOfBlocks:
    def blocks(self) -> pd.DataFrame:
        texts = ["a", "h", "j", "one two three four | x", "y | one two three four five", "one two three four"]
        uids = [text.replace(" | ", " ") for text in texts]
        return pd.DataFrame({"block": [f"b{i}" for i in range(6)], "uid": uids, "text": texts})

    def test_by_words_alone(self) -> None:
        found = split_blocks(self.blocks())
        assert found["split"].tolist()[:3] == ["test", "validation", "train"]
        assert found["split"].tolist() == hashed_split(found["uid"]).tolist()

    def test_near_duplicates_stay_together(self) -> None:
        found = split_blocks(self.blocks(), similarity=0.7)
        assert found["group"].tolist()[3:] == ["one two three four"] * 3
        assert found["split"].nunique() == 3
        assert len(set(found["split"][3:])) == 1
        check_blocks(found, similarity=0.7)
        reordered = split_blocks(self.blocks().iloc[::-1], similarity=0.7)
        assert reordered.sort_index()["split"].tolist() == found["split"].tolist()

    def test_short_sentences_join_nothing(self) -> None:
        blocks = pd.DataFrame({"uid": ["yes a b c d", "yes e f g h"], "text": ["yes | a b c d", "yes | e f g h"]})
        assert split_blocks(blocks, similarity=0.7)["group"].tolist() == blocks["uid"].tolist()
        assert split_blocks(blocks, similarity=0.7, min_words=1)["group"].tolist() == ["yes a b c d"] * 2

    def test_leaks_are_refused(self) -> None:
        blocks = self.blocks().assign(split=["test", "train", "train", "train", "test", "train"])
        check_blocks(blocks)
        with pytest.raises(SplitLeakError, match=r"similarity of 0.7 .* 'one two three four \| x' in \['test', 'train'\]"):
            check_blocks(blocks, similarity=0.7)
        with pytest.raises(SplitLeakError, match="the same words"):
            check_blocks(blocks.assign(uid="same"))


class TestSegments:
    def blocks(self, splits: list[str]) -> pd.DataFrame:
        begin = 8.0 * np.arange(len(splits))
        table = {"stimulus": "story", "block": [f"b{i}" for i in range(len(splits))], "onset": begin, "offset": begin + 6.0}
        return pd.DataFrame({**table, "split": splits})

    def test_steps_by_hand(self) -> None:
        found = speech_segments_table(self.blocks(["train"]))
        assert_allclose(found["onset"], [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5])
        assert found["stimulus"].tolist() == [f"b0:{k}" for k in range(7)]

    def test_words_of_the_test(self) -> None:
        words = pd.DataFrame({"stimulus": "story", "word": list("abcdef"), "onset": [0.1, 0.5, 2.0, 3.5, 3.51, 9.0]})
        found = speech_segments_table(self.blocks(["test", "train"]), words)
        test = found[found["split"] == "test"]
        assert test["word"].tolist() == ["b", "c", "d"], "the others reach out of the block"
        assert test["stimulus"].tolist() == ["b0:word1", "b0:word2", "b0:word3"]
        assert (found["split"] == "train").sum() == 7
        without = speech_segments_table(self.blocks(["test"]))
        assert len(without) == 7

    def test_every_segment_lies_in_its_block(self) -> None:
        blocks = speech_blocks(story(*np.random.default_rng(0).uniform(1, 9, 60))).pipe(split_blocks)
        found = speech_segments_table(blocks).merge(blocks, on="block", suffixes=("", "_block"))
        assert ((found["onset"] - 0.5 >= found["onset_block"] - 1e-6) & (found["onset"] + 2.5 <= found["offset"] + 1e-6)).all()
        assert (found["split"] == found["split_block"]).all()
        assert found["stimulus"].is_unique

    @pytest.mark.parametrize(
        ("margin", "expected"),
        [(0.0, [7, 7, 7, 7, 7]), (2.0, [7, 7, 7, 7, 7]), (3.0, [5, 7, 5, 3, 7]), (5.5, [0, 7, 0, 0, 7]), (30.0, [0, 7, 0, 0, 7])],
    )
    def test_margins_are_taken_from_the_weaker_side(self, margin: float, expected: list[int]) -> None:
        blocks = self.blocks(["train", "test", "validation", "train", "test"])
        counts = speech_segments_table(blocks, margin=margin)["block"].value_counts()
        assert [int(counts.get(f"b{i}", 0)) for i in range(5)] == expected

    def test_other_audios_need_no_margin(self) -> None:
        blocks = self.blocks(["train", "test"]).assign(stimulus=["one", "two"])
        assert len(speech_segments_table(blocks, margin=3.0)) == 14

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"tmin": 3.0}, "tmin must be below tmax"),
            ({"margin": -1.0}, "margin must be"),
            ({"stride": 0.0}, "stride must be"),
            ({"words": pd.DataFrame({"word": ["a"], "onset": [0.5], "stimulus": ["other"]})}, "words has none of audio 'story'"),
        ],
    )
    def test_refused(self, options: dict[str, object], message: str) -> None:
        with pytest.raises(DataError, match=message):
            speech_segments_table(self.blocks(["test"]), **options)
        with pytest.raises(DataError, match="got 'dev'"):
            speech_segments_table(self.blocks(["dev"]))

    def test_context_in_another_split_is_refused(self) -> None:
        blocks = self.blocks(["train", "test", "test"])
        frames = pd.DataFrame({"audio": "story", "block": "b1", "context_onset": [8.0, 8.0], "context_offset": [14.0, 22.0]})
        check_context(frames, blocks)
        with pytest.raises(SplitLeakError, match=r"block 'b1' \(test\) depend on the audio 5.9 to 22 s, which holds block"):
            check_context(frames.assign(context_onset=[8.0, 5.9]), blocks)
        with pytest.raises(DataError, match="'b9' that is none of the 3 blocks"):
            check_context(frames.assign(block="b9"), blocks)


def things_meg(n_subjects: int = 4) -> pd.DataFrame:
    """The trials of the published data set: 1,854 concepts of 12 images, 200 test images twelve times, catch trials."""
    concepts = [f"concept{i:04d}" for i in range(1854)]
    once = pd.DataFrame(
        {
            "stimulus": [f"{c}/{k:02d}.jpg" for c in concepts for k in range(12)],
            "concept": np.repeat(concepts, 12),
            "trial_type": "exp",
        }
    )
    tested = concepts[:: len(concepts) // 200][:200]
    test = pd.DataFrame({"stimulus": [f"{c}/test.jpg" for c in tested], "concept": tested, "trial_type": "test"})
    catch = pd.DataFrame({"stimulus": ["catch"] * 600, "concept": None, "trial_type": "catch"})
    one = pd.concat([once, *[test] * 12, catch])
    return pd.concat([one.assign(subject=f"P{s + 1}") for s in range(n_subjects)], ignore_index=True)


class TestThingsMEG:
    def test_counts_of_the_zero_shot_split(self) -> None:
        trials = things_meg()
        small = things_meg_split(trials, validation=0.0)
        assert (small == "train").sum() == 79_392
        assert trials["stimulus"][small == "train"].nunique() == 19_848
        assert (small == "test").sum() == 4 * 200 * 12
        assert trials["stimulus"][small == "test"].nunique() == 200
        assert (small == "excluded").sum() == 4 * (2_400 + 600)
        large = things_meg_split(trials, validation=0.0, test_set="large")
        assert trials["stimulus"][large == "test"].nunique() == 2_400
        assert (large == "test").sum() == 4 * 2_400
        assert_array_equal(large == "train", small == "train")
        for names in (small, large):
            check_zero_shot(trials["concept"], names)

    def test_counts_of_the_original_split(self) -> None:
        trials = things_meg(1)
        names = things_meg_split(trials, protocol="original", validation=0.0)
        assert (names == "train").sum() == 22_248
        assert (names == "test").sum() == 2_400
        with pytest.raises(SplitLeakError, match="200 of 200 test concepts were trained on"):
            check_zero_shot(trials["concept"], names)
        with pytest.raises(DataError, match="take 'zero_shot'"):
            things_meg_split(trials, protocol="original", test_set="large")

    def test_validation_is_drawn_by_image(self) -> None:
        trials = things_meg(2)
        names = things_meg_split(trials)
        held = set(trials["stimulus"][names == "validation"])
        assert held.isdisjoint(trials["stimulus"][names == "train"])
        assert len(held) == pytest.approx(0.2 * 19_848, rel=0.05)
        alone = things_meg_split(trials[trials["subject"] == "P2"])
        assert_array_equal(alone, names[(trials["subject"] == "P2").to_numpy()])

    def test_refused(self) -> None:
        trials = things_meg(1)
        with pytest.raises(DataError, match="trial_type='rest'"):
            things_meg_split(trials.replace({"trial_type": {"catch": "rest"}}))
        with pytest.raises(DataError, match="none of the 22848 trials is of trial_type 'test'"):
            things_meg_split(trials[trials["trial_type"] != "test"])
        with pytest.raises(DataError, match="validation must be a share"):
            things_meg_split(trials, validation=1.0)


def things_eeg2() -> pd.DataFrame:
    """Trials of one subject, with fewer repeats."""
    train = pd.DataFrame({"stimulus": [f"t{i}" for i in range(16_540)], "concept": [f"c{i // 10}" for i in range(16_540)]})
    test = pd.DataFrame({"stimulus": [f"u{i}" for i in range(200)], "concept": [f"d{i}" for i in range(200)]})
    parts = [train.assign(trial_type="train")] * 2 + [test.assign(trial_type="test")] * 3
    target = pd.DataFrame({"stimulus": ["woody"], "concept": ["target"], "trial_type": ["target"]})
    return pd.concat([*parts, target], ignore_index=True)


class TestThingsEEG2:
    def test_counts(self) -> None:
        trials = things_eeg2()
        names = things_eeg2_split(trials)
        assert (names == "validation").sum() == 2 * 740
        assert (names == "train").sum() == 2 * (16_540 - 740)
        assert (names == "test").sum() == 600
        assert (names == "excluded").sum() == 1
        assert set(trials["stimulus"][names == "validation"]).isdisjoint(trials["stimulus"][names == "train"])
        draws = {image: stimulus_draw(image) for image in trials["stimulus"][names != "test"].unique() if image != "woody"}
        held = set(trials["stimulus"][names == "validation"])
        assert max(draws[i] for i in held) < min(draw for i, draw in draws.items() if i not in held)

    def test_a_concept_on_both_sides_is_refused(self) -> None:
        trials = things_eeg2()
        trials.loc[trials["stimulus"] == "u7", "concept"] = "c5"
        with pytest.raises(SplitLeakError, match="1 of 200 test concepts were trained on, e.g. 'c5'"):
            things_eeg2_split(trials)
        with pytest.raises(DataError, match="below the 16540 of training, got 20000"):
            things_eeg2_split(things_eeg2(), validation=20_000)


def seen(concepts: str, stimuli: str) -> Responses:
    table = pd.DataFrame({"stimulus": list(stimuli), "concept": list(concepts)})
    return Responses(np.zeros((len(table), 1), np.float32), table, pd.DataFrame({"name": ["u"]}))


class TestWithSplit:
    def test_zero_shot_is_claimed_only_where_it_holds(self) -> None:
        names = ["train", "train", "test", "excluded"]
        held = with_split(seen("aabb", "1234"), names, zero_shot=True)
        assert held.samples["split"].tolist() == ["train", "train", "test"]
        assert held.meta["split"]["zero_shot"] is True
        assert held.meta["split"]["train"] == {"samples": 2, "stimuli": 2, "concepts": 1}
        check_split(held, held.samples["split"] == "train", held.samples["split"] == "test", unit="concept")
        with pytest.raises(SplitLeakError, match="1 of 1 test concepts were trained on, e.g. 'a'"):
            with_split(seen("aaab", "1234"), names, zero_shot=True)
        assert with_split(seen("aaab", "1234"), names).meta["split"]["zero_shot"] is False

    def test_a_validation_concept_was_known_too(self) -> None:
        with pytest.raises(SplitLeakError, match="'b'"):
            with_split(seen("abb", "123"), ["train", "validation", "test"], zero_shot=True)

    def test_a_stimulus_in_two_splits_is_refused(self) -> None:
        with pytest.raises(SplitLeakError, match=r"1 stimuli are in two splits, e.g. '1' in \['test', 'train'\]"):
            with_split(seen("aab", "121"), ["train", "train", "test"])

    def test_refused(self) -> None:
        with pytest.raises(DataError, match="each of the 3 samples"):
            with_split(seen("aab", "123"), ["train"])
        with pytest.raises(DataError, match="split='dev'"):
            with_split(seen("aab", "123"), ["train", "dev", "test"])
        with pytest.raises(DataError, match="concepts on both sides, got 0 trained on and 1"):
            with_split(seen("a", "1"), ["test"], zero_shot=True)
        with pytest.raises(DataError, match="shape"):
            check_zero_shot(["a"], ["train", "test"])

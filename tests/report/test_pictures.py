"""Reconstructed images on the page: pairs stay pairs, in the order of their score, with chance and baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import report_examples as examples

from neurodecode.report import figures, load_contents, save_contents, write
from neurodecode.report.figures.pictures import chosen_images
from neurodecode.report.methods import methods_markdown, works_of
from neurodecode.report.scores import score_table
from neurodecode.report.sections import result_sections


def section(**changes: Any) -> Any:
    """The section of the made-up reconstruction."""
    (made,) = result_sections(examples.run_of({"reconstruction": examples.pictures(**changes)}))
    return made


def drawn_pairs(figure: Any) -> list[tuple[np.ndarray, np.ndarray, str]]:
    """What was shown, what is below it, and the number under both, from left to right."""
    axes = figure.axes
    pairs = zip(axes[0::2], axes[1::2], strict=True)
    return [(top.images[0].get_array(), low.images[0].get_array(), low.get_xlabel()) for top, low in pairs]


def test_each_reconstruction_stands_below_its_image_in_falling_order() -> None:
    result = examples.pictures()
    pairs = drawn_pairs(figures.reconstructions(result))
    assert len(pairs) == 12
    for shown, made, score in pairs:
        row = next(i for i, image in enumerate(result.images) if np.array_equal(image, shown))
        np.testing.assert_array_equal(made, result.reconstructions[row])
        assert score == f"{result.image_scores[row]:.2f}"
    scores = [float(score) for _, _, score in pairs]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == 0.95
    assert scores[-1] == 0.67


def test_rows_and_groups_are_labelled() -> None:
    figure = figures.reconstructions(examples.pictures())
    assert [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")] == ["Best", "Around the median", "Worst"]
    assert [ax.get_ylabel() for ax in figure.axes if ax.get_ylabel()] == ["Shown", "Reconstructed"]


def test_methods_on_the_same_images_share_one_section_and_one_figure() -> None:
    ridge = examples.pictures()
    dark = examples.pictures(reconstructions=np.zeros_like(ridge.reconstructions), score=0.1, identification=0.5)
    other = examples.pictures(n=5)
    made = result_sections(examples.run_of({"reconstruction": ridge, "one sample": dark, "elsewhere": other}))
    assert [part.title for part in made] == ["Reconstruction", "Elsewhere"]
    first = made[0]
    assert "The same images by other methods: one sample 0.100." in " ".join(first.sentences).replace("\N{NO-BREAK SPACE}", " ")
    table = first.tables[0].frame
    assert table["method"].tolist() == ["ridge", "one sample"]
    assert table["pixel correlation"].tolist() == [0.81, 0.1]
    assert "SSIM" not in table, "pictures of 6 x 8 pixels are smaller than its window"
    figure = first.pictures[0].figure
    labels = [ax.get_ylabel().replace("\n", " ") for ax in figure.axes if ax.get_ylabel()]
    assert labels == ["Shown", "Ridge", "One sample"]
    assert [ax.images[0].get_array().max() for ax in figure.axes[2::3]] == [0] * 12, "each row shows its own pictures"


@pytest.mark.parametrize("n", [1, 2, 7, 11])
def test_few_images_are_all_shown(n: int) -> None:
    assert len(drawn_pairs(figures.reconstructions(examples.pictures(n)))) == n


@pytest.mark.parametrize("n", [12, 13, 50])
def test_best_middle_and_worst(n: int) -> None:
    scores = np.random.default_rng(n).random(n)
    groups = chosen_images(scores, 4)
    ranks = np.argsort(np.argsort(-scores))
    assert ranks[groups["Best"]].tolist() == [0, 1, 2, 3]
    assert ranks[groups["Worst"]].tolist() == [n - 4, n - 3, n - 2, n - 1]
    assert np.median(scores[groups["Around the median"]]) == pytest.approx(np.median(scores), abs=0.05)
    assert len({row for rows in groups.values() for row in rows}) == 12


@pytest.mark.parametrize("shape", [(6, 8), (12, 4), (3, 30)])
def test_nothing_is_cut_off(shape: tuple[int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, *shape, 3)).astype(np.uint8)
    figure = figures.reconstructions(examples.pictures(images=images, reconstructions=images))
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height


def test_the_sentences_say_score_chance_baseline_and_test() -> None:
    text = " ".join(section().sentences).replace("\N{NO-BREAK SPACE}", " ")
    for part in (
        "20 held-out images were reconstructed with a mean pixel correlation of 0.810; chance is 0.52",
        "a perfect one reaches 1",
        "The baseline (the mean training image for every image) reaches 0.640",
        "0 of 99 pairings reached this score, p = 0.01",
        "93.0 % of pairs; guessing gives 50 %",
        "Each of 2 runs was held out once.",
    ):
        assert part in text
    assert section().verdict == ("above chance, p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.01", "good")


def test_odd_results_are_told_as_they_are() -> None:
    assert "below this baseline" in " ".join(section(baseline=0.9).sentences)
    untested = section(p_value=None, null_scores=None)
    assert "was not tested" in " ".join(untested.sentences)
    assert [picture.name for picture in untested.pictures] == ["images", "scores"]
    assert untested.verdict[1] == "open"
    assert section(score=0.4, p_value=0.9).verdict[1] == "none"


def test_the_table_of_scores_has_folds_mean_and_identification() -> None:
    table = score_table(examples.run_of({"reconstruction": examples.pictures()}))
    assert table["fold"].tolist() == ["1", "2", "mean", "pooled"]
    assert table["chance"].tolist() == [0.52, 0.52, 0.52, 0.5]
    mean = table[table["fold"] == "mean"].iloc[0]
    assert (mean["score"], mean["baseline"], mean["p_value"]) == (0.81, 0.64, 0.01)
    assert table["score"].iloc[0] == pytest.approx(np.linspace(0.95, 0.67, 20)[:10].mean())
    assert table["metric"].iloc[-1] == "two_way_identification"


def test_the_methods_tell_how_and_cite() -> None:
    run = examples.run_of({"reconstruction": examples.pictures()}, versions={"neurodecode": "1", "scikit-learn": "1"})
    text = methods_markdown(run)
    assert "ridge regression onto the principal components" in text
    assert "the 500 units that vary most with the images" in text
    assert "99 random pairings" in text
    assert {"hoerl1970", "miyawaki2008", "phipson2010"} <= {work.key for work in works_of(run)}
    assert "scikit-learn" not in text, "it had no part in this"


def test_another_reconstructor_is_named() -> None:
    settings = {"reconstructor": "DiffusionReconstructor", "random_state": 0}
    text = methods_markdown(examples.run_of({"reconstruction": examples.pictures(settings=settings)}))
    assert "by DiffusionReconstructor" in text
    assert "ridge" not in text


def test_images_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    result = examples.pictures()
    save_contents(examples.run_of({"reconstruction": result}, **examples.BARE), tmp_path)
    back = load_contents(tmp_path).results["reconstruction"]
    np.testing.assert_array_equal(back.images, result.images)
    np.testing.assert_array_equal(back.reconstructions, result.reconstructions)
    assert back.images.dtype == np.uint8
    assert back.to_dict() == result.to_dict()


def test_two_pages_have_equal_bytes(tmp_path: Path) -> None:
    run = examples.run_of({"reconstruction": examples.pictures()}, **examples.BARE)
    first, second = (write(run, tmp_path / name).read_bytes() for name in "ab")
    assert first == second

"""The page as a whole: complete, self-contained, escaped, equal bytes, legible in a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import report_examples as examples

from neurodecode.errors import FormatError
from neurodecode.report import RunContents, rerender, write
from neurodecode.report.html import cells, configuration_text, slug
from neurodecode.report.quality import quality_section
from neurodecode.report.sections import RENDERERS
from neurodecode.report.words import number, verdict


class Page(HTMLParser):
    """Elements and text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        """Attributes of every element of that name."""
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        """All text on one line."""
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with every type of result."""
    results = {name: make() for name, make in examples.EVERY.items()}
    contacts = {"band power": examples.contact_table()}
    return write(examples.run_of({**results, **contacts}), tmp_path_factory.mktemp("full"))


def page_of(results: dict[str, Any], folder: Path, **members: Any) -> Page:
    """The page of a run, by default without data quality, which takes time to draw."""
    return Page(write(examples.run_of(results, **{**examples.BARE, **members}), folder))


@pytest.mark.parametrize("kind", examples.EVERY)
def test_every_result_has_its_section_with_score_and_chance(kind: str, tmp_path: Path) -> None:
    result = examples.EVERY[kind]()
    page = page_of({kind: result}, tmp_path)
    assert re.search(rf"chance\b[^.]{{0,20}}{re.escape(number(result.chance))}", page.text, re.IGNORECASE)
    assert "held out once" in page.text
    assert page.all("img")
    assert "no figure for results of type" not in page.text


def test_every_type_of_result_has_a_renderer() -> None:
    assert {type(make()).__name__ for make in examples.EVERY.values()} <= set(RENDERERS)


def test_the_headline_cannot_be_misread(tmp_path: Path) -> None:
    text = page_of({"decoding": examples.objects(patterns=None)}, tmp_path).text
    for part in (
        "balanced accuracy of 0.484; guessing gives 0.125, a perfect decoder reaches 1",
        "The 95 % interval of the mean over 8 folds is 0.344 to 0.625",
        "0 of 199 permutations reached this score, p = 0.005, the smallest value that so many permutations can give",
        "The baseline (nearest class mean) reaches 0.280 on the same folds",
        "above chance, p = 0.005",
    ):
        assert part in text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"p_value": None, "null_scores": None}, "whether this could be luck was not tested"),
        ({"p_value": 0.4}, "not distinguishable from chance"),
        ({"confidence_interval": (float("nan"), float("nan"))}, "There is no confidence interval"),
        ({"baseline": 0.6}, "The decoder is below this baseline"),
        ({"score": float("nan"), "p_value": None, "null_scores": None}, "balanced accuracy of n/a"),
        ({"notes": ["single run: blocks with a gap of 10 s"]}, "single run: blocks with a gap of 10 s"),
        ({"fold_scores": np.array([0.5]), "fold_names": ["only"], "confidence_interval": (np.nan, np.nan)}, "over 1 fold"),
    ],
)
def test_odd_results_are_told_as_they_are(changes: dict[str, Any], expected: str, tmp_path: Path) -> None:
    assert expected in page_of({"decoding": examples.objects(**{"patterns": None, **changes})}, tmp_path).text


@pytest.mark.parametrize(("p", "expected"), [(0.05, "good"), (0.051, "none"), (None, "open"), (float("nan"), "open")])
def test_the_verdict_follows_the_test(p: float | None, expected: str) -> None:
    assert verdict(0.7, 0.5, p)[1] == expected


def test_a_score_below_chance_is_never_called_above() -> None:
    assert verdict(0.3, 0.5, 0.01)[1] == "none"


def test_the_page_loads_nothing_from_elsewhere(full: Path) -> None:
    page = Page(full)
    assert not page.all("script")
    assert not page.all("link")
    assert not page.all("iframe")
    assert all(image["src"].startswith("data:image/") for image in page.all("img"))
    assert "@import" not in page.source
    assert "url(" not in re.search(r"<style>.*?</style>", page.source, re.DOTALL)[0]  # type: ignore[index]
    outside = {link["href"] for link in page.all("a") if not link["href"].startswith("#")}
    assert outside
    assert all(href.startswith("https://doi.org/10.") for href in outside)


def test_links_inside_the_page_have_their_target(full: Path) -> None:
    page = Page(full)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert {link["href"][1:] for link in page.all("a") if link["href"].startswith("#")} <= set(ids)


def test_every_image_has_words_for_those_who_cannot_see_it(full: Path) -> None:
    images = Page(full).all("img")
    assert len(images) > 15
    assert all(len(image["alt"]) > 20 for image in images)


def test_every_figure_lies_beside_the_page_as_svg_and_png(full: Path) -> None:
    folder = full.parent / "figures"
    stems = {path.stem for path in folder.iterdir() if path.name != "captions.json"}
    assert len(stems) == len(Page(full).all("img"))
    assert all((folder / f"{stem}{suffix}").stat().st_size > 500 for stem in stems for suffix in (".svg", ".png"))


def test_sections_stand_in_their_order(full: Path) -> None:
    ids = [attributes["id"] for tag, attributes in Page(full).elements if tag == "section"]
    assert ids == ["headline", "notes", "methods", "quality", "results", "provenance", "configuration"]


def test_several_results_have_an_overview_with_chance_in_each_row(full: Path) -> None:
    page = Page(full).source
    overview = page[page.index("All results") : page.index('id="notes"')]
    assert overview.count("<tr>") == 1 + len(examples.EVERY)


def test_no_path_of_a_machine_and_no_date(full: Path) -> None:
    text = Page(full).text
    assert str(full.parent) not in text
    assert not re.search(r"\b20[2-9]\d-\d\d-\d\d", text)


def test_two_writes_and_a_second_drawing_are_equal_byte_by_byte(tmp_path: Path) -> None:
    events = pd.DataFrame({"trial_type": ["a", "b"], "n": [3, 4]})
    contents = examples.run_of(
        {"decoding": examples.objects(patterns=examples.objects().patterns[:2])},
        **{**examples.BARE, "quality": {"Events": events}},
    )
    for name in ("a", "b"):
        write(contents, tmp_path / name)
    rerender(tmp_path / "b")
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert {"report.html", "scores.tsv", "methods.md", "references.bib"} <= {str(f) for f in files}
    assert files == sorted(p.relative_to(tmp_path / "b") for p in (tmp_path / "b").rglob("*") if p.is_file())
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


def test_the_page_can_be_drawn_again_without_the_rest(tmp_path: Path) -> None:
    path = write(examples.run_of({"decoding": examples.regression()}, **examples.BARE), tmp_path)
    before = path.read_bytes()
    path.unlink()
    shutil.rmtree(tmp_path / "figures")
    assert rerender(tmp_path).read_bytes() == before


def test_drawing_again_needs_a_finished_run(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no finished report"):
        rerender(tmp_path)


EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>{{ 7*7 }}'


def test_hostile_names_are_text(tmp_path: Path) -> None:
    result = examples.faces(
        classes=[EVIL, "b"], target=EVIL, baseline_name=EVIL, split=EVIL, notes=[EVIL], fold_names=[EVIL, "b", "c", "d"],
        class_counts=examples.class_counts([EVIL], [EVIL, "b"]), scores={EVIL: 0.5}, settings={"estimator": EVIL},
    )  # fmt: skip
    page = page_of(
        {EVIL: result, "contacts": pd.DataFrame({"channel": [EVIL], "band": [EVIL], "ratio": [2.0]})}, tmp_path,
        title=EVIL, pipeline=EVIL, description=EVIL, dataset={"name": EVIL, "licence": EVIL, "citation": EVIL},
        configuration={EVIL: EVIL}, recordings_summary=[EVIL], versions={EVIL: EVIL}, hashes={EVIL: EVIL}, notes=[EVIL],
        steps=[{"step": EVIL, EVIL: EVIL}], quality={EVIL: pd.DataFrame({"trial_type": [EVIL], "n": [3], EVIL: [EVIL]})},
    )  # fmt: skip
    assert not page.all("script")
    assert all(image["src"].startswith("data:") and "onerror" not in image for image in page.all("img"))
    assert page.text.count("{{ 7*7 }}") > 10
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", path.name) for path in tmp_path.rglob("*"))


def test_a_title_stays_a_title(tmp_path: Path) -> None:
    assert "<title>a &lt; b &amp; c</title>" in page_of({}, tmp_path, title="a < b & c").source


def test_results_with_names_alike_keep_their_own_figures(tmp_path: Path) -> None:
    plain = examples.faces(patterns=None)
    write(examples.run_of({"a b": plain, "a-b": plain, "quality": plain}, **examples.BARE), tmp_path)
    names = {path.name for path in (tmp_path / "figures").glob("*_scores.svg")}
    assert names == {"a-b_scores.svg", "a-b-2_scores.svg", "quality-2_scores.svg"}


def test_a_run_without_results_says_so(tmp_path: Path) -> None:
    page = page_of({}, tmp_path)
    assert "This run holds no decoding result" in page.text


def test_an_empty_run_still_has_a_page(tmp_path: Path) -> None:
    text = Page(write(RunContents("Nothing yet", "none"), tmp_path)).text
    assert "No table of data quality was handed to this report" in text
    assert "No configuration was handed to this report" in text


def test_contacts_are_named_with_their_ratios(tmp_path: Path) -> None:
    text = page_of({"band power": examples.contact_table()}, tmp_path).text
    assert "8-30 Hz power ratio: largest at BTM1 (9.4), BTM2 (3.58)" in text
    assert "1 means no change" in text


def test_a_result_of_an_unknown_type_is_named(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class NewResult:
        score: float = 1.0

    contents = examples.run_of({})
    section = RENDERERS.get("NewResult")
    assert section is None
    from neurodecode.report.sections import result_sections

    (made,) = result_sections(examples.run_of({"new": NewResult()}, quality=contents.quality))
    assert made.sentences == ["This report has no figure for results of type NewResult."]


def test_results_combined_over_subjects_speak_of_subjects(tmp_path: Path) -> None:
    counts = [examples.class_counts(["r1", "r2"], ["face", "house"], n).assign(subject=f"sub-{n}") for n in (3, 5)]
    scores = {"fold_names": ["sub-3", "sub-5"], "fold_scores": np.array([0.6, 0.7])}
    result = examples.faces(**scores, class_counts=pd.concat(counts, ignore_index=True), patterns=None)
    page = page_of({"decoding": result}, tmp_path)
    assert "The 95 % interval of the mean over 2 subjects is" in page.text
    assert "Each dot is one subject" in page.text
    table = page.source[page.source.index("Score of each subject") :]
    assert re.findall(r'<td>sub-\d</td><td class="n">(\d+)</td>', table)[:2] == ["12", "20"]


QUALITY = {
    "motion": (pd.DataFrame({"run": ["1"], "mean_fd": [0.1], "max_fd": [0.4]}), "at most 0.4 mm"),
    "motion unknown": (pd.DataFrame({"run": ["1"], "mean_fd": [np.nan], "max_fd": [np.nan]}), None),
    "tsnr": (pd.DataFrame({"run": ["1"], "tsnr_median": [80.0], "tsnr_5": [10.0], "tsnr_95": [120.0]}), "median 80"),
    "deviation": (pd.DataFrame({"name": ["a", "b"], "unit": "V", "std": [1e-6, 2e-6], "bad": [False, True]}), "1 marked bad"),
    "line noise": (pd.DataFrame({"name": ["a", "b"], "line_noise_ratio": [3.0, 9.0]}), "largest 9 at b"),
    "events": (pd.DataFrame({"recording": ["x"], "trial_type": ["go"], "n": [12]}), "go 12"),
    "high gamma": (pd.DataFrame({"contact": ["a", "b"], "high_gamma": [1.0, 1.2]}), "2 contacts"),
    "unknown": (pd.DataFrame({"wonder": [1.0]}), None),
    "empty": (pd.DataFrame({"trial_type": pd.Series([], dtype=str), "n": pd.Series([], dtype=int)}), None),
}  # fmt: skip


@pytest.mark.parametrize("kind", QUALITY)
def test_tables_of_quality_are_drawn_by_their_columns(kind: str) -> None:
    table, words = QUALITY[kind]
    section = quality_section(RunContents("t", "p", quality={kind: table}))
    assert len(section.tables) == 1
    drawn = [picture for picture in section.pictures if picture.figure is not None]
    assert len(drawn) == (0 if words is None else 1)
    if words is not None:
        assert words in drawn[0].alt


def test_high_gamma_that_cannot_differ_is_not_drawn() -> None:
    table = pd.DataFrame({"contact": ["a", "b"], "high_gamma": [1.0, 1.0 + 1e-9]})
    (picture,) = quality_section(RunContents("t", "p", quality={"gamma": table})).pictures
    assert picture.figure is None
    assert "equal at all contacts" in picture.caption


def test_two_tables_alike_keep_their_own_figures() -> None:
    table = pd.DataFrame({"trial_type": ["a"], "n": [1]})
    section = quality_section(RunContents("t", "p", quality={"one": table, "two": table}))
    assert [picture.name for picture in section.pictures] == ["events", "events-2"]


def test_spectra_without_any_power_give_the_reason() -> None:
    (picture,) = quality_section(RunContents("t", "p", spectra=(np.arange(3.0), np.zeros((1, 3)), ["a"]))).pictures
    assert picture.figure is None
    assert "zero or unknown" in picture.caption


def test_cells_are_aligned_and_missing_values_named() -> None:
    frame = pd.DataFrame(
        {
            "a": [0.5, 0.625, np.nan],
            "big": [1e-9, 12345.678, 2.0],
            "n": [1, 2, 3],
            "ok": [True, False, True],
            "t": ["x", None, "y"],
        }
    )
    table = cells("T", frame)
    assert list(map(list, zip(*table.rows, strict=True))) == [
        ["0.500", "0.625", "n/a"], ["1e-09", "1.23e+04", "2"], ["1", "2", "3"], ["yes", "no", "yes"], ["x", "n/a", "y"],
    ]  # fmt: skip
    assert [numeric for _, numeric in table.header] == [True, True, True, False, False]


def test_a_long_table_is_cut_and_says_so(tmp_path: Path) -> None:
    page = page_of({}, tmp_path, quality={"long": pd.DataFrame({"x": range(350)})})
    assert "50 more rows are in the folder report_data" in page.text


def test_absolute_paths_in_the_configuration_lose_their_folders(tmp_path: Path) -> None:
    text = configuration_text({"input": {"root": str(tmp_path / "haxby"), "other": "C:\\data\\x", "kept": "sub-1/func"}})
    assert str(tmp_path) not in text
    assert "haxby" in text
    assert "C:" not in text
    assert "sub-1/func" in text


@pytest.mark.parametrize(
    ("text", "expected"), [("Time course", "time-course"), ("../..", "result"), ("ÄÖ é", "result"), ("a" * 99, "a" * 60)]
)
def test_names_of_files_are_safe(text: str, expected: str) -> None:
    assert slug(text) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.125, "0.125"), (0.0, "0"), (9.399, "9.4"), (142.43, "142.4"), (1e-6, "1e-06"), (None, "n/a"), (np.inf, "n/a")],
)
def test_numbers_have_three_significant_digits(value: Any, text: str) -> None:
    assert number(value) == text


LOOK = """
<script>
const outside = [];
for (const e of document.querySelectorAll("body *")) {
  const box = e.getBoundingClientRect();
  if (!e.closest(".scroll") && box.width > 0 && (box.right > innerWidth + 1 || box.left < -1)) outside.push(e.tagName);
}
const broken = [...document.images].filter(i => !i.naturalWidth).length;
document.title = ["RESULT", document.documentElement.scrollWidth, outside.join("+") || "none", broken].join(" ");
</script></body>
"""


def test_nothing_overflows_at_1280_pixels(full: Path, tmp_path: Path) -> None:
    browser = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no chromium or google-chrome is installed to look at the page with")
    copy = tmp_path / "copy.html"
    copy.write_text(full.read_text(encoding="utf-8").replace("</body>", LOOK), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    command = [browser, *options, "--disable-sync", f"--user-data-dir={tmp_path}", "--window-size=1280,2000", "--dump-dom"]
    page = subprocess.run([*command, copy.as_uri()], capture_output=True, text=True, timeout=120, check=True).stdout
    found = re.search(r"<title>RESULT (\d+) (\S+) (\d+)</title>", page)
    assert found is not None, "the browser did not run the script"
    assert int(found[1]) <= 1280
    assert found[2] == "none"
    assert found[3] == "0"


@pytest.mark.parametrize("label", ["side", "fold", "held_out", "subject"])
def test_a_class_named_like_a_column_keeps_its_counts(label: str, tmp_path: Path) -> None:
    counts = examples.class_counts(["r1", "r2"], [label, "b"], 7)
    result = examples.faces(class_counts=counts, patterns=None, fold_scores=np.array([0.6, 0.7]), fold_names=["r1", "r2"])
    source = page_of({"decoding": result}, tmp_path).source
    table = source[source.index("Samples per class and fold") :]
    assert re.search(r'<td>r1</td><td>train</td><td class="n">7</td><td class="n">7</td>', table)

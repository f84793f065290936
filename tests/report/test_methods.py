"""Methods in sentences, from the steps that were applied, and the works they cite."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import report_examples as examples

from neurodecode.data import Recording
from neurodecode.errors import DataError
from neurodecode.preprocess import ieeg, meeg
from neurodecode.report import write
from neurodecode.report.methods import methods_markdown, methods_paragraphs, preprocessing_sentences, works_of
from neurodecode.report.references import _library, cited, with_names, work
from neurodecode.report.steps import SENTENCES

EXAMPLES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "average": ({"by": ["stimulus"]}, ["stimulus"]),
    "causal.run": (
        {"steps": [{"step": "notch"}, {"step": "band_pass"}, {"step": "clamp"}], "output_sfreq": 120.0},
        ["alike on a stream (notch filter, Butterworth filter, clamp)", "120 Hz"],
    ),
    "causal.windows": (
        {"window": [-0.1, 0.5], "hop": None, "baseline": None, "clamp": 20.0},
        ["from -0.1 to 0.5 s", "around each event", "±20"],
    ),
    "fmri.betas": (
        {"method": "lss", "hrf": "glover", "high_pass": 1 / 128, "noise_model": "ar1"},
        ["least squares separate", "@mumford2012", "@glover1999", "128 s", "order 1"],
    ),
    "fmri.block_average": ({"lag": 5.0, "duration": None}, ["5 s after its onset", "the length of the block"]),
    "fmri.clean": (
        {
            "confounds": [f"trans_x_{i}" for i in range(24)] + [f"a_comp_cor_0{i}" for i in range(6)], "high_pass": 1 / 128,
            "low_pass": None, "detrend": False, "standardise": "zscore", "allow_raw": False,
        },
        ["30 confounds", "24 of head motion [@friston1996]", "6 of CompCor [@behzadi2007]", "128 s", "variance 1"],
    ),
    "fmri.drop_non_steady_state": ({"n_volumes": 3}, ["first 3 volumes"]),
    "fmri.fir": ({"window": [0, 20]}, ["from 0 to 20 s"]),
    "fmri.mask": ({"n_channels": 530}, ["530 voxels"]),
    "fmri.parcellate": ({"n_parcels": 100}, ["100 parcels"]),
    "fmri.responses": ({"method": "lss", "reason": "events last 1 to 2 s"}, ["because events last 1 to 2 s"]),
    "fmri.sample_surface": ({"mesh": "fsaverage5", "n_vertices": 20484}, ["fsaverage5", "20484 vertices"]),
    "fmri.standardise_runs": ({}, ["variance 1 within each run"]),
    "ieeg.band_power": ({"l_freq": 8.0, "h_freq": 30.0, "output": "power"}, ["power envelope from 8 to 30 Hz"]),
    "ieeg.band_power_ratio": (
        {"l_freq": 8.0, "h_freq": 30.0, "after": 10.0, "onset": 10.229},
        ["8 to 30 Hz", "in the 10 s after 10.229 s", "divided by the power before"],
    ),
    "ieeg.bipolar": ({"pairs": 40, "contacts_without_pair": ["A1"]}, ["40 bipolar pairs", "A1", "@li2018"]),
    "ieeg.common_average": ({"statistic": "median", "by": None}, ["median over contacts"]),
    "ieeg.high_gamma": ({"band": [70, 150], "bands": [[70, 80]] * 8}, ["8 bands from 70 to 150 Hz", "@crone2001"]),
    "ieeg.laplacian": ({"ends": "drop"}, ["Laplacian"]),
    "ieeg.mark_flat": ({"marked_bad": {"C3": "flat"}}, ["C3"]),
    "ieeg.mark_spikes": ({"band": [10, 60], "n_spikes": 7}, ["7 interictal spikes", "@janca2015"]),
    "meeg.apply_ica": ({"exclude": [0, 3], "method": "picard"}, ["2 independent components", "@ablin2018"]),
    "meeg.apply_ssp": ({"n_vectors": 1, "artifact": "eog"}, ["1 signal-space projector of eog", "@uusitalo1997"]),
    "meeg.baseline": ({"tmin": None, "tmax": 0.0}, ["from the start to 0 s"]),
    "meeg.drop_bads": ({"dropped": ["Fp1"]}, ["Fp1"]),
    "meeg.epochs": (
        {"tmin": -0.2, "tmax": 0.8, "baseline": [-0.2, 0.0], "reject_peak_to_peak": 1e-4, "bad_channels_left_out": ["Oz"]},
        ["-0.2 to 0.8 s", "mean of -0.2 to 0 s subtracted", "100 µV", "Oz"],
    ),
    "meeg.filter": ({"l_freq": 0.1, "h_freq": None}, ["above 0.1 Hz", "@gramfort2013"]),
    "meeg.find_bad_channels": ({"marked_bad": {}}, ["none was found"]),
    "meeg.interpolate_bads": ({"interpolated": ["T7"]}, ["T7", "@perrin1989"]),
    "meeg.maxwell_filter": ({"st_duration": 10.0}, ["over 10 s", "@taulu2006"]),
    "meeg.notch": ({"freqs": [50.0, 100.0]}, ["50, 100 Hz"]),
    "meeg.reference": ({"to": "average"}, ["average of all good channels"]),
    "meeg.regress_out": ({"artifact_channels": ["EOG"]}, ["EOG", "@gratton1983"]),
    "meeg.resample": ({"from": 1000.0, "sfreq": 250.0}, ["from 1000 to 250 Hz"]),
    "meeg.robust_scale": ({"clamp": 20.0}, ["±20"]),
    "meeg.whiten": ({"n_samples": 5000, "shrinkage": 0.05}, ["5000 samples", "@guggenmos2018"]),
}  # fmt: skip


def test_every_known_step_has_an_example() -> None:
    assert sorted(EXAMPLES) == sorted(SENTENCES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_sentence_has_the_numbers_and_real_citations(name: str) -> None:
    parameters, expected = EXAMPLES[name]
    text = " ".join(preprocessing_sentences([{"step": name, **parameters}]))
    for part in expected:
        assert part in text
    assert "was applied" not in text
    assert text.endswith(".")
    assert not re.search(r"@\w", re.sub(r"\[@[^]]+\]", "", text)), "a citation outside of brackets is never resolved"
    cited([text])  # every key is in the library


@pytest.mark.parametrize("name", ["meeg.drop_bads", "meeg.interpolate_bads"])
def test_a_step_that_did_nothing_is_not_mentioned(name: str) -> None:
    assert preprocessing_sentences([{"step": name, "dropped": [], "interpolated": []}]) == []


@pytest.mark.parametrize("step", [{"step": "lab.magic", "strength": 3}, {"step": "meeg.filter", "strength": 3}])
def test_an_unknown_step_or_parameter_is_named_plainly(step: dict[str, Any]) -> None:
    assert preprocessing_sentences([step]) == [f"The step {step['step']} was applied (strength = 3)."]


def test_equal_steps_of_runs_become_one_sentence_with_counts_added() -> None:
    steps = [
        {
            "step": "meeg.epochs",
            "tmin": 0.0,
            "tmax": 1.0,
            "baseline": None,
            "drops": {"events": 10, "kept": k, "peak-to-peak": 10 - k},
        }
        for k in (9, 7)
    ]
    sentences = preprocessing_sentences(steps)
    assert len(sentences) == 2
    assert sentences[1] == "Of 20 events 16 were used (left out: peak-to-peak: 4)."


def test_the_same_step_with_other_parameters_is_told_twice() -> None:
    sentences = preprocessing_sentences([{"step": "meeg.notch", "freqs": [50.0]}, {"step": "meeg.notch", "freqs": [60.0]}])
    assert len(sentences) == 2


@pytest.mark.parametrize("apply", [
    lambda r: meeg.filter(r, 1.0, 30.0),
    lambda r: meeg.notch(r, 40.0),
    lambda r: meeg.resample(r, 50.0),
    lambda r: meeg.reference(r, "average"),
    lambda r: meeg.epochs(r, -0.2, 0.5, baseline=(-0.2, 0.0)),
    lambda r: meeg.drop_bads(r),
    lambda r: ieeg.common_average(r.replace(channels=r.channels.assign(kind="ecog", name=["A1", "A2", "A3", "A4"]))),
    lambda r: ieeg.bipolar(r.replace(channels=r.channels.assign(kind="ecog", name=["A1", "A2", "A3", "A4"]))),
])  # fmt: skip
def test_steps_as_the_functions_write_them_have_sentences(apply: Any, eeg: Recording) -> None:
    steps = apply(eeg).meta["steps"]
    assert steps
    text = " ".join(preprocessing_sentences(steps))
    assert "was applied" not in text, text


def test_decoding_is_told_with_its_test() -> None:
    text = methods_markdown(examples.run_of({"decoding": examples.objects()}))
    for part in (
        "Logistic regression (C = 0.01)",
        "500 units",
        "199 permutations",
        "@phipson2010",
        "@haufe2014",
        "held out once",
    ):
        assert part in text


def test_without_permutations_no_test_is_claimed() -> None:
    text = methods_markdown(examples.run_of({"decoding": examples.faces()}))
    assert "permutation" not in text
    assert "@ledoit2004" in text


@pytest.mark.parametrize(
    ("kind", "key"), [("over time", "nichols2002"), ("across time", "king2014"), ("searchlight", "kriegeskorte2006")]
)
def test_variants_cite_their_paper(kind: str, key: str) -> None:
    assert key in {w.key for w in works_of(examples.run_of({kind: examples.EVERY[kind]()}))}


def test_only_software_that_had_a_part_is_cited() -> None:
    contents = examples.run_of({}, versions={"neurodecode": "0.1.0", "mne": "1.13", "nilearn": "0.14", "scikit-learn": "1.9"})
    software = dict(methods_paragraphs(contents))["Software"][0]
    assert "MNE-Python 1.13" in software
    assert "nilearn" not in software
    assert "scikit-learn" not in software


def test_the_bids_paper_of_the_kind_of_data_is_cited() -> None:
    keys = {w.key for w in works_of(examples.run_of({}))}
    assert {"gorgolewski2016", "pernet2019"} <= keys
    assert not {"holdgraf2019", "niso2018", "haxby2001"} & keys


def test_files_hold_what_is_cited_and_nothing_else(tmp_path: Path) -> None:
    write(examples.run_of({"decoding": examples.faces(patterns=None)}, **examples.BARE), tmp_path)
    text = (tmp_path / "methods.md").read_text(encoding="utf-8")
    bib = (tmp_path / "references.bib").read_text(encoding="utf-8")
    used = set(re.findall(r"@([a-z]+\d*)", "".join(re.findall(r"\[@[^]]*\]", text))))
    assert set(re.findall(r"^@\w+\{(\w+),", bib, re.MULTILINE)) == used


def test_a_run_without_anything_has_no_methods() -> None:
    contents = examples.run_of({}, dataset={}, recordings_summary=[], steps=[], versions={}, hashes={})
    assert methods_paragraphs(contents) == []


@pytest.mark.parametrize("key", sorted(_library()))
def test_the_library_is_well_formed(key: str) -> None:
    entry = work(key)
    assert entry.bibtex.count("{") == entry.bibtex.count("}")
    assert {"author", "title"} <= set(entry.fields)
    assert entry.bibtex.startswith("@software{") or {"journal", "year", "volume"} <= set(entry.fields)
    assert entry.doi is None or re.fullmatch(r"10\.\d{4,5}/\S+", entry.doi)
    assert entry.doi or key in {"ojala2010", "pedregosa2011"}, "the Journal of Machine Learning Research gives no DOIs"
    assert "year" not in entry.fields or key.endswith(entry.fields["year"])
    assert key.startswith(re.sub(r"[^a-z]", "", entry.short.split()[0].rstrip(",").lower().translate(str.maketrans("äü", "au"))))
    assert len(re.findall(r"^  \w+ = ", entry.bibtex, re.MULTILINE)) == len(entry.fields)


def test_no_doi_stands_twice() -> None:
    dois = [w.doi for w in _library().values() if w.doi]
    assert len(set(dois)) == len(dois)


@pytest.mark.parametrize(
    ("key", "short"),
    [("ledoit2004", "Ledoit and Wolf, 2004"), ("haufe2014", "Haufe et al., 2014"), ("glover1999", "Glover, 1999")],
)
def test_short_citations(key: str, short: str) -> None:
    assert with_names(f"so [@{key}].") == f"so ({short})."


def test_several_works_in_one_bracket() -> None:
    assert with_names("[@glover1999; @ledoit2004]") == "(Glover, 1999; Ledoit and Wolf, 2004)"


def test_a_full_reference_reads_as_in_a_paper() -> None:
    text = work("ledoit2004").full
    assert text == (
        "Ledoit O, Wolf M (2004). A well-conditioned estimator for large-dimensional covariance matrices. "
        "Journal of Multivariate Analysis, 88(2), 365–411."
    )


def test_an_unknown_key_suggests_the_nearest() -> None:
    with pytest.raises(DataError, match="'haufe2104': did you mean 'haufe2014'"):
        work("haufe2104")


def test_methods_survive_results_of_several_subjects() -> None:
    results = {"decoding": examples.objects(), "decoding sub-1": examples.objects(1), "decoding sub-2": examples.objects(2)}
    decoding = dict(methods_paragraphs(examples.run_of(results)))["Decoding"]
    assert sum("Cross-validation" in sentence for sentence in decoding) == 1


def test_notes_with_odd_counts_do_not_break_the_text() -> None:
    steps = [
        {"step": "meeg.notch", "freqs": [50.0], "drops": {"too long": np.int64(2), "why": "unknown"}},
        {"step": "x", "drops": None},
    ]
    assert "Left out: too long: 2." not in preprocessing_sentences([{"step": "x", "drops": {}}])
    assert preprocessing_sentences(steps)[-1] == "The step x was applied."


def test_tables_of_pandas_do_not_reach_the_methods() -> None:
    contents = examples.run_of({"contacts": pd.DataFrame({"channel": ["a"], "ratio": [2.0]})})
    assert "Decoding" not in dict(methods_paragraphs(contents))

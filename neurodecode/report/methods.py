"""What was done, in sentences with numbers and citations, from the steps that were really applied."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from neurodecode.report.comparison_methods import comparison_sentences
from neurodecode.report.contents import RunContents
from neurodecode.report.references import Work, cited
from neurodecode.report.steps import SENTENCES
from neurodecode.report.words import metric_name, plural

Step = Mapping[str, Any]
_VOLATILE = ("drops", "n_constant", "notes", "confounds", "bad_channels_left_out")
_SOFTWARE = {
    "mne": ("MNE-Python", "gramfort2013"), "mne-bids": ("MNE-BIDS", "appelhoff2019"), "nilearn": ("nilearn", "abraham2014"),
    "nibabel": ("NiBabel", "brett"), "scikit-learn": ("scikit-learn", "pedregosa2011"), "numpy": ("NumPy", "harris2020"),
    "scipy": ("SciPy", "virtanen2020"), "matplotlib": ("Matplotlib", "hunter2007"),
}  # fmt: skip
_BIDS = {"eeg": "pernet2019", "meg": "niso2018", "ieeg": "holdgraf2019"}


def methods_paragraphs(contents: RunContents) -> list[tuple[str, list[str]]]:
    """Headings with the sentences below them.

    Parameters
    ----------
    contents : RunContents
        The run.

    Returns
    -------
    list of (str, list of str)
        Data, preprocessing, decoding, comparison, software; citations stand as ``[@key]``.
    """
    parts = [
        ("Data", _data(contents)),
        ("Preprocessing", preprocessing_sentences(contents.steps)),
        ("Decoding", _decoding(contents)),
        ("Comparison of model and brain", comparison_sentences(contents.results)),
        ("Software", _software(contents)),
    ]
    return [(heading, sentences) for heading, sentences in parts if sentences]


def methods_markdown(contents: RunContents) -> str:
    """The methods as Markdown that pandoc turns into a paper's section together with ``references.bib``."""
    lines = [f"# Methods: {contents.title}", ""]
    for heading, sentences in methods_paragraphs(contents):
        lines += [f"## {heading}", "", " ".join(sentences), ""]
    return "\n".join([*lines, "## References", ""])


def works_of(contents: RunContents) -> list[Work]:
    """The works that the methods of this run cite, and no others."""
    return cited(sentence for _, sentences in methods_paragraphs(contents) for sentence in sentences)


def preprocessing_sentences(steps: list[dict[str, Any]]) -> list[str]:
    """One sentence or more per kind of step, in the order of application.

    Parameters
    ----------
    steps : list of dict
        ``{"step": name, **parameters}``; equal steps of several runs become one sentence with their counts added.

    Returns
    -------
    list of str
        A step without a sentence of its own is named with its parameters.
    """
    sentences: list[str] = []
    for step in _merged(steps):
        write: Callable[[Step], str] = SENTENCES.get(str(step.get("step")), _generic)
        try:
            sentences.append(write(step))
        except (KeyError, TypeError, ValueError, AttributeError):  # other parameters than this version knows
            sentences.append(_generic(step))
        if isinstance(step.get("drops"), Mapping):
            sentences.append(_dropped(step["drops"]))
    return [s for s in sentences if s]


def _merged(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Equal steps once, in order of first appearance, with the counts of what was dropped added up."""
    merged: dict[str, dict[str, Any]] = {}
    for step in steps:
        key = json.dumps({k: v for k, v in step.items() if k not in _VOLATILE}, sort_keys=True, default=str)
        if key not in merged:
            merged[key] = dict(step)
        elif isinstance(step.get("drops"), Mapping):
            merged[key]["drops"] = _added(merged[key].get("drops"), step["drops"])
    return list(merged.values())


def _added(first: Any, second: Mapping[str, Any]) -> dict[str, Any]:
    total = dict(first) if isinstance(first, Mapping) else {}
    for reason, n in second.items():
        total[reason] = total.get(reason, 0) + n if isinstance(n, (int, float)) else n
    return total


def _dropped(drops: Mapping[str, Any]) -> str:
    """How many events were used, and why the others were not."""
    counts = {str(k): int(v) for k, v in drops.items() if isinstance(v, (int, float))}
    total, kept = counts.pop("events", None), counts.pop("kept", None)
    reasons = ", ".join(f"{reason}: {n}" for reason, n in counts.items() if n)
    if total is None or kept is None:
        return f"Left out: {reasons}." if reasons else ""
    return f"Of {plural(total, 'event')} {kept} were used" + (f" (left out: {reasons})." if reasons else ".")


def _generic(step: Step) -> str:
    named = ", ".join(f"{k} = {v}" for k, v in step.items() if k not in ("step", *_VOLATILE) and v not in (None, [], {}))
    return f"The step {step.get('step')} was applied{' (' + named + ')' if named else ''}."


def _data(contents: RunContents) -> list[str]:
    sentences = []
    name = contents.dataset.get("name")
    if name:
        licence = contents.dataset.get("licence")
        sentences.append(f"The data are those of “{name}”{f' (licence {licence})' if licence else ''}.")
    if contents.recordings_summary:
        keys = ["gorgolewski2016", *[key for kind, key in _BIDS.items() if _has_datatype(contents, kind)]]
        citation = "; ".join(f"@{key}" for key in keys)
        sentences.append(
            f"{plural(len(contents.recordings_summary), 'recording')} of a BIDS data set [{citation}] went into the analysis."
        )
    if "haxby" in f"{name} {contents.pipeline}".lower():
        sentences.append("The experiment is described in the original paper [@haxby2001].")
    return sentences


def _has_datatype(contents: RunContents, datatype: str) -> bool:
    return any(f"/{datatype}/" in f"/{path}" for path in contents.hashes)


def _decoding(contents: RunContents) -> list[str]:
    """Sentences on the first result of each type; several subjects are decoded in one way."""
    sentences, seen = [], set()
    for result in contents.results.values():
        kind = type(result).__name__
        if kind in _RESULTS and kind not in seen:
            seen.add(kind)
            sentences += _RESULTS[kind](result)
    return sentences + _generated(contents)


def _generated(contents: RunContents) -> list[str]:
    """How pictures were made that stand beside those of a ridge."""
    settings = [getattr(result, "settings", {}) for result in contents.results.values()]
    counts = [str(s["n_samples"]) for s in settings if s.get("reconstructor") == "GeneratorReconstructor"]
    if not counts:
        return []
    return [
        "A conditional diffusion model [@ho2020; @song2020] that was trained on none of these images made pictures from what a "
        f"ridge regression predicted of its embedding; scored are means of {' and '.join(counts)} samples, beside the ridge and "
        "the mean training image."
    ]


def _cross_validated(result: Any) -> list[str]:
    settings = result.settings
    sentences = [
        f"{_estimator(settings)} was trained to tell {result.target} from the responses [@pedregosa2011].",
        f"Cross-validation: {str(result.split).rstrip('.')}.",
        "Scaling and the choice of features, where there were any, used the training folds only.",
    ]
    if settings.get("n_features"):
        sentences.append(f"In each training set the {settings['n_features']} units with the largest ANOVA F were kept.")
    sentences.append(
        f"The score is the {metric_name(result.metric)}, averaged over folds, with a 95 % t interval over the folds."
    )
    if result.null_scores is not None:
        sentences.append(
            f"The p value comes from {plural(len(result.null_scores), 'permutation')} "
            f"({settings.get('permutation', 'labels permuted')}), the whole fit repeated each time [@ojala2010], counting the "
            "data as one more permutation [@phipson2010]."
        )
    if result.patterns is not None:
        sentences.append("Weights were turned into activation patterns, which can be read as where the signal is [@haufe2014].")
    return sentences


def _estimator(settings: Mapping[str, Any]) -> str:
    name = str(settings.get("estimator", "A linear decoder"))
    strength = settings.get("C")
    known = {
        "logistic": f"Logistic regression{f' (C = {strength:g})' if isinstance(strength, (int, float)) else ''}",
        "lda": "A linear discriminant with shrunk covariance [@ledoit2004]",
        "ridge": "Ridge regression",
        "svm": f"A linear support vector machine{f' (C = {strength:g})' if isinstance(strength, (int, float)) else ''}",
    }
    return known.get(name.lower(), name)


def _each_time(result: Any) -> list[str]:
    text = "The same decoder was trained and tested at each time"
    corrected = "; p values are corrected over times by the maximum statistic of the permutations [@nichols2002]"
    return [f"{text}{corrected if result.p_values is not None else ''}."]


def _each_pair(result: Any) -> list[str]:
    return ["Decoders trained at one time were tested at every other time [@king2014]."]


def _each_sphere(result: Any) -> list[str]:
    return [f"A decoder was fitted on the units within {result.radius_mm:g} mm of each unit in turn [@kriegeskorte2006]."]


def _each_region(result: Any) -> list[str]:
    return [f"A decoder was fitted on the units of each of {plural(len(result.table), 'region')}."]


def _reconstructed(result: Any) -> list[str]:
    settings = result.settings
    ridge = settings.get("reconstructor") == "RidgeReconstructor"
    how = (
        "ridge regression onto the principal components of the training images [@hoerl1970], each with a penalty of its own that "
        "was chosen within the training groups"
        if ridge
        else str(settings.get("reconstructor"))
    )
    kept = settings.get("n_features")
    sentences = [
        f"Images were reconstructed from the responses [@miyawaki2008] by {how}.",
        f"Cross-validation: {str(result.split).rstrip('.')}; no image was in the training and the test part of a fold.",
    ]
    if kept:
        sentences.append(f"In each training set the {kept} units that vary most with the images were kept.")
    sentences.append(
        "The score is the Pearson correlation over pixels of each image with its reconstruction; chance is the mean correlation "
        "with the other images of its fold, and the baseline shows the mean training image always."
    )
    if result.null_scores is not None:
        n = plural(len(result.null_scores), "random pairing")
        sentences.append(f"The p value comes from {n} of images and reconstructions within folds [@phipson2010].")
    return sentences


def _software(contents: RunContents) -> list[str]:
    versions = contents.versions
    if not versions:
        return []
    used = _used_software(contents)
    named = [f"{_SOFTWARE[p][0]} {v} [@{_SOFTWARE[p][1]}]" for p, v in versions.items() if p in used and v]
    own = f"neurodecode {versions.get('neurodecode', '')}".strip()
    return [f"The analysis was run with {own}" + (f", which used {', '.join(named)}." if named else ".")]


def _used_software(contents: RunContents) -> set[str]:
    """Packages that had a part in this run: an installed package that was not called is not cited."""
    steps = [str(step.get("step", "")) for step in contents.steps]
    used = {"numpy", "scipy", "matplotlib"}
    if any(step.startswith("fmri.") for step in steps) or any(".nii" in name or ".gii" in name for name in contents.hashes):
        used |= {"nilearn", "nibabel"}
    if any(step.startswith(("meeg.", "ieeg.")) for step in steps) or any(_has_datatype(contents, kind) for kind in _BIDS):
        used |= {"mne", "mne-bids"}
    kinds = {type(result).__name__ for result in contents.results.values()}
    if kinds & (set(_RESULTS) - {"ReconstructionResult"}):  # a ridge of our own
        used.add("scikit-learn")
    return used


_RESULTS: dict[str, Callable[[Any], list[str]]] = {
    "DecodingResult": _cross_validated,
    "TimeResolvedResult": _each_time,
    "GeneralizationResult": _each_pair,
    "SearchlightResult": _each_sphere,
    "RoiResult": _each_region,
    "ReconstructionResult": _reconstructed,
}

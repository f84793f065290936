"""How models were compared with a brain, in sentences with citations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from neurodecode.report.words import number, plural

_CORRECTIONS = {
    "bh": "P values were corrected over targets by the false discovery rate [@benjamini1995].",
    "by": "P values were corrected over targets by the false discovery rate under any dependence [@benjamini2001].",
    "max": "P values were corrected over targets by the maximum statistic of the permutations [@nichols2002].",
}
_CEILINGS = {
    "ncsnr": "the variance of the signal against that of the noise over repeats [@allen2022]",
    "schoppe": "the power of the signal over repeats [@schoppe2016]",
    "given": "reliabilities that were handed to the analysis",
    "explainable_variance": "the explainable variance over repeats",
    "cross_subject": "how well other subjects predict the responses",
}
_MEASURES = {
    "spearman": "Spearman's rank correlation",
    "rho_a": "the rank correlation averaged over ways to break ties (rho-a) [@schutt2023]",
    "tau_a": "Kendall's tau-a",
    "pearson": "Pearson's correlation",
    "cosine": "the cosine of the angle",
    "whitened_cosine": "the whitened cosine, which takes account of shared errors of distances [@diedrichsen2021]",
    "whitened_correlation": "the whitened correlation, which takes account of shared errors of distances [@diedrichsen2021]",
}


def comparison_sentences(results: Mapping[str, Any]) -> list[str]:
    """Sentences on the first result of each type; of several of one type all were found in one way.

    Parameters
    ----------
    results : mapping of str to result
        Results of a run; those of other types are passed over.

    Returns
    -------
    list of str
        Sentences with ``[@key]``.
    """
    first: dict[str, Any] = {}
    for result in results.values():
        first.setdefault(type(result).__name__, result)
    if "LayerResult" in first:  # says all that there is to say about an encoding model
        first.pop("ComparisonResult", None)
    return [sentence for kind, result in first.items() if kind in _WRITERS for sentence in _WRITERS[kind](result)]


def _encoded(result: Any) -> list[str]:
    settings = result.settings
    banded = settings.get("model") == "banded"
    model = (
        "banded ridge regression, a penalty for each feature space [@nunezelizalde2019; @duprelatour2022]"
        if banded
        else "ridge regression [@hoerl1970]"
    )
    sentences = [
        f"The responses were predicted from the features by {model}, an encoding model for each target [@naselaris2011].",
        "Features and responses were standardised with the mean and variance of the training rows, and penalties were chosen for "
        "each target on inner folds of them.",
        *_delays(settings.get("delays_s")),
        f"Cross-validation: {str(result.split).rstrip('.')}.",
        f"The score is {'the Pearson correlation r' if result.metric == 'r' else 'the explained variance R²'} of predicted and "
        f"measured responses in the held-out rows, averaged over folds; the baseline is {_baseline(result)}.",
    ]
    return [*sentences, *_ceiling(result), *_permutations(result)]


def _baseline(result: Any) -> str:
    name = str(result.baseline_name)
    return name if name.startswith(("the ", "nuisance")) else f"the {name}"


def _delays(delays: Any) -> list[str]:
    if delays is None or not len(delays):
        return []
    spread = f"{number(min(delays))} to {number(max(delays))} s" if len(delays) > 1 else f"{number(delays[0])} s"
    return [f"Each feature entered at {plural(len(delays), 'delay')} ({spread}), so that the response to it was estimated."]


def _ceiling(result: Any) -> list[str]:
    if result.ceiling is None:
        return []
    name = str(result.ceiling_name)
    halves = f"{name} [@spearman1910]"
    how = _CEILINGS.get(name, halves if "half" in name or "halves" in name else name)
    ratio = "r was divided by the root of" if result.metric == "r" else "R² was divided by"
    floor = number(result.ceiling_floor)
    return [f"The noise ceiling ρ, a share of variance, comes from {how}; {ratio} it where ρ is {floor} or more."]


def _permutations(result: Any) -> list[str]:
    if result.q is None:
        return []
    method = result.settings.get("permutation")
    scheme = method if isinstance(method, Mapping) else {}
    rows = plural(int(scheme.get("rows", 1)), "row")
    how = {
        "circular": f"predictions shifted in a circle by {rows} or more within each run",
        "block": f"predictions exchanged in blocks of {rows}" if scheme.get("rows") != 1 else "trials shuffled",
    }.get(str(scheme.get("method")), "predictions permuted")
    counted = "counting the data as one more permutation [@phipson2010]"
    test = f"P values come from {plural(result.n_permutations, 'permutation')} ({how}, alike for all targets), {counted}."
    return [test, _CORRECTIONS.get(str(result.correction), f"P values were corrected by {result.correction}.")]


def _layered(result: Any) -> list[str]:
    chosen = f"For each fold and target one of {plural(len(result.layers), 'layer')} of the model was chosen on the inner folds."
    return [*_encoded(result.best), chosen]


def _rdms(result: Any) -> list[str]:
    measure = _MEASURES.get(result.measure, str(result.measure))
    n_draws = result.settings.get("n_bootstrap")
    sentences = [
        f"Models were compared with the brain by representational similarity analysis [@kriegeskorte2008], RDMs by {measure}.",
        f"P values: {result.test}, corrected over models by the false discovery rate [@benjamini1995].",
    ]
    if n_draws:
        what = {"both": "conditions and subjects", "stimuli": "conditions"}.get(str(result.settings.get("over")), "subjects")
        sentences.append(f"Confidence intervals come from {plural(n_draws, 'bootstrap draw')} over {what} [@schutt2023].")
    if result.n_subjects > 1:
        sentences.append(
            "The noise ceiling is the mean similarity of each subject's RDM with that of the others (lower bound) and of all "
            "subjects (upper bound) [@nili2014]."
        )
    return sentences


def _partitioned(result: Any) -> list[str]:
    how = {
        "inclusion_exclusion": "from the R² of every combination of spaces [@deheer2017]",
        "shapley": "as Shapley values over every combination of spaces",
        "product_measure": "by the product measure in the fit of all spaces [@duprelatour2022]",
    }
    return [
        f"The variance that {plural(len(result.spaces), 'feature space')} explain in held-out data was divided among them "
        f"{how.get(result.method, result.method)}, fitted by banded ridge regression [@nunezelizalde2019] on the same folds.",
        f"Cross-validation: {str(result.split).rstrip('.')}.",
    ]


def _checked(result: Any) -> list[str]:
    return [
        "Whether the split lets samples near in time help a model was checked with features that know nothing of the stimulus "
        "(a smoothed identity and autoregressive noise) [@feghhi2024]."
    ]


def _flipped(result: Any) -> list[str]:
    n = plural(result.n_flips, "pattern")
    return [f"Scores were tested over subjects with {n} of flipped signs, corrected by the maximum statistic [@nichols2002]."]


_WRITERS: dict[str, Callable[[Any], list[str]]] = {
    "ComparisonResult": _encoded,
    "LayerResult": _layered,
    "RdmComparison": _rdms,
    "VariancePartition": _partitioned,
    "LeakageResult": _checked,
    "SignFlipResult": _flipped,
}

"""One sentence per preprocessing step, from its parameters; citations stand as ``[@key]``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neurodecode.report.words import plural

Step = Mapping[str, Any]
_ICA = {"fastica": "FastICA [@hyvarinen1999]", "infomax": "extended infomax [@lee1999]", "picard": "Picard [@ablin2018]"}


def _listed(names: Sequence[Any], most: int = 6) -> str:
    """Names in a sentence, cut where there are many."""
    shown = ", ".join(map(str, names[:most]))
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _clean(step: Step) -> str:
    done = []
    confounds = step["confounds"]
    if confounds:
        done.append(f"{plural(len(confounds), 'confound')} ({_confound_kinds(confounds)}) regressed out")
    if step["high_pass"]:
        done.append(f"drifts slower than {1 / step['high_pass']:.0f} s removed")
    if step["low_pass"]:
        done.append(f"frequencies above {step['low_pass']:g} Hz removed")
    if step["detrend"]:
        done.append(f"a {step['detrend']} trend removed")
    scale = {"zscore": "each voxel set to mean 0 and variance 1", "psc": "each voxel expressed in percent signal change"}
    if step["standardise"]:
        done.append(scale[step["standardise"]])
    text = "Each run was cleaned by itself with nilearn [@abraham2014]" + (f": {', '.join(done)}." if done else ".")
    return text + (" The images had not gone through fMRIPrep: this was allowed on purpose." if step["allow_raw"] else "")


def _confound_kinds(names: Sequence[str]) -> str:
    """Families of confounds, with their papers."""
    motion = sum(name.startswith(("trans_", "rot_")) for name in names)
    compcor = sum("comp_cor" in name for name in names)
    others = len(names) - motion - compcor
    parts = [
        f"{motion} of head motion{' [@friston1996]' if motion > 6 else ''}" if motion else "",
        f"{compcor} of CompCor [@behzadi2007]" if compcor else "",
        f"{others} others" if others else "",
    ]
    return ", ".join(part for part in parts if part)


def _steady(step: Step) -> str:
    return f"The first {plural(step['n_volumes'], 'volume')} of a run, before the signal was steady, were dropped [@esteban2019]."


def _blocks(step: Step) -> str:
    length = f"{step['duration']:g} s" if step.get("duration") else "the length of the block"
    return f"Each block became one response: the mean over the volumes from {step['lag']:g} s after its onset, for {length}."


def _betas(step: Step) -> str:
    lss = step["method"] == "lss"
    how = "least squares separate, one model per trial [@mumford2012]" if lss else "least squares all, one model for all trials"
    noise = {"ols": "independent noise", "ar1": "autoregressive noise of order 1"}[step["noise_model"]]
    shape = f"the {step['hrf'].capitalize() if step['hrf'] == 'glover' else 'SPM'} response function"
    drift = f", drifts slower than {1 / step['high_pass']:.0f} s in the model" if step["high_pass"] else ""
    cite = " [@glover1999]" if step["hrf"] == "glover" else ""
    return f"The amplitude of the response to each event was estimated by {how}, with {shape}{cite}, {noise}{drift}."


def _fir(step: Step) -> str:
    low, high = step["window"]
    return f"Responses from {low:g} to {high:g} s after each event were estimated as a finite impulse response, of any shape."


def _chosen_responses(step: Step) -> str:
    return f"This way of making responses was chosen because {step['reason']}." if step["reason"] != "asked for" else ""


def _standardise_runs(step: Step) -> str:
    return "Responses were set to mean 0 and variance 1 within each run, from all of its samples but none of its labels."


def _mask(step: Step) -> str:
    return f"{step['n_channels']} voxels inside the mask were used."


def _parcellate(step: Step) -> str:
    return f"Voxels were averaged within {plural(step['n_parcels'], 'parcel')}."


def _surface(step: Step) -> str:
    return (
        f"The volumes were sampled onto the surface {step['mesh']} ({step['n_vertices']} vertices) with nilearn [@abraham2014]."
    )


def _filter(step: Step) -> str:
    low, high = step["l_freq"], step["h_freq"]
    band = f"{low:g} to {high:g} Hz" if low and high else f"above {low:g} Hz" if low else f"below {high:g} Hz"
    return f"Signals were filtered to {band} with a {step.get('method', 'zero-phase FIR')} filter of MNE-Python [@gramfort2013]."


def _notch(step: Step) -> str:
    return f"Line noise was removed by zero-phase notches at {_listed([f'{f:g}' for f in step['freqs']])} Hz."


def _resample(step: Step) -> str:
    return f"Signals were resampled from {step['from']:g} to {step['sfreq']:g} Hz."


def _reference(step: Step) -> str:
    to = step["to"]
    what = "the average of all good channels" if to == "average" else _listed(to if isinstance(to, list) else [to])
    return f"EEG was referenced to {what}."


def _epochs(step: Step) -> str:
    base = step["baseline"]
    baseline = f", with the mean of {base[0]:g} to {base[1]:g} s subtracted" if base and None not in base else ""
    limit = step.get("reject_peak_to_peak")
    rejected = (
        f" Epochs with a peak-to-peak amplitude above {limit * 1e6:g} µV were dropped." if isinstance(limit, (int, float)) else ""
    )
    bad = step.get("bad_channels_left_out")
    left_out = f" Bad channels left out: {_listed(bad)}." if bad else ""
    return f"Epochs from {step['tmin']:g} to {step['tmax']:g} s around the events were cut{baseline}.{rejected}{left_out}"


def _baseline(step: Step) -> str:
    low, high = step["tmin"], step["tmax"]
    start = "the start" if low is None else f"{low:g} s"
    return (
        f"The mean from {start} to {'the end' if high is None else f'{high:g} s'} was subtracted from each channel of each epoch."
    )


def _find_bad(step: Step) -> str:
    found = step["marked_bad"]
    named = _listed([f"{name} ({reason})" for name, reason in found.items()])
    return f"Channels that were flat, far too large or unlike all others were looked for: {named or 'none was found'}."


def _drop_bads(step: Step) -> str:
    return f"Bad channels were left out: {_listed(step['dropped'])}." if step["dropped"] else ""


def _interpolate(step: Step) -> str:
    names = step["interpolated"]
    return f"Bad channels were interpolated with spherical splines [@perrin1989]: {_listed(names)}." if names else ""


def _whiten(step: Step) -> str:
    return (
        f"Signals were whitened by the noise covariance of training data ({step['n_samples']} samples, shrinkage "
        f"{step['shrinkage']:.3g} [@ledoit2004; @guggenmos2018])."
    )


def _robust_scale(step: Step) -> str:
    return f"Channels were scaled robustly by training data and clamped at ±{step['clamp']:g}."


def _causal(step: Step) -> str:
    kinds = {"reference": "reference", "notch": "notch filter", "band_pass": "Butterworth filter", "resample": "lower rate"}
    kinds |= {"scale": "robust scaling by training data", "clamp": "clamp"}
    names = ", ".join(kinds.get(part["step"], part["step"]) for part in step["steps"]) or "no step"
    return f"Signals went through a causal chain that runs alike on a stream ({names}), to {step['output_sfreq']:g} Hz."


def _causal_windows(step: Step) -> str:
    window, hop = step["window"], step["hop"]
    length = f"of {window:g} s" if isinstance(window, (int, float)) else f"from {window[0]:g} to {window[1]:g} s"
    where = "around each event" if hop is None else f"every {hop:g} s"
    done = [
        f"baseline {step['baseline']} s" if step["baseline"] else "",
        f"clamped at ±{step['clamp']:g}" if step["clamp"] else "",
    ]
    rest = ", ".join(text for text in done if text)
    return f"Windows {length} were cut {where}{f' ({rest})' if rest else ''}."


def _ica(step: Step) -> str:
    how = _ICA.get(str(step["method"]), str(step["method"]))
    return f"{plural(len(step['exclude']), 'independent component')} ({how}, fitted on training data) were taken out."


def _ssp(step: Step) -> str:
    return f"{plural(step['n_vectors'], 'signal-space projector')} of {step['artifact']} artefacts were applied [@uusitalo1997]."


def _regress_out(step: Step) -> str:
    return f"Artefacts were regressed out with {_listed(step['artifact_channels'])}, weights from training data [@gratton1983]."


def _maxwell(step: Step) -> str:
    span = step["st_duration"]
    how = f"temporal signal-space separation over {span:g} s [@taulu2006]" if span else "signal-space separation [@taulu2005]"
    return f"MEG was cleaned by {how}."


def _bipolar(step: Step) -> str:
    alone = step.get("contacts_without_pair")
    rest = f" Contacts without a neighbour: {_listed(alone)}." if alone else ""
    return f"Neighbouring contacts of each shaft were subtracted ({plural(step['pairs'], 'bipolar pair')}) [@li2018].{rest}"


def _laplacian(step: Step) -> str:
    return "From each contact the mean of its neighbours on the shaft was subtracted (Laplacian) [@li2018]."


def _common_average(step: Step) -> str:
    return f"The {step['statistic']} over contacts was subtracted (common average reference) [@li2018]."


def _high_gamma(step: Step) -> str:
    low, high = step["band"]
    return (
        f"High-gamma amplitude is the mean of the envelopes of {plural(len(step['bands']), 'band')} from {low:g} to {high:g} Hz, "
        "each relative to its own mean [@crone2001; @bouchard2013]."
    )


def _band_power(step: Step) -> str:
    return f"The {step['output']} envelope from {step['l_freq']:g} to {step['h_freq']:g} Hz was taken (Hilbert transform)."


def _band_power_ratio(step: Step) -> str:
    band = f"{step['l_freq']:g} to {step['h_freq']:g} Hz (third-order Butterworth filter, forward and backward)"
    return f"Power from {band} in the {step['after']:g} s after {step['onset']:.3f} s was divided by the power before."


def _spikes(step: Step) -> str:
    low, high = step["band"]
    return (
        f"{plural(step['n_spikes'], 'interictal spike')} were marked by their envelope from {low:g} to {high:g} Hz [@janca2015]."
    )


def _flat(step: Step) -> str:
    found = step["marked_bad"]
    return f"Flat contacts were looked for: {_listed(list(found)) or 'none was found'}."


def _average(step: Step) -> str:
    by = step["by"]
    return f"Samples with the same {' and '.join(by)} were averaged."


SENTENCES: dict[str, Callable[[Step], str]] = {
    "average": _average,
    "causal.run": _causal,
    "causal.windows": _causal_windows,
    "fmri.betas": _betas,
    "fmri.block_average": _blocks,
    "fmri.clean": _clean,
    "fmri.drop_non_steady_state": _steady,
    "fmri.fir": _fir,
    "fmri.mask": _mask,
    "fmri.parcellate": _parcellate,
    "fmri.responses": _chosen_responses,
    "fmri.sample_surface": _surface,
    "fmri.standardise_runs": _standardise_runs,
    "ieeg.band_power": _band_power,
    "ieeg.band_power_ratio": _band_power_ratio,
    "ieeg.bipolar": _bipolar,
    "ieeg.common_average": _common_average,
    "ieeg.high_gamma": _high_gamma,
    "ieeg.laplacian": _laplacian,
    "ieeg.mark_flat": _flat,
    "ieeg.mark_spikes": _spikes,
    "meeg.apply_ica": _ica,
    "meeg.apply_ssp": _ssp,
    "meeg.baseline": _baseline,
    "meeg.drop_bads": _drop_bads,
    "meeg.epochs": _epochs,
    "meeg.filter": _filter,
    "meeg.find_bad_channels": _find_bad,
    "meeg.interpolate_bads": _interpolate,
    "meeg.maxwell_filter": _maxwell,
    "meeg.notch": _notch,
    "meeg.reference": _reference,
    "meeg.regress_out": _regress_out,
    "meeg.resample": _resample,
    "meeg.robust_scale": _robust_scale,
    "meeg.whiten": _whiten,
}

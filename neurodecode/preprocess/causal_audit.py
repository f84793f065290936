"""What a chain on disk says, and which steps of what was done to data a stream could have done."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from neurodecode.errors import CorruptFileError, FormatError

# Steps of `meta["steps"]` that use no sample later than the one they give; a window counts as a whole, it is decoded at its end.
_CAUSAL = {
    *("causal.run", "meeg.reference", "meeg.interpolate_bads", "meeg.drop_bads", "meeg.find_bad_channels", "meeg.apply_ica"),
    *("meeg.apply_ssp", "meeg.regress_out", "meeg.whiten", "meeg.robust_scale", "meeg.clamp", "meeg.epochs", "meeg.baseline"),
    *("causal.windows", "ieeg.common_average", "ieeg.bipolar", "ieeg.laplacian", "ieeg.mark_flat", "read"),
}


def noncausal_steps(steps: Iterable[dict[str, Any]]) -> list[str]:
    """Name the steps of an object that look ahead, or that are not known not to.

    Zero-phase filters, resampling in the frequency domain and the Hilbert transform use samples that a stream does not have yet.
    A decoder fitted on such data sees other signals online, and the latency of what it finds is smeared.

    Parameters
    ----------
    steps : iterable of dict
        ``meta["steps"]`` of a `Recording` or `Responses`.

    Returns
    -------
    list of str
        Names in their order; empty where all is causal.
    """
    return [str(step.get("step")) for step in steps if step.get("step") not in _CAUSAL]


def read_parameters(path: Path, kind: str) -> dict[str, Any]:
    """Read the parameters of a chain.

    Parameters
    ----------
    path : Path
        JSON.
    kind : str
        What the file must say that it is.

    Returns
    -------
    dict
        Not checked beyond their kind.

    Raises
    ------
    FormatError
        If there is no such file, or it is something else.
    CorruptFileError
        If it is not JSON.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(path, f"it cannot be read ({error})", "Give the file that CausalChain.save wrote") from error
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(path, f"not readable as JSON ({error})", "Save the chain again") from error
    if not isinstance(values, dict) or values.get("kind") != kind:
        raise FormatError(path, f"expected a {kind}", "Give the file that CausalChain.save wrote")
    return values

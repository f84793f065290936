"""Decoding of plain arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from neurodecode.decode.inputs import as_responses
from neurodecode.decode.linear import LinearDecoder
from neurodecode.decode.result import DecodingResult
from neurodecode.errors import DataError


def cross_validate_arrays(
    x: ArrayLike, y: ArrayLike, groups: ArrayLike, decoder: LinearDecoder | None = None, **options: Any
) -> DecodingResult:
    """Cross-validate on plain arrays.

    Parameters
    ----------
    x : array_like of shape (n_samples, n_units) or (n_samples, n_units, n_times)
        Features, taken as float32.
    y : array_like of shape (n_samples,)
        Labels or values.
    groups : array_like of shape (n_samples,)
        Group of each sample, e.g. its run; whole groups are held out and labels permuted within them.
    decoder : LinearDecoder, optional
        By default ``LinearDecoder("classification")``.
    **options
        ``n_permutations, n_splits, jobs`` of `LinearDecoder.cross_validate`.

    Returns
    -------
    DecodingResult
        As there.

    Raises
    ------
    DataError
        As there, and if lengths differ.
    """
    labels, members = np.asarray(y), np.asarray(groups)
    if labels.ndim != 1 or labels.shape != members.shape:
        raise DataError(f"y and groups must be two lists of one length, got shapes {labels.shape} and {members.shape}")
    responses = as_responses(x, pd.DataFrame({"target": labels, "run": members}))
    return (decoder or LinearDecoder()).cross_validate(responses, "target", "run", **options)

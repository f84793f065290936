"""Whether a decoder, its chain and a source belong together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.validate import suggest
from neurodecode.errors import DataError
from neurodecode.preprocess.causal import CausalChain, noncausal_steps


def source_rows(names: Sequence[str], wanted: Sequence[str]) -> NDArray[np.intp] | None:
    """Rows of the channels of a chain in a source; None where they are all of them in this order."""
    if list(names) == list(wanted):
        return None
    place = {name: i for i, name in enumerate(names)}
    for name in wanted:
        if name not in place:
            raise DataError(f"the source has no channel {name!r} of the chain: {suggest(name, names)}")
    return np.array([place[name] for name in wanted], np.intp)


def check_causal(steps: list[dict[str, Any]], chain: CausalChain, *, allowed: bool) -> list[str]:
    """What is wrong with how the training responses were made; raises unless it is allowed."""
    ahead = noncausal_steps(steps)
    made = [step.get("fingerprint") for step in steps if step.get("step") == "causal.run"]
    faults = [f"the decoder was fitted on data whose steps look ahead or are not known to be causal: {ahead}"] if ahead else []
    if not made:
        faults.append("the decoder was not fitted behind a causal chain (no step causal.run)")
    elif made != [chain.fingerprint]:
        faults.append(f"the decoder was fitted behind another chain ({str(made[-1])[:12]} instead of {chain.fingerprint[:12]})")
    if faults and not allowed:
        raise DataError(
            f"{'; '.join(faults)}. Fit it on cut_windows(...), or pass allow_noncausal=True to be told in each report"
        )
    return faults


def check_units(decoder: Any, chain: CausalChain) -> None:
    """A decoder that knows its units must get them in its order."""
    names = getattr(decoder, "unit_names_", None)
    if names and list(names) != list(chain.channels):
        i = next(i for i, pair in enumerate(zip_longest(names, chain.channels)) if pair[0] != pair[1])
        raise DataError(
            f"the decoder was fitted on {len(names)} channels, the chain gives {len(chain.channels)}, and they differ from "
            f"number {i} on ({[*names[i : i + 1]]} against {[*chain.channels[i : i + 1]]})"
        )

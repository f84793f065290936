"""A decoder for live use as one folder: decoder, causal chain and windows, so that none is used without the others."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodecode.data import load, save
from neurodecode.data.atomic import atomic_folder
from neurodecode.data.hashing import jsonable
from neurodecode.data.validate import suggest
from neurodecode.errors import CorruptFileError, DataError, FormatError, NeurodecodeError
from neurodecode.preprocess.causal import CausalChain

if TYPE_CHECKING:
    from neurodecode.decode.stream import StreamDecoder

MARKER = "stream.json"
_CHAIN, _DECODER, _CANDIDATES = "chain.json", "decoder", "candidates"
_KIND, _VERSION = "neurodecode StreamDecoder", 1
_AGAIN = "Save the stream decoder again"
_DECODERS = {  # kind of decoder -> module that defines it: nothing else is looked up
    "LinearDecoder": "neurodecode.decode.linear",
    "RidgeCV": "neurodecode.linear.ridge",
    "FoldedNetwork": "neurodecode.decode.stream_network",
    "MEEGImageDecoder": "neurodecode.decode.meeg_images",
    "SpeechDecoder": "neurodecode.decode.speech",
}


def save_stream(stream: StreamDecoder, folder: Path) -> Path:
    """Write a `StreamDecoder`; see `StreamDecoder.save`."""
    kind = type(stream.decoder).__name__
    if kind not in _DECODERS:
        raise DataError(f"a decoder of type {kind} cannot be saved with its stream, only {list(_DECODERS)}")
    with atomic_folder(folder, MARKER) as partial:
        stream.decoder.save(partial / _DECODER)
        stream.chain.save(partial / _CHAIN)
        if stream.candidates is not None:
            save(stream.candidates, partial / _CANDIDATES)
        config = {
            "kind": _KIND,
            "version": _VERSION,
            "decoder": kind,
            "chain": stream.chain.fingerprint,
            "plan": stream.plan.parameters(),
            "settle": stream.settle,
            "history": stream.history,
            "candidates": stream.candidates is not None,
            "subject": stream.subject,
            "notes": stream.notes,
        }
        text = json.dumps(jsonable(config), indent=2) + "\n"
        (partial / MARKER).write_text(text, encoding="utf-8", newline="\n")
    return folder


def load_stream(folder: Path) -> StreamDecoder:
    """Read a `StreamDecoder`; see `StreamDecoder.load`."""
    from neurodecode.decode.stream import StreamDecoder
    from neurodecode.decode.stream_windows import WindowPlan

    config = _read_config(folder / MARKER)
    chain = CausalChain.load(folder / _CHAIN)
    if chain.fingerprint != config.get("chain"):
        raise CorruptFileError(folder / _CHAIN, "it is not the chain that the decoder was saved with", _AGAIN)
    decoder = load_decoder(folder / _DECODER)
    try:
        plan = WindowPlan.from_parameters(config["plan"])
        candidates = load(folder / _CANDIDATES) if config["candidates"] else None
        options = {name: config[name] for name in ("settle", "history", "subject")}
        found = StreamDecoder(decoder, chain, **vars(plan), candidates=candidates, **options)
        found.notes = [str(note) for note in config["notes"]]
    except CorruptFileError:
        raise
    except (NeurodecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptFileError(folder / MARKER, f"its parts do not fit each other ({error!r:.200})", _AGAIN) from error
    return found


def load_decoder(folder: str | Path) -> Any:
    """Open a saved decoder of whatever kind.

    Parameters
    ----------
    folder : str or Path
        Written by the ``save`` of a decoder.

    Returns
    -------
    object
        Fitted.

    Raises
    ------
    FormatError
        If the folder holds no decoder of a known kind.
    CorruptFileError
        If a file is damaged.
    """
    path = Path(folder) / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(folder, "there is no config.json in it, so no saved decoder", "Give the folder of a decoder") from error
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(path, f"not readable as JSON ({error})", "Save the decoder again") from error
    kind = str(config.get("kind", "") if isinstance(config, dict) else "").removeprefix("neurodecode ")
    if kind not in _DECODERS:
        raise FormatError(path, f"it is of kind {kind!r}: {suggest(kind, _DECODERS)}", "Give the folder of a decoder")
    return getattr(importlib.import_module(_DECODERS[kind]), kind).load(Path(folder))


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(path, f"it cannot be read ({error})", "Give the folder that StreamDecoder.save wrote") from error
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(path, f"not readable as JSON ({error})", _AGAIN) from error
    if not isinstance(config, dict) or config.get("kind") != _KIND:
        raise FormatError(path, f"expected a {_KIND}", "Give the folder that StreamDecoder.save wrote")
    if config.get("version") != _VERSION:
        raise FormatError(path, f"version {config.get('version')!r}, this release reads {_VERSION}", "Update neurodecode")
    return config

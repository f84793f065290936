"""Pretrained networks of `transformers`: opened without a download, without pickles and without foreign code."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from neurodecode.data.validate import check_option, require
from neurodecode.errors import CorruptFileError, DataError, FormatError, NeurodecodeError
from neurodecode.io.model_files import ModelFiles, find_model, identity

log = logging.getLogger(__name__)

_DTYPES = ("float32", "float16", "bfloat16")
_UNUSED = ("pooler", "mask_token", "masked_spec_embed")  # parameters that no hidden state depends on


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A model on this machine; weights, tokenizer and preprocessing are read when they are first used.

    Parameters
    ----------
    files : ModelFiles
        Where it is.
    device : str
        Where it computes, e.g. ``cpu`` or ``cuda:0``.
    dtype : str
        Type it computes in.
    """

    files: ModelFiles
    device: str
    dtype: str

    def __repr__(self) -> str:
        revision = f" at {self.files.revision}" if self.files.revision else ""
        return f"<Model {self.files.name}{revision}, {self.dtype} on {self.device}>"

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What its output depends on: name, commit, sha256 of every file, and the type it computes in."""
        return {**identity(self.files), "dtype": self.dtype}

    @cached_property
    def config(self) -> Any:
        """Its configuration, without weights."""
        return self._open("AutoConfig", "its configuration cannot be read")

    @cached_property
    def net(self) -> Any:
        """The network without a task's head, in evaluation mode."""
        return self._network("AutoModel")

    @cached_property
    def language_model(self) -> Any:
        """The network with the head that predicts the next token."""
        return self._network("AutoModelForCausalLM")

    @cached_property
    def tokenizer(self) -> Any:
        """Its tokenizer, one that knows which letters each token stands for."""
        tokenizer = self._open("AutoTokenizer", "its tokenizer cannot be read", use_fast=True)
        if not tokenizer.is_fast:
            raise FormatError(self.files.folder, f"{type(tokenizer).__name__} knows no character offsets", "Add tokenizer.json")
        return tokenizer

    @cached_property
    def image_processor(self) -> Any:
        """Its own resizing, cropping and scaling of images, computed by Pillow whatever else is installed."""
        require("PIL", "preprocessing images", "demo")
        import transformers

        backend = {"backend": "pil"} if int(transformers.__version__.split(".")[0]) >= 5 else {"use_fast": False}
        return self._open("AutoImageProcessor", "its image processor cannot be read", **backend)

    @cached_property
    def feature_extractor(self) -> Any:
        """Its own preprocessing of sounds."""
        return self._open("AutoFeatureExtractor", "its feature extractor cannot be read")

    def _network(self, kind: str) -> Any:
        """Open a network, refusing weights that do not fill it."""
        import torch

        net, info = self._open(kind, "its weights cannot be read", use_safetensors=True, output_loading_info=True)
        absent = sorted(k for k in info["missing_keys"] if not any(word in k for word in _UNUSED))
        wrong = sorted(str(k) for k in info["mismatched_keys"])
        if absent or wrong:
            first = (absent + wrong)[0]
            what = f"{len(absent)} parameters are missing and {len(wrong)} have another shape, e.g. {first}"
            raise CorruptFileError(self.files.folder, f"its weights do not fill {type(net).__name__}: {what}", _WHOLE)
        net.missing_parameters = tuple(sorted(info["missing_keys"]))
        return net.to(device=self.device, dtype=getattr(torch, self.dtype)).eval()

    def _open(self, kind: str, what: str, **options: Any) -> Any:
        """Call ``from_pretrained`` of one of the Auto classes on the folder."""
        transformers = require("transformers", "networks", "decode")
        opener: Callable[..., Any] = getattr(transformers, kind).from_pretrained
        with _reading(self.files.folder, what):
            return opener(self.files.folder, local_files_only=True, trust_remote_code=False, **options)


_WHOLE = "Give a folder that holds the whole model, of the kind that is asked for"


@contextmanager
def _reading(folder: Path, what: str) -> Iterator[None]:
    """Name the folder in whatever is raised over its files."""
    from safetensors import SafetensorError

    try:
        yield
    except NeurodecodeError:
        raise
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, ArithmeticError, SafetensorError) as error:
        text = " ".join(str(error).split())
        raise CorruptFileError(folder, f"{what} ({type(error).__name__}: {text:.300})", _WHOLE) from error


def load_model(
    model: str | Path | Model,
    *,
    revision: str | None = None,
    download: bool = False,
    device: str = "auto",
    dtype: str = "float32",
) -> Model:
    """Open a pretrained model of `transformers` from a folder, or by its hub id from the cache of this machine.

    Only safetensors weights are read, and no code that comes with a model is run.

    Parameters
    ----------
    model : str, Path or Model
        A folder, a hub id, or what this function returned.
    revision : str, optional
        Branch, tag or commit of a hub id.
    download : bool
        Fetch a hub id that is not on this machine. Nothing is fetched without it.
    device : str
        ``auto`` takes a GPU where there is one; else as torch names it.
    dtype : {"float32", "float16", "bfloat16"}
        Type to compute in.

    Returns
    -------
    Model
        Its files are checked now; its weights are read when they are first used.

    Raises
    ------
    FormatError
        If the model is not on this machine or has no safetensors weights; the message says what to run.
    CorruptFileError
        If a file is missing or damaged.
    DataError
        If device or dtype is unknown.
    """
    if isinstance(model, Model):
        return model
    return Model(find_model(model, revision=revision, download=download), _device(device), check_option("dtype", dtype, _DTYPES))


def _device(name: str) -> str:
    """The device by its name, or the best one."""
    torch = require("torch", "networks", "decode")
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise DataError(
            f"device={name!r} cannot be used here ({str(error).splitlines()[0]:.150}): try 'auto' or 'cpu'"
        ) from error
    return name


def run_batches(items: Any, run: Callable[[Any], Any], size: int, what: str) -> Iterator[Any]:
    """Run a function on batches in order, halving them when the device runs out of memory.

    Parameters
    ----------
    items : sequence
        What to cut into batches.
    run : callable
        Takes a stretch of `items`.
    size : int
        Items per batch to begin with.
    what : str
        What the items are, for the progress bar.

    Yields
    ------
    object
        What `run` returned for each batch.

    Raises
    ------
    DataError
        If one item alone does not fit, or `size` is below 1.
    """
    import torch
    from tqdm.auto import tqdm

    if int(size) != size or size < 1:
        raise DataError(f"batch_size must be a whole number of at least 1, got {size!r}")
    start = 0
    with tqdm(total=len(items), unit=what, disable=None) as bar:
        while start < len(items):
            try:
                with torch.no_grad():
                    result = run(items[start : start + size])
            except torch.OutOfMemoryError as error:
                size = _smaller(size, what, error)
                continue
            yield result
            bar.update(min(size, len(items) - start))
            start += size


def _smaller(size: int, what: str, error: Exception) -> int:
    """Half the batch, with the memory of the failed one given back."""
    import torch

    if size == 1:
        raise DataError(
            f"one {what} alone does not fit into the memory of the device ({error!s:.150}): use dtype='float16'"
        ) from error
    log.warning("a batch of %d does not fit into the memory of the device: trying %d", size, size // 2)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return size // 2

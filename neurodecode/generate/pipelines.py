"""Pipelines of diffusers from folders on this machine: no download, no pickles, no foreign code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurodecode.data.validate import check_option, require
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.model_files import PIPELINE, find_model

_DTYPES = ("float32", "float16", "bfloat16")


def open_pipeline(
    source: str | Path,
    *,
    revision: str | None = None,
    download: bool = False,
    device: str = "cpu",
    dtype: str = "float32",
    **parts: Any,
) -> Any:
    """Open a pipeline of diffusers from a folder, or by its hub id from the cache of this machine.

    Parameters
    ----------
    source : str or Path
        A folder with ``model_index.json``, or a hub id.
    revision : str, optional
        Branch, tag or commit of a hub id.
    download : bool
        Fetch a hub id that is not on this machine. Nothing is fetched without it.
    device : str
        Where it computes, as torch names it.
    dtype : {"float32", "float16", "bfloat16"}
        Type to compute in.
    **parts
        Parts to use in place of those of the folder, e.g. ``safety_checker=None``.

    Returns
    -------
    DiffusionPipeline
        As the folder describes it, without a progress bar of its own.

    Raises
    ------
    FormatError
        If it is not on this machine, is no pipeline, holds pickled weights only, or would need code of its own.
    CorruptFileError
        If a file is missing or damaged.
    DataError
        If the type is unknown.
    """
    torch, diffusers = require("torch", "generators", "decode"), require("diffusers", "generators", "decode")
    check_option("dtype", dtype, _DTYPES)
    files = find_model(source, revision=revision, download=download)
    if not (files.folder / PIPELINE).is_file():
        raise FormatError(files.folder, f"there is no {PIPELINE}, so this is no pipeline of diffusers", "Give such a folder")
    options = {"local_files_only": True, "use_safetensors": True, **parts}
    try:
        pipeline = diffusers.DiffusionPipeline.from_pretrained(files.folder, **options)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError) as error:
        text = " ".join(str(error).split())
        raise CorruptFileError(
            files.folder, f"it cannot be opened ({type(error).__name__}: {text:.300})", "Copy it again"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device, getattr(torch, dtype))

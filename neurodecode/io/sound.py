"""Sounds in WAV files."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.guard import AGAIN, existing_file, reading

_CONVERT = "Convert it, for instance with `ffmpeg -i FILE FILE.wav`"
_FULL_SCALE = {"u1": 128.0, "i2": 2.0**15, "i4": 2.0**31}  # of 24 bits too, which come shifted to the left


def read_sound(path: str | Path) -> tuple[NDArray[np.float32], float]:
    """Read one sound.

    Parameters
    ----------
    path : str or Path
        A WAV file of 8, 16, 24 or 32 bits, or of floats.

    Returns
    -------
    sound : array of shape (n_samples,) or (n_samples, n_channels)
        Pressure as float32; integers are divided by their full scale, so that it lies between -1 and 1.
    sfreq : float
        Sampling rate in Hz.

    Raises
    ------
    FormatError
        If there is no such file, or it is of another format.
    CorruptFileError
        If it is damaged or shorter than it says.
    """
    from scipy.io import wavfile

    file = existing_file(path)
    _check_length(file)
    with reading(file, "it is not a readable sound"), warnings.catch_warnings():
        warnings.simplefilter("error", wavfile.WavFileWarning)
        warnings.filterwarnings("ignore", message="Chunk \\(non-data\\) not understood")
        try:
            sfreq, data = wavfile.read(file)
        except (wavfile.WavFileWarning, NameError, ArithmeticError, MemoryError) as error:  # what scipy raises on odd headers
            raise CorruptFileError(file, f"it is not a readable sound ({error})", AGAIN) from error
    if data.size == 0 or sfreq <= 0:
        raise CorruptFileError(file, f"it holds {data.size} samples at {sfreq} Hz", AGAIN)
    kind = data.dtype.str[1:]
    if kind[0] == "f":
        return np.ascontiguousarray(data, np.float32), float(sfreq)
    if kind not in _FULL_SCALE:
        raise FormatError(file, f"its samples are of type {data.dtype}, expected up to 32 bits", _CONVERT)
    centred = data.astype(np.float32) - (128 if kind == "u1" else 0)
    return centred / np.float32(_FULL_SCALE[kind]), float(sfreq)


def _check_length(file: Path) -> None:
    """Refuse what is no WAV file, and one that is shorter than its header says."""
    with open(file, "rb") as opened:
        head = opened.read(12)
    if len(head) < 12 or head[:4] not in (b"RIFF", b"RIFX", b"RF64") or head[8:] != b"WAVE":
        raise FormatError(file, f"it is no WAV file, it begins with {head[:12]!r}", _CONVERT)
    said = 8 + struct.unpack(">I" if head[:4] == b"RIFX" else "<I", head[4:8])[0]
    if head[:4] != b"RF64" and said > file.stat().st_size:
        raise CorruptFileError(file, f"it has {file.stat().st_size} bytes of the {said} that its header states", AGAIN)

"""WAV files of every width: values in full scale, damage refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.sound import read_sound

WAVE = np.sin(2 * np.pi * 440 * np.arange(800) / 8000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A tenth of a second in 16 bits."""
    wavfile.write(tmp_path / "tone.wav", 8000, np.round(32767 * WAVE).astype(np.int16))
    return tmp_path / "tone.wav"


@pytest.mark.parametrize(
    ("dtype", "scale", "shift", "tolerance"),
    [("u1", 127, 128, 0.02), ("i2", 32767, 0, 1e-4), ("i4", 2**31 - 1, 0, 1e-6), ("f4", 1, 0, 1e-7), ("f8", 1, 0, 1e-7)],
)
@pytest.mark.parametrize("n_channels", [1, 2])
def test_every_width(dtype: str, scale: int, shift: int, tolerance: float, n_channels: int, tmp_path: Path) -> None:
    values = WAVE if n_channels == 1 else np.column_stack([WAVE, -WAVE])
    wavfile.write(tmp_path / "x.wav", 8000, (np.round(scale * values + shift) if scale > 1 else values).astype(dtype))
    sound, sfreq = read_sound(tmp_path / "x.wav")
    assert sfreq == 8000.0
    assert sound.dtype == np.float32
    np.testing.assert_allclose(sound, values, atol=tolerance)


def test_24_bits(file: Path) -> None:
    import wave

    with wave.open(str(file), "wb") as out:
        out.setparams((1, 3, 8000, 0, "NONE", ""))
        out.writeframes(b"".join(int(v * (2**23 - 1)).to_bytes(3, "little", signed=True) for v in WAVE))
    np.testing.assert_allclose(read_sound(file)[0], WAVE, atol=1e-6)


def test_every_truncation_is_noticed(file: Path) -> None:
    whole = file.read_bytes()
    for size in [*range(0, 60), *range(60, len(whole), 97), len(whole) - 1]:
        file.write_bytes(whole[:size])
        with pytest.raises(FormatError, match=r"tone\.wav"):
            read_sound(file)


def test_altered_headers_end_in_documented_errors(file: Path) -> None:
    whole, rng = file.read_bytes(), np.random.default_rng(0)
    for place in rng.integers(0, 44 * 8, 150):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << (place % 8)
        file.write_bytes(damaged)
        try:
            sound, sfreq = read_sound(file)
        except FormatError as error:
            message = str(error)
            assert "tone.wav" in message
            continue
        assert sound.size
        assert sfreq > 0


@pytest.mark.parametrize(
    "content", [b"fLaC" + bytes(60), b"ID3" + bytes(60), b"RIFF\x10\0\0\0AVI " + bytes(20), b"\x80\x04K\x01."]
)
def test_other_formats_say_how_to_convert(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    with pytest.raises(FormatError, match="no WAV file.*ffmpeg"):
        read_sound(file)


def test_no_samples(file: Path) -> None:
    wavfile.write(file, 8000, np.zeros(0, np.int16))
    with pytest.raises(CorruptFileError, match="0 samples"):
        read_sound(file)

"""Embeddings against what others compute: pipelines and losses of transformers, and scipy's spectra."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_models import model_folder, pictures, sounds, transcript

from neurodecode.data import Stimuli
from neurodecode.features import embed_images, embed_text, mel_spectrogram, word_surprisal

pytest.importorskip("transformers")
TEXTS = ["the cat sat on the mat", "nobody saw it, nobody"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp()


def test_images_against_the_pipeline_of_transformers(root: Path) -> None:
    """The pipeline gives the last state behind the last normalisation, ours the last hidden state before it."""
    import torch
    from PIL import Image
    from transformers import AutoModel, pipeline

    folder = model_folder("dinov2", root)
    pipe = pipeline("image-feature-extraction", model=str(folder), device="cpu")
    expected = np.array([pipe(Image.fromarray(item))[0] for item in pictures(2)])[:, 1:]
    states = np.asarray(embed_images(pictures(2), folder, layers=-1, pooling="none").data).reshape(2, 16, 32)
    with torch.no_grad():
        normalised = AutoModel.from_pretrained(folder).layernorm(torch.from_numpy(states)).numpy()
    np.testing.assert_allclose(normalised, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_texts_against_the_pipeline_of_transformers(root: Path, kind: str) -> None:
    from transformers import AutoModel, AutoTokenizer, pipeline

    folder = model_folder(kind, root)
    pipe = pipeline(
        "feature-extraction", model=AutoModel.from_pretrained(folder), tokenizer=AutoTokenizer.from_pretrained(folder)
    )
    found = embed_text(Stimuli(["a", "b"], TEXTS, "text"), folder, layers=-1, pooling="mean_all")
    expected = np.array([np.mean(pipe(text)[0], axis=0) for text in TEXTS])
    np.testing.assert_allclose(found.data, expected, rtol=1e-4, atol=1e-5)


def test_surprisal_against_the_loss_of_the_language_model(root: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = model_folder("gpt2", root)
    net, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    ids = tokenizer("<s>" + TEXTS[0], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        loss = float(net(input_ids=ids, labels=ids).loss)
    total = float(np.sum(word_surprisal(transcript(TEXTS[0]), folder).data))
    assert total == pytest.approx(loss * (ids.shape[1] - 1) / np.log(2), rel=1e-4)


def test_the_mel_spectrogram_against_scipy() -> None:
    """Power of scipy's Fourier transform through triangles written out from the mel scale of Slaney."""
    from scipy.signal import get_window

    stimuli = sounds(0.3)
    width, hop, n_fft = 400, 160, 512
    found = mel_spectrogram(stimuli, n_mels=20)
    window = get_window("hann", width)
    frames = np.lib.stride_tricks.sliding_window_view(stimuli[0][0].astype(float), width)[::hop]
    power = np.abs(np.fft.rfft(frames * window, n_fft)) ** 2
    edges = _slaney_hertz(np.linspace(0, _slaney_mel(8000.0), 22))
    frequency = np.fft.rfftfreq(n_fft, 1 / 16000)
    rise = (frequency[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - frequency[:, None]) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0, np.minimum(rise, fall)) * 2 / (edges[2:] - edges[:-2])
    np.testing.assert_allclose(found.data, 10 * np.log10(np.maximum(power @ triangles, 1e-10)), atol=1e-3)
    np.testing.assert_allclose(found.units["frequency"], edges[1:-1], rtol=1e-6)


def _slaney_mel(hertz: float) -> float:
    return 15 + 27 * np.log(hertz / 1000) / np.log(6.4)


def _slaney_hertz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))

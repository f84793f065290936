"""Tiny random networks of each kind, written the way `save_pretrained` writes a real one."""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.data import Stimuli

SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
VISION = {**SIZE, "image_size": 32, "patch_size": 8}
TEXT = {**SIZE, "vocab_size": 300, "max_position_embeddings": 40, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
SENTENCES = ["the cat sat on the mat", "a dog ran over the unhappily sleeping cat", "nobody saw it, nobody"] * 3


def byte_tokenizer(framed: bool = False) -> Any:
    """Pairs of bytes, as GPT-2 has them, without special tokens around a text, or as CLIP, with a begin and an end."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.ByteLevel(trim_offsets=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(SENTENCES, trainer)
    if framed:
        made.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<s>")


def piece_tokenizer() -> Any:
    """Pieces of words between [CLS] and [SEP], as BERT has them."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    whole = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "sat", "un", "##happi", "##ly", ",", ".", "nobody"]
    letters = list(string.ascii_lowercase + "äß🐶")
    vocabulary = {piece: i for i, piece in enumerate([*whole, *letters, *(f"##{letter}" for letter in letters)])}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(strip_accents=False)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=40, **names)


def _square(kind: str, **size: Any) -> Any:
    import transformers

    return getattr(transformers, f"{kind}ImageProcessorPil")(**size)


def _parts(kind: str) -> list[Any]:
    """Network and what prepares its input."""
    import transformers as t

    cropped = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    plain = {"size": {"height": 32, "width": 32}}
    makers: dict[str, Callable[[], list[Any]]] = {
        "vit": lambda: [t.ViTModel(t.ViTConfig(**VISION)), _square("ViT", **plain)],
        "vit_free": lambda: [t.ViTModel(t.ViTConfig(**VISION)), _square("ViT", do_resize=False)],
        "clip": lambda: [
            t.CLIPModel(t.CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=16)),
            _square("CLIP", **cropped),
            byte_tokenizer(framed=True),
        ],
        "siglip": lambda: [t.SiglipVisionModel(t.SiglipVisionConfig(**VISION)), _square("Siglip", **plain)],
        "dinov2": lambda: [t.Dinov2Model(t.Dinov2Config(**VISION)), _square("Bit", **cropped)],
        "registers": lambda: [
            t.Dinov2WithRegistersModel(t.Dinov2WithRegistersConfig(**VISION, num_register_tokens=3)),
            _square("Bit", **cropped),
        ],
        "convnext": lambda: [
            t.ConvNextModel(t.ConvNextConfig(hidden_sizes=[8, 12, 16, 20], depths=[1, 1, 1, 1], image_size=64)),
            _square("ViT", size={"height": 64, "width": 64}),
        ],
        "gpt2": lambda: [
            t.GPT2LMHeadModel(
                t.GPT2Config(vocab_size=300, n_embd=32, n_layer=2, n_head=2, n_positions=64, bos_token_id=0, eos_token_id=0)
            ),
            byte_tokenizer(),
        ],
        "bert": lambda: [t.BertModel(t.BertConfig(**{**TEXT, "vocab_size": 75, "pad_token_id": 0})), piece_tokenizer()],
        "t5": lambda: [
            t.T5Model(t.T5Config(vocab_size=300, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2)),
            byte_tokenizer(),
        ],
        "wav2vec2": lambda: [t.Wav2Vec2Model(t.Wav2Vec2Config(**_SPEECH)), t.Wav2Vec2FeatureExtractor()],
        "hubert": lambda: [
            t.HubertModel(t.HubertConfig(**_SPEECH, feat_extract_norm="layer")),
            t.Wav2Vec2FeatureExtractor(do_normalize=False),
        ],
        "whisper": lambda: [t.WhisperModel(t.WhisperConfig(**_WHISPER)), t.WhisperFeatureExtractor(feature_size=8)],
        "videomae": lambda: [
            t.VideoMAEModel(t.VideoMAEConfig(**VISION, num_frames=4, tubelet_size=2)),
            _square("VideoMAE", **cropped),
        ],
    }
    return makers[kind]()


_SPEECH = {**SIZE, "conv_dim": (8,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
_TOKENS = {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0, "decoder_start_token_id": 0}
_WHISPER = {
    **_TOKENS,
    "vocab_size": 50,
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "num_mel_bins": 8,
}


def write_model(kind: str, folder: Path, seed: int = 0) -> Path:
    """Write a random network of a kind, wide enough in its weights that its layers differ."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net, *others = _parts(kind)
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
    net.save_pretrained(folder)
    for part in others:
        part.save_pretrained(folder)
    return folder


def model_folder(kind: str, root: Path) -> Path:
    """Folder of a tiny network below `root`, written when it is first asked for."""
    folder = root / "tiny_models" / kind
    return folder if folder.exists() else write_model(kind, folder)


def pictures(n: int = 5, shape: tuple[int, int] = (40, 50)) -> Stimuli:
    """Random images."""
    rng = np.random.default_rng(1)
    return Stimuli([f"image{i}" for i in range(n)], list(rng.integers(0, 255, (n, *shape, 3), dtype=np.uint8)), "image")


def films(*lengths: int) -> Stimuli:
    """Random videos."""
    rng = np.random.default_rng(2)
    made = [rng.integers(0, 255, (n, 40, 50, 3), dtype=np.uint8) for n in lengths]
    return Stimuli([f"film{i}" for i in range(len(made))], made, "video")


def sounds(*seconds: float, rate: float = 16000.0) -> Stimuli:
    """Random sounds."""
    rng = np.random.default_rng(3)
    made = [(rng.standard_normal(round(s * rate)).astype(np.float32), rate) for s in seconds]
    return Stimuli([f"sound{i}" for i in range(len(made))], made, "audio")


def transcript(text: str, **columns: Any) -> pd.DataFrame:
    """A table of the words of a text, three per second."""
    words = text.split()
    onset = np.arange(len(words)) / 3
    return pd.DataFrame({"word": words, "onset": onset, "offset": onset + 0.25, **columns})


def hidden_states(folder: Path, part: str | None = None, **inputs: Any) -> tuple[Any, ...]:
    """Hidden states by a plain call of the network."""
    import torch
    from transformers import AutoModel

    net = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    net = net if part is None else getattr(net, part)
    with torch.no_grad():
        return tuple(s.numpy() for s in net(**inputs, output_hidden_states=True).hidden_states)


def pipeline(folder: Path) -> Path:
    """A pipeline of diffusers that makes pictures of 8 x 8 pixels from noise."""
    import torch
    from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel

    torch.manual_seed(0)
    blocks = {"down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",)}
    unet = UNet2DModel(sample_size=8, block_out_channels=(8,), norm_num_groups=4, layers_per_block=1, **blocks)
    DDPMPipeline(unet, DDPMScheduler(num_train_timesteps=10)).save_pretrained(folder, safe_serialization=True)
    return folder

"""Tiny models as a hub would hand them out, made and saved by the tests themselves: seconds, and no network."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from apps.engine.backbones.cure import cure_torchvision

cure_torchvision()

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
COLOURS = {"red": (220, 30, 30), "green": (30, 190, 40), "blue": (30, 40, 220)}
SIZE_PX = 32
GROUPS = (
    ["refund", "money", "charge", "invoice", "price", "card", "euro", "bill", "pay", "cash", "credit", "cost"],
    ["parcel", "delivery", "track", "late", "ship", "courier", "box", "post", "arrive", "address", "package", "door"],
)
"""Words of two things that texts are about; after some steps of learning a text encoder knows which go together."""


def tokenizer() -> Tokenizer:
    """Words become letters, the first of each marked by having no ##."""
    letters = [*string.ascii_lowercase, *string.digits, *".,:!?'"]
    pieces = [*SPECIALS, *letters, *(f"##{letter}" for letter in letters), "query", "photo", *GROUPS[0], *GROUPS[1]]
    made = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return made


def _save(network: Any, folder: Path, *, has_tokenizer: bool, **files: object) -> Path:
    network.save_pretrained(folder, safe_serialization=True)
    if has_tokenizer:
        tokenizer().save(str(folder / "tokenizer.json"))
        (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": "[PAD]"}))
    for name, facts in files.items():
        (folder / f"{name}.json").write_text(json.dumps(facts))
    return folder


def bert(folder: Path, *, seed: int = 0, n_steps: int = 0) -> Path:
    """A text encoder of two layers that reads 48 tokens at once; with some steps of learning it knows the `GROUPS`."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=tokenizer().get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=48,
    )
    network = BertModel(config)
    _learn_groups(network, n_steps, seed=seed)
    return _save(network, folder, has_tokenizer=True)


def dinov2(folder: Path) -> Path:
    """A picture encoder with a first token and patches of 8 pixels."""
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=SIZE_PX, patch_size=8, mlp_ratio=2
    )
    prepared = {"crop_size": {"height": SIZE_PX, "width": SIZE_PX}, "image_mean": [0.4] * 3, "image_std": [0.25] * 3}
    return _save(Dinov2Model(config), folder, has_tokenizer=False, preprocessor_config=prepared)


def clip(folder: Path, *, n_steps: int = 0) -> Path:
    """Pictures and texts in one space of 16 numbers; with some steps of learning it knows the `COLOURS` by name."""
    from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

    torch.manual_seed(0)
    sizes = {"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
    words = tokenizer()
    text = CLIPTextConfig(
        vocab_size=words.get_vocab_size(),
        max_position_embeddings=40,
        bos_token_id=2,
        eos_token_id=3,
        pad_token_id=0,
        **sizes,
    )
    vision = CLIPVisionConfig(image_size=SIZE_PX, patch_size=16, **sizes)
    network = CLIPModel(CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=16))
    _learn_colours(network, words, n_steps)
    prepared = {
        "size": {"shortest_edge": SIZE_PX},
        "crop_size": SIZE_PX,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    return _save(network, folder, has_tokenizer=True, preprocessor_config=prepared)


def siglip(folder: Path) -> Path:
    """The other kind of pair: texts are filled up to one length."""
    from transformers import SiglipConfig, SiglipModel, SiglipTextConfig, SiglipVisionConfig

    torch.manual_seed(0)
    sizes = {"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = SiglipTextConfig(
        vocab_size=tokenizer().get_vocab_size(), max_position_embeddings=32, pad_token_id=0, **sizes
    )
    vision = SiglipVisionConfig(image_size=SIZE_PX, patch_size=16, **sizes)
    network = SiglipModel(SiglipConfig(text_config=text.to_dict(), vision_config=vision.to_dict()))
    prepared = {"size": {"height": SIZE_PX, "width": SIZE_PX}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    return _save(network, folder, has_tokenizer=True, preprocessor_config=prepared)


def timm_vit(folder: Path) -> Path:
    """A picture encoder of timm, with its classifier, as timm itself saves it."""
    import timm
    from timm.models import save_for_hf

    torch.manual_seed(0)
    network = timm.create_model("test_vit", pretrained=False, num_classes=7)
    save_for_hf(network, folder, model_config={}, safe_serialization=True)
    for leftover in folder.glob("*.bin"):
        leftover.unlink()
    return folder


MAKERS: dict[str, Callable[[Path], Path]] = {
    "bert": bert,
    "dinov2": dinov2,
    "clip": clip,
    "siglip": siglip,
    "timm": timm_vit,
}


def coloured(colour: str, *, seed: int) -> Image.Image:
    """A picture of one colour with some noise."""
    random = np.random.default_rng(seed)
    pixels = np.array(COLOURS[colour]) + random.normal(0, 18, (SIZE_PX, SIZE_PX, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _learn_groups(network: Any, n_steps: int, *, seed: int) -> None:
    random, words = np.random.default_rng(seed), tokenizer()
    network.train()
    head = torch.nn.Linear(network.config.hidden_size, len(GROUPS))
    optimizer = torch.optim.Adam([*network.parameters(), *head.parameters()], lr=2e-3)
    for _ in range(n_steps):
        texts = [" ".join(random.choice(words_of_one, 2)) for words_of_one in GROUPS for _ in range(16)]
        ids = torch.tensor([encoding.ids for encoding in words.encode_batch(texts)])
        scores = head(network(input_ids=ids).last_hidden_state.mean(dim=1))
        loss = torch.nn.functional.cross_entropy(scores, torch.arange(len(GROUPS)).repeat_interleave(16))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()


def _learn_colours(network: Any, words: Tokenizer, n_steps: int) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    rows = [words.encode(f"a photo of a {colour}.").ids for colour in COLOURS]
    width = max(map(len, rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    for step in range(n_steps):
        pictures = np.stack([np.asarray(coloured(colour, seed=step)) for colour in COLOURS])
        pixels = (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
        loss = network(input_ids=ids, attention_mask=mask, pixel_values=pixels, return_loss=True).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

"""Pulled backbones read what their own libraries read, whatever comes in, however it is batched."""

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from apps.engine import backbones
from apps.engine.backbones import Backbone, Input, Pair, hub, token_rows
from apps.engine.backbones.hub_models import TURN_SECONDS, fitting, room_for
from apps.engine.backbones.hub_pictures import HubPictures
from apps.engine.backbones.hub_text import HubText
from apps.engine.backbones.pictures import to_rgb
from apps.engine.backbones.registry import Reading
from apps.engine.errors import BackboneUnavailable, DeadlineExpired, PullRefused
from apps.engine.runtime import Deadline
from apps.engine.types import Modality
from tests import tiny_models

TEXTS: list[Input] = [
    "", " ", "refund please", "Where is my parcel? It was due on Monday.", "\x00\ud800 half a surrogate", "é" * 50,
    "日本語のテキスト", "word " * 2_000, "x" * 50_000, "🙂", "a",
]  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models as a hub has them, under `hub`, and pulled, under `here`."""
    root = tmp_path_factory.mktemp("models")
    for name, make in tiny_models.MAKERS.items():
        made = make(root / "hub" / name)
        hub.pull(hub.wanted_from_folder(made, name=name), into=root / "here")
    hub.pull(hub.wanted_from_folder(root / "hub" / "bert", name="e5-small"), into=root / "here")
    return root


def opened(models: Path, name: str) -> Backbone:
    return backbones.load(name, pulled=models / "here", device="cpu")


def pictures() -> list[Input]:
    random = np.random.default_rng(0)
    photo = Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8)).resize((320, 240))
    modes = [photo.convert(mode) for mode in ("RGB", "L", "RGBA", "1", "CMYK", "F")]
    return [*modes, Image.new("RGB", (1, 1)), Image.new("L", (1, 900)), Image.new("RGB", (0, 0)), np.asarray(photo)]


@pytest.fixture(params=["bert", "e5-small", "dinov2", "clip", "siglip", "timm"])
def loaded(request: pytest.FixtureRequest, models: Path) -> tuple[Backbone, list[Input]]:
    backbone = opened(models, request.param)
    return backbone, list(TEXTS) if backbone.spec.modality is Modality.TEXT else pictures()


def test_nothing_a_user_may_bring_fails(loaded: tuple[Backbone, list[Input]]) -> None:
    backbone, inputs = loaded
    rows = backbone.encode(inputs)
    assert rows.shape == (len(inputs), backbone.spec.dim)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-2)
    assert backbone.encode([]).shape == (0, backbone.spec.dim)


def test_batching_and_order_do_not_change_an_embedding(loaded: tuple[Backbone, list[Input]]) -> None:
    backbone, inputs = loaded
    together = backbone.encode(inputs)
    backwards = backbone.encode(inputs[::-1])[::-1]
    alone = np.concatenate([backbone.encode([one]) for one in inputs])
    for other in (backwards, alone):
        np.testing.assert_allclose(together, other, atol=0.02)


def test_many_threads_get_the_rows_one_does(loaded: tuple[Backbone, list[Input]]) -> None:
    backbone, inputs = loaded
    expected, found = backbone.encode(inputs[:4]), list[np.ndarray]()
    threads = [threading.Thread(target=lambda: found.append(backbone.encode(inputs[:4]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for rows in found:
        np.testing.assert_allclose(rows, expected, atol=1e-5)


def test_the_deadline_and_the_modality_are_kept(loaded: tuple[Backbone, list[Input]]) -> None:
    backbone, inputs = loaded
    with pytest.raises(DeadlineExpired):
        backbone.encode(inputs, deadline=Deadline.after(0))
    wrong: Input = Image.new("RGB", (4, 4)) if backbone.spec.modality is Modality.TEXT else "text"
    with pytest.raises(TypeError):
        backbone.encode([inputs[0], wrong])


def near(rows: np.ndarray, expected: torch.Tensor) -> None:
    """Equal in direction, whatever arithmetic was the fastest here."""
    wanted = functional.normalize(expected.float(), dim=1).numpy()
    assert float((rows * wanted).sum(axis=1).min()) > 0.998


def test_texts_are_pooled_as_transformers_would(models: Path) -> None:
    from transformers import BertModel

    texts = ["I want my money back", "where is it?", "a"]
    network = BertModel.from_pretrained(models / "hub" / "bert").eval()
    encodings = tiny_models.tokenizer().encode_batch(texts)
    with torch.inference_mode():
        means = [network(torch.tensor([one.ids])).last_hidden_state.mean(dim=1) for one in encodings]
    near(opened(models, "bert").encode(texts), torch.cat(means))


def test_a_prefix_is_read_before_each_text_and_each_part(models: Path) -> None:
    plain, prefixed = opened(models, "bert"), opened(models, "e5-small")
    np.testing.assert_allclose(prefixed.encode(["refund"]), plain.encode(["query: refund"]), atol=0.02)
    assert np.abs(prefixed.encode(["refund"]) - plain.encode(["refund"])).max() > 0.01
    assert isinstance(prefixed, HubText)
    parts, _owners = prefixed._parts(["parcel " * 100])
    words = tiny_models.tokenizer()
    assert len(parts) == 3
    assert all(words.id_to_token(part[1]) == "query" for part in parts)
    assert all(part[0] == 2 and part[-1] == 3 and len(part) <= 48 for part in parts)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("cls", lambda states: states[0]),
        ("last", lambda states: states[-1]),
        ("max", lambda states: states.amax(dim=0)),
    ],
)
def test_other_ways_of_pooling(
    models: Path, tmp_path: Path, pooling: str, expected: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    from transformers import BertModel

    wanted = hub.wanted_from_folder(models / "hub" / "bert", name="own")
    wanted = hub.Wanted(wanted.name, wanted.source, None, Reading(pooling=(pooling,)))
    hub.pull(wanted, into=tmp_path)
    network = BertModel.from_pretrained(models / "hub" / "bert").eval()
    texts: list[Input] = ["I want my money back", "a"]
    with torch.inference_mode():
        ids = [torch.tensor([one.ids]) for one in tiny_models.tokenizer().encode_batch(texts)]
        rows = torch.stack([expected(network(one).last_hidden_state[0]) for one in ids])
    near(backbones.load("own", pulled=tmp_path, device="cpu").encode(texts), rows)


def test_a_long_text_is_read_to_its_end_and_costs_what_a_page_does(models: Path) -> None:
    backbone = opened(models, "bert")
    filler = "the committee met on tuesday. " * 4
    one, two = backbone.encode([filler + "refund " * 20, filler + "parcel " * 20])
    assert np.abs(one - two).max() > 0.005  # cut at the model's limit they would be the same
    assert isinstance(backbone, HubText)
    assert len(backbone._parts(["word " * 3_000])[0]) == 4


def pixels_of(given: list[Input], *, size_px: int, mean: float, std: float) -> torch.Tensor:
    stacked = np.stack([to_rgb(picture, size_px=size_px) for picture in given])
    return (torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 255 - mean) / std


def test_pictures_are_pooled_as_transformers_and_timm_would(models: Path) -> None:
    import timm
    from safetensors.torch import load_file
    from transformers import CLIPModel, Dinov2Model, SiglipModel

    given = pictures()
    with torch.inference_mode():
        states = (
            Dinov2Model.from_pretrained(models / "hub" / "dinov2")
            .eval()(pixel_values=pixels_of(given, size_px=32, mean=0.4, std=0.25))
            .last_hidden_state
        )
        parts = [functional.normalize(part, dim=1) for part in (states[:, 0], states[:, 1:].mean(dim=1))]
        near(opened(models, "dinov2").encode(given), torch.cat(parts, dim=1))
        pixels = pixels_of(given, size_px=32, mean=0.5, std=0.5)
        for name, kind in (("clip", CLIPModel), ("siglip", SiglipModel)):
            network = kind.from_pretrained(models / "hub" / name).eval()
            near(opened(models, name).encode(given), network.get_image_features(pixel_values=pixels).pooler_output)
        vit = timm.create_model("test_vit", pretrained=False, num_classes=7).eval()
        vit.load_state_dict(load_file(models / "hub" / "timm" / "model.safetensors"))
        features = vit.forward_features(pixels_of(given, size_px=160, mean=0.5, std=0.5))
        near(opened(models, "timm").encode(given), vit.forward_head(features, pre_logits=True))


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_names_are_read_as_transformers_would(models: Path, name: str) -> None:
    from transformers import CLIPModel, SiglipModel

    network = (CLIPModel if name == "clip" else SiglipModel).from_pretrained(models / "hub" / name).eval()
    backbone = opened(models, name)
    assert isinstance(backbone, Pair)
    names = ["red", "a very green thing", "", "\ud800 {} " * 60]
    rows = backbone.encode_names(names)
    assert rows.shape == (4, backbone.spec.dim)
    assert backbone.encode_names([]).shape[0] == 0
    words = tiny_models.tokenizer()
    with torch.inference_mode():
        for row, text in zip(rows[:2], names[:2], strict=True):
            ids = words.encode(text).ids
            ids = ids + [0] * (32 - len(ids)) if name == "siglip" else ids  # SigLIP was taught with filled rows
            expected = network.get_text_features(input_ids=torch.tensor([ids])).pooler_output
            near(row[None], expected)


def test_siglip_reads_names_as_plain_words(models: Path) -> None:
    backbone = opened(models, "siglip")
    assert isinstance(backbone, Pair)
    rows = backbone.encode_names(["Still-life,  (OIL)!", "stilllife oil", "still life"])
    np.testing.assert_array_equal(rows[0], rows[1])
    assert np.abs(rows[0] - rows[2]).max() > 1e-3


def test_a_pair_says_so_and_how_sure_it_is(models: Path) -> None:
    specs = {name: backbones.spec(name, pulled=models / "here") for name in ("bert", "dinov2", "clip", "siglip")}
    assert [name for name, spec in specs.items() if spec.is_pair] == ["clip", "siglip"]
    assert [name for name, spec in specs.items() if spec.reads_names] == ["bert", "clip", "siglip"]
    assert specs["clip"].temperature == pytest.approx(0.07, abs=1e-3)  # as saved: exp(-2.6592)
    dinov2 = opened(models, "dinov2")
    assert isinstance(dinov2, Pair)
    with pytest.raises(TypeError):
        dinov2.encode_names(["red"])


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_neither_half_of_a_pair_holds_the_other(models: Path, name: str) -> None:
    backbone = opened(models, name)
    assert isinstance(backbone, HubPictures)
    assert backbone._names is not None
    assert not hasattr(backbone._network.network, "text_model")
    assert not hasattr(backbone._names._network, "vision_model")


def test_a_preset_of_another_kind_is_refused(models: Path, tmp_path: Path) -> None:
    with pytest.raises(BackboneUnavailable):
        hub.pull(hub.wanted_from_folder(models / "hub" / "bert", name="dinov2-small"), into=tmp_path)
    with pytest.raises(BackboneUnavailable):
        hub.pull(hub.wanted_from_folder(models / "hub" / "dinov2", name="bge-small"), into=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_sentence_transformers_say_how_they_pool(models: Path, tmp_path: Path) -> None:
    folder = tiny_models.bert(tmp_path / "st")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(
        '{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}'
    )
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 30}')
    manifest = hub.pull(hub.wanted_from_folder(folder, name="st"), into=tmp_path / "here")
    assert (manifest.reading.pooling, manifest.reading.max_tokens) == (("cls",), 30)
    assert "1_Pooling/config.json" in manifest.files


def broken_tokenizer(**parts: object) -> str:
    return json.dumps({**json.loads(tiny_models.tokenizer().to_str()), **parts})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[" * 100_000,
        "\x00\xff",
        broken_tokenizer(model={"type": "Unigram", "vocab": [["a", 0.0]], "unk_id": 5}),
        broken_tokenizer(model={"type": "WordPiece", "vocab": {"a": 0}, "unk_token": "[UNK]"}),  # no word for the rest
        broken_tokenizer(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}),  # panics when opened
        broken_tokenizer(  # panics at the first text
            post_processor={
                "type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                "special_tokens": {},
            }
        ),
    ],
)
@pytest.mark.parametrize("name", ["bert", "clip"])
def test_a_broken_tokenizer_is_refused(models: Path, tmp_path: Path, name: str, content: str) -> None:
    folder = shutil.copytree(models / "hub" / name, tmp_path / name)
    (folder / "tokenizer.json").write_text(content, encoding="latin-1")
    with pytest.raises((BackboneUnavailable, PullRefused), match="cannot be read"):
        hub.pull(hub.wanted_from_folder(folder, name="broken"), into=tmp_path / "here")
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), DeadlineExpired("late"), ZeroDivisionError()])
def test_what_does_not_speak_of_the_files_is_raised_as_it_is(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), fitting(tmp_path):
        raise error


@pytest.mark.parametrize("error", [Exception("of tokenizers"), AssertionError(), KeyError("weights")])
def test_what_speaks_of_the_files_is_taken_for_a_damage(tmp_path: Path, error: Exception) -> None:
    refused = pytest.raises(BackboneUnavailable, match=r"The tokenizer in .* cannot be read")
    with refused, fitting(tmp_path, "tokenizer"):
        raise error


def test_rows_of_tokens_are_cut_evenly() -> None:
    parts, owners = token_rows.in_parts(
        [[9, *range(100, 200), 8], [9, 8]], n_head=1, n_tail=1, max_tokens=32, max_parts=9
    )
    assert owners.tolist() == [0, 0, 0, 0, 1]
    assert {token for part in parts[:4] for token in part} == {9, 8, *range(100, 200)}


def test_a_batch_takes_about_a_turn() -> None:
    clock = iter([0.0, 4 * TURN_SECONDS] * 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("apps.engine.backbones.hub_models.time.perf_counter", lambda: next(clock))
        for units, least, expected in ((80, 1, 20), (80, 64, 64), (8_000, 64, 1_000)):
            room = room_for(lambda: None, units=units, least=least, most=1_000, device="cpu")
            assert room.size() == expected


def test_pictures_may_be_read_at_another_size(models: Path, tmp_path: Path) -> None:
    for name, size_px in (("timm", 96), ("dinov2", 64)):
        wanted = hub.wanted_from_folder(models / "hub" / name, name=f"{name}-other")
        wanted = hub.Wanted(wanted.name, wanted.source, None, Reading(size_px=size_px))
        manifest = hub.pull(wanted, into=tmp_path)
        assert manifest.reading.size_px == size_px
        rows = backbones.load(manifest.name, pulled=tmp_path, device="cpu").encode(pictures())
        usual = opened(models, name).encode(pictures())
        assert rows.shape == usual.shape
        assert np.abs(rows - usual).max() > 0.01


def test_places_that_are_never_used_are_not_counted(tmp_path: Path) -> None:
    """The family of RoBERTa numbers the tokens of a text from behind its padding: one too many ends the pass."""
    from transformers import XLMRobertaConfig, XLMRobertaModel

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    n_words = tiny_models.tokenizer().get_vocab_size()
    config = XLMRobertaConfig(vocab_size=n_words, max_position_embeddings=34, pad_token_id=1, **sizes)
    XLMRobertaModel(config).save_pretrained(tmp_path / "xlm")
    tiny_models.tokenizer().save(str(tmp_path / "xlm" / "tokenizer.json"))
    (tmp_path / "xlm" / "tokenizer_config.json").write_text('{"pad_token": "[UNK]"}')  # number 1, as it has there
    manifest = hub.pull(hub.wanted_from_folder(tmp_path / "xlm", name="xlm"), into=tmp_path / "here")
    assert manifest.reading.max_tokens == 32
    backbone = backbones.load("xlm", pulled=tmp_path / "here", device="cpu")
    texts: list[Input] = ["parcel " * 30, "parcel " * 200, "a"]
    np.testing.assert_allclose(backbone.encode(texts)[2], backbone.encode(texts[2:])[0], atol=0.02)


def test_weights_in_several_files_are_one_model(models: Path, tmp_path: Path) -> None:
    from transformers import BertModel

    folder = models / "hub" / "bert"
    BertModel.from_pretrained(folder).save_pretrained(tmp_path / "parts", max_shard_size="40KB")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / name, tmp_path / "parts" / name)
    manifest = hub.pull(hub.wanted_from_folder(tmp_path / "parts", name="parts"), into=tmp_path / "here")
    assert sum(name.endswith(".safetensors") for name in manifest.files) > 1
    texts: list[Input] = ["where is my parcel", "money"]
    rows = backbones.load("parts", pulled=tmp_path / "here", device="cpu").encode(texts)
    np.testing.assert_allclose(rows, opened(models, "bert").encode(texts), atol=0.02)


def test_a_list_of_words_makes_a_tokenizer_too(models: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(models / "hub" / "bert", tmp_path / "old")
    vocabulary = tiny_models.tokenizer().get_vocab()
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)) + "\n")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "do_lower_case": true}')
    hub.pull(hub.wanted_from_folder(folder, name="old"), into=tmp_path / "here")
    texts: list[Input] = ["Where is my parcel?", "MONEY"]
    rows = backbones.load("old", pulled=tmp_path / "here", device="cpu").encode(texts)
    np.testing.assert_allclose(rows, opened(models, "bert").encode(texts), atol=0.02)

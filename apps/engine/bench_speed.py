"""How fast the engine is, beside what it is made of: a round beside scikit-learn's, backbones beside a bare pass.

The two sides of each pair take turns, so that other load on the machine weighs on both alike.
"""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image

from apps.engine import automl, backbones, datasets, devices, similarity
from apps.engine.backbones import Backbone, Input, effnet, minilm
from apps.engine.backbones import pixels as pixels_module
from apps.engine.backbones.effnet import EffNetLite0
from apps.engine.backbones.minilm import MiniLM
from apps.engine.backbones.pictures import fill_rgb, to_rgb
from apps.engine.runtime import choose_device, one_thread
from apps.engine.types import FloatArray, Inputs, IntArray, TrainingData

SIZES = (100, 1_000, 10_000)
N_ROUNDS, N_TURNS, N_CALLS = 5, 5, 60
N_TEXTS, N_PICTURES = 512, 128
SENTENCE_DIM = 384


def measure_speed(text_folder: Path, picture_folder: Path, *, sizes: Sequence[int] = SIZES) -> dict[str, object]:
    """Return seconds of rounds, embeddings per second and milliseconds of single answers, each beside its measure."""
    text, pictures = datasets.read(text_folder), datasets.read(picture_folder)
    texts = [str(one) for one in text.train.inputs]
    files = [Path(one).read_bytes() for one in pictures.train.inputs[:N_PICTURES]]
    reader = backbones.load("minilm")
    rows, columns = reader.encode(texts), {name: i for i, name in enumerate(text.label_names)}
    labels = np.array([columns[name] for name in text.train.labels])
    names = reader.encode([similarity.label_text(name) for name in text.label_names])
    rounds = [_round_and_reference(_repeated(texts, rows, labels, names, n)) for n in sizes]
    decoded = [_decoded(file) for file in files]
    encoders: dict[str, tuple[Backbone, Sequence[Input]]] = {
        "minilm": (reader, texts[:N_TEXTS]),
        "effnet-lite0": (backbones.load("effnet-lite0"), decoded),
        "pixels": (backbones.load("pixels"), decoded),
    }
    many = {name: _embedding(backbone, inputs) for name, (backbone, inputs) in encoders.items()}
    single_text = _answers_to_text(reader, texts, _repeated(texts, rows, labels, names, 100))
    kinds = np.unique(pictures.train.labels[:N_PICTURES], return_inverse=True)[1]
    single_picture = _answers_to_pictures([encoders[name][0] for name in ("effnet-lite0", "pixels")], files, kinds)
    return {
        "round_seconds": {str(n): ours for n, (ours, _) in zip(sizes, rounds, strict=True)},
        "sklearn_reference_seconds": {str(n): theirs for n, (_, theirs) in zip(sizes, rounds, strict=True)},
        "embed_per_second": {name: ours for name, (ours, _) in many.items()},
        "bare_forward_per_second": {name: bare for name, (_, bare) in many.items()},
        "invoke_ms_p50": {"text": single_text[0], "image": single_picture[0]},
        "bare_forward_ms_p50": {"text": single_text[1], "image": single_picture[1]},
    }


def _repeated(texts: Sequence[str], rows: FloatArray, labels: IntArray, names: FloatArray, n: int) -> TrainingData:
    """Return the first `n` texts as a round gets them, beginning again where they end."""
    places = np.arange(n) % len(texts)
    inputs = Inputs(n, {"minilm": rows[places]}, [texts[place] for place in places.tolist()])
    return TrainingData(inputs, labels[places], len(names), places, label_embeddings={"minilm": names})


def _round_and_reference(data: TrainingData) -> tuple[float, float]:
    """Return median seconds of a whole round and of scikit-learn's search for one penalty."""
    from sklearn.linear_model import LogisticRegressionCV  # here: its import takes a second

    sentences = data.inputs.embeddings["minilm"][:, :SENTENCE_DIM]
    X = sentences / np.linalg.norm(sentences, axis=1, keepdims=True)
    reference = LogisticRegressionCV(Cs=7, cv=5, max_iter=1_000)

    def fit_reference() -> None:
        with one_thread(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reference.fit(X, data.labels)

    device = choose_device()
    ours, theirs = _medians(lambda: automl.train(data, device=device), fit_reference, n_turns=N_ROUNDS)
    return round(ours, 4), round(theirs, 4)


def _embedding(backbone: Backbone, inputs: Sequence[Input]) -> tuple[float, float]:
    """Return inputs per second, through the backbone and through a bare pass."""
    ours, bare = _medians(lambda: backbone.encode(inputs), lambda: _bare(backbone, inputs), n_turns=N_TURNS)
    return round(len(inputs) / ours, 1), round(len(inputs) / bare, 1)


def _bare(backbone: Backbone, inputs: Sequence[Input]) -> FloatArray:
    """Return what the network makes of the inputs, without anything around it but reading them.

    Reaches into the backbones: they offer no way around what this measures them against.
    """
    device = getattr(backbone, "_device", "cpu")
    with torch.inference_mode():
        if isinstance(backbone, MiniLM):
            tokens = [one.ids for one in backbone._tokenizer.encode_batch([str(one) for one in inputs])]
            cut = devices.in_shrinking_batches([len(one) for one in tokens], lambda rows: None, backbone._room)
            padded = [minilm._padded([tokens[row] for row in rows], device) for rows, _ in cut]
            made = [minilm._pooled(backbone._encoder, ids.to(device), there.to(device)) for ids, there in padded]
            return minilm._joined(np.concatenate([one.cpu().numpy() for one in made]))
        if isinstance(backbone, EffNetLite0):
            pixels = devices.staging((len(inputs), effnet.SIZE_PX, effnet.SIZE_PX, 3), torch.uint8, device)
            fill_rgb(pixels.numpy(), inputs, n_threads=backbone._n_readers)
            step = backbone._room.size()
            parts = [pixels[i : i + step].to(device).permute(0, 3, 1, 2) for i in range(0, len(inputs), step)]
            made = [backbone._network.embed(part) for part in parts]
            return np.concatenate([one.cpu().numpy() for one in made])
    small = np.stack([to_rgb(one, size_px=pixels_module.SIZE_PX) for one in inputs])
    step = pixels_module.BATCH
    return np.concatenate([pixels_module.describe(small[i : i + step]) for i in range(0, len(small), step)])


def _answers_to_text(backbone: Backbone, texts: Sequence[str], data: TrainingData) -> tuple[float, float]:
    """Return milliseconds of an answer to one text, and of a bare pass with one matrix product after it."""
    predictor = automl.train(data).predictor
    weights = np.zeros((backbone.spec.dim, data.n_classes), dtype=np.float32)
    turns = itertools.cycle(range(len(texts)))

    def answer() -> None:
        one = texts[next(turns)]
        predictor.pred_probs(Inputs(1, {backbone.spec.name: backbone.encode([one])}, [one]))

    def bare() -> None:
        _bare(backbone, [texts[next(turns)]]) @ weights

    return _milliseconds(answer, bare)


def _answers_to_pictures(loaded: Sequence[Backbone], files: Sequence[bytes], labels: IntArray) -> tuple[float, float]:
    """Return milliseconds of an answer to one picture file, and of a bare pass with one matrix product after it."""
    decoded = [_decoded(file) for file in files]
    rows = {backbone.spec.name: backbone.encode(decoded) for backbone in loaded}
    n_classes = int(labels.max()) + 1
    predictor = automl.train(TrainingData(Inputs(len(files), rows), labels, n_classes, np.arange(len(files)))).predictor
    asked = [backbone for backbone in loaded if any(backbone.spec.name in name for name in predictor.blend.backbones)]
    weights = np.zeros((loaded[0].spec.dim, n_classes), dtype=np.float32)
    turns = itertools.cycle(range(len(files)))

    def answer() -> None:
        one = _decoded(files[next(turns)])
        predictor.pred_probs(Inputs(1, {backbone.spec.name: backbone.encode([one]) for backbone in asked}))

    def bare() -> None:
        _bare(loaded[0], [_decoded(files[next(turns)])]) @ weights

    return _milliseconds(answer, bare)


def _decoded(file: bytes) -> Image.Image:
    with Image.open(BytesIO(file)) as picture:
        return picture.convert("RGB")


def _milliseconds(answer: Callable[[], None], bare: Callable[[], None]) -> tuple[float, float]:
    ours, theirs = _medians(answer, bare, n_turns=N_CALLS)
    return round(1e3 * ours, 2), round(1e3 * theirs, 2)


def _medians(ours: Callable[[], object], theirs: Callable[[], object], *, n_turns: int) -> tuple[float, float]:
    """Return the median seconds of each, taken in turns after one turn to warm up."""
    seconds: tuple[list[float], list[float]] = [], []
    for turn in range(n_turns + 1):
        for run, taken in ((ours, seconds[0]), (theirs, seconds[1])):
            started = time.perf_counter()
            run()
            if turn:
                taken.append(time.perf_counter() - started)
    return median(seconds[0]), median(seconds[1])

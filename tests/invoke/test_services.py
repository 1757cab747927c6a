"""What the model is given, and how its answer is put in order."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from apps.core.errors import InvalidInput, TooLarge
from apps.functions.models import Function, Label
from apps.invoke.services import Answer, Predictions, read_content
from apps.samples.images import LONG_SIDE_PX, normalise, open_rgb
from apps.training.services import serving
from apps.training.services.inputs import Layout


def noise(mode: str, size: tuple[int, int], kind: str) -> bytes:
    rng = np.random.default_rng(7)
    bands = len(Image.new(mode, (1, 1)).getbands())
    image = Image.frombytes(mode, size, rng.integers(0, 256, size[0] * size[1] * bands, dtype=np.uint8).tobytes())
    out = BytesIO()
    image.save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(
    ("mode", "size", "kind"),
    [
        ("RGB", (64, 48), "PNG"),
        ("RGB", (LONG_SIDE_PX + 300, 200), "JPEG"),
        ("RGBA", (50, 70), "PNG"),
        ("L", (33, 31), "WEBP"),
        ("RGB", (1, 1), "PNG"),
    ],
)
def test_a_picture_reads_pixel_for_pixel_as_the_stored_one(mode: str, size: tuple[int, int], kind: str) -> None:
    content = noise(mode, size, kind)
    read = read_content(content, Layout("image", ()))
    assert isinstance(read, Image.Image)
    stored = open_rgb(normalise(content).jpeg)
    assert (read.mode, read.size) == (stored.mode, stored.size)
    assert read.tobytes() == stored.tobytes()


def test_each_kind_of_function_takes_its_own_kind_of_input() -> None:
    assert read_content(" as it came\n", Layout("text", ())) == " as it came\n"
    with pytest.raises(InvalidInput):
        read_content(b"bytes", Layout("text", ()))
    with pytest.raises(InvalidInput):
        read_content("text", Layout("image", ()))
    with pytest.raises(TooLarge):
        read_content("a" * 100_001, Layout("text", ()))


@pytest.mark.django_db(transaction=True)
def test_guesses_come_likeliest_first_and_share_one(trained: Function, predictions: Predictions) -> None:
    served = serving.load_live(trained.pk)
    assert served is not None
    answer = predictions.submit(served, "refund my parcel").result(10)
    confidences = [guess.confidence for guess in answer.guesses]
    assert confidences == sorted(confidences, reverse=True)
    assert sum(confidences) == pytest.approx(1, abs=1e-5)
    assert {guess.label for guess in answer.guesses} == set(trained.labels.all())


@pytest.mark.django_db(transaction=True)
def test_a_label_that_is_worse_to_miss_is_answered_sooner_with_its_own_confidence(
    trained: Function, predictions: Predictions
) -> None:
    def answer() -> Answer:
        served = serving.load_live(trained.pk)
        assert served is not None
        return predictions.submit(served, "refund parcel my late money").result(10)

    before = answer()
    other = before.guesses[1]
    n_times = before.best.confidence / other.confidence
    Label.objects.filter(pk=other.label.pk).update(weight=int(n_times) + 1)
    weighed = answer()
    assert weighed.label == other.label
    assert weighed.confidence == pytest.approx(other.confidence, abs=1e-4)
    assert {guess.label for guess in weighed.guesses} == {guess.label for guess in before.guesses}

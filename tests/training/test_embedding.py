"""From samples to vectors: in chunks, once per content, annotated samples first."""

import dramatiq
import numpy as np
import pytest

from apps.core.jobs import JobName
from apps.engine import backbones
from apps.engine.backbones import BackboneSpec
from apps.functions.models import Function, InputKind
from apps.samples.media import forget_picture
from apps.samples.models import Origin, Sample
from apps.samples.services.intake import NewImage, add_images
from apps.training.models import Embedding, FunctionWork, Prediction, PredictionKind, WorkKind
from apps.training.services import Progress, embed_function, embedding, encoders, finish_work, inputs, vectors
from apps.training.services.vectors import Matrix, write_vectors_of
from apps.workspaces.models import Workspace
from tests.pictures import picture
from tests.training.conftest import OTHERS, PARCELS, REFUNDS, bring, embed_all, label

pytestmark = pytest.mark.django_db


@pytest.fixture
def chunks_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "MAX_CHUNK", 4)


def messages(job: JobName) -> list[dramatiq.Message[None]]:
    queue = dramatiq.get_broker().queues[job.queue.value]
    rows = [dramatiq.Message.decode(data) for data in list(queue.queue)]
    return [message for message in rows if message.actor_name == job.value]


def test_a_chunk_is_embedded_and_the_next_one_asked_for(
    text_function: Function, chunks_of_four: None, django_capture_on_commit_callbacks: object
) -> None:
    bring(text_function, REFUNDS)
    assert embed_function(function_id=text_function.pk) is Progress.MORE
    assert Sample.objects.filter(is_embedded=True).count() == Embedding.objects.count() == 4
    assert [message.args for message in messages(JobName.EMBED_FUNCTION)] == [(text_function.pk,)]
    assert embed_function(function_id=text_function.pk) is Progress.DONE
    assert Sample.objects.filter(is_embedded=True).count() == 6
    assert len(messages(JobName.EMBED_FUNCTION)) == 1


def test_vectors_are_kept_in_half_precision_little_endian(text_function: Function) -> None:
    bring(text_function, REFUNDS[:1])
    embed_all(text_function)
    row = Embedding.objects.get()
    spec = backbones.TINY_TEXT
    assert (row.backbone, row.version) == (spec.name, spec.version)
    direct = encoders.backbone(spec.name).encode(REFUNDS[:1])[0]
    assert bytes(row.vector) == direct.astype("<f2").tobytes()


def test_annotated_samples_come_first(text_function: Function, chunks_of_four: None) -> None:
    bring(text_function, OTHERS)
    label(text_function, bring(text_function, REFUNDS[:3]), "Refund")
    embed_function(function_id=text_function.pk)
    texts = set(Sample.objects.filter(is_embedded=True).values_list("text", flat=True))
    assert len(texts) == 4
    assert texts > set(REFUNDS[:3])


@pytest.mark.parametrize("most", [embedding.MOST_DRAWN_FROM, 100])
def test_files_sorted_by_kind_are_read_from_all_over(
    text_function: Function, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(embedding, "MOST_DRAWN_FROM", most)
    monkeypatch.setattr(embedding, "MAX_CHUNK", 64)
    monkeypatch.setattr(embedding.pace, "cost_of_a_chunk", lambda input_kind: 1e9)
    bring(text_function, [f"refund {n}" for n in range(200)] + [f"parcel {n}" for n in range(200)])
    embed_function(function_id=text_function.pk)
    read = list(Sample.objects.filter(is_embedded=True).values_list("text", flat=True))
    kinds = {text.split()[0] for text in read}
    assert kinds == {"refund", "parcel"}  # by chance of one kind alone in one of 2**15 runs at most
    assert 32 <= len(read) <= 64


def test_the_same_content_is_encoded_once_per_workspace(
    text_function: Function, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(text_function, REFUNDS)
    embed_all(text_function)
    monkeypatch.setattr(embedding, "backbone", lambda name: None)  # encoding again would fail
    twin = workspace.functions.create(name="Another question", input_kind=InputKind.TEXT)
    bring(twin, REFUNDS)
    embed_all(twin)
    assert Embedding.objects.count() == len(REFUNDS)
    assert not twin.samples.filter(is_embedded=False).exists()


def test_another_workspace_shares_no_vector(text_function: Function) -> None:
    bring(text_function, REFUNDS)
    embed_all(text_function)
    elsewhere = Workspace.objects.create(name="Elsewhere").functions.create(name="Same?", input_kind=InputKind.TEXT)
    bring(elsewhere, REFUNDS)
    embed_all(elsewhere)
    assert Embedding.objects.count() == 2 * len(REFUNDS)


def test_labels_given_while_samples_are_read_are_learned_from_at_the_end(text_function: Function) -> None:
    label(text_function, bring(text_function, REFUNDS), "Refund")
    label(text_function, bring(text_function, PARCELS), "Shipping")
    before = Function.objects.get(pk=text_function.pk).data_revision
    embed_all(text_function)
    assert Function.objects.get(pk=text_function.pk).data_revision > before


def test_samples_without_labels_cause_no_round_but_predictions(text_function: Function, samples: object) -> None:
    finish_work(function_id=text_function.pk)
    before = Function.objects.get(pk=text_function.pk).data_revision
    fresh = bring(text_function, ["another parcel that is late"])
    embed_all(text_function)
    work = FunctionWork.objects.get(kind=WorkKind.PREDICT)
    assert work.wanted_revision > work.done_revision
    assert Function.objects.get(pk=text_function.pk).data_revision == before
    finish_work(function_id=text_function.pk)
    assert Prediction.objects.filter(sample=fresh[0], kind=PredictionKind.LIVE).exists()


def test_a_large_labelled_import_causes_few_rounds(text_function: Function, chunks_of_four: None) -> None:
    label(text_function, bring(text_function, [f"refund number {i}" for i in range(32)]), "Refund")
    label(text_function, bring(text_function, [f"parcel number {i}" for i in range(32)]), "Shipping")
    finish_work(function_id=text_function.pk)
    assert text_function.trained_models.get(is_live=True).n_annotations == 64
    assert text_function.trained_models.count() <= 3


def test_somebody_elses_chunk_is_left_alone(text_function: Function) -> None:
    from apps.core import leases

    bring(text_function, REFUNDS)
    work = FunctionWork.objects.create(function=text_function, kind=WorkKind.EMBED)
    leases.claim(FunctionWork, work.pk)
    assert embed_function(function_id=text_function.pk) is Progress.BUSY
    assert not Embedding.objects.exists()


@pytest.fixture
def image_function(workspace: Workspace) -> Function:
    return workspace.functions.create(name="Which colour?", input_kind=InputKind.IMAGE)


def bring_pictures(function: Function, colours: list[str]) -> list[Sample]:
    items = [NewImage(picture(colour)) for colour in colours]
    return add_images(function=function, items=items, person=None, origin=Origin.IMPORT).samples


def test_pictures_are_embedded_as_they_are_stored(image_function: Function) -> None:
    bring_pictures(image_function, ["red", "blue"])
    embed_all(image_function)
    spec = backbones.TINY_IMAGE
    hashes = list(image_function.samples.values_list("content_hash", flat=True))
    rows = vectors.read_vectors(workspace_id=image_function.workspace_id, spec=spec, hashes=hashes)
    red, blue = (rows[content_hash].reshape(4, 4, 3).mean(axis=(0, 1)) for content_hash in hashes)
    assert red.argmax() == 0
    assert blue.argmax() == 2


def test_a_picture_whose_file_is_gone_holds_up_no_other(image_function: Function) -> None:
    gone, _kept = bring_pictures(image_function, ["red", "blue"])
    forget_picture(gone.file_key)
    embed_all(image_function)
    assert Embedding.objects.count() == 2
    assert not image_function.samples.filter(is_embedded=False).exists()


def test_pictures_decoded_side_by_side_are_those_decoded_one_by_one(
    image_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = bring_pictures(image_function, ["red", "blue", "green", "white", "black"])
    keys = [sample.file_key for sample in samples]
    forget_picture(keys[1])
    alone = [inputs.stored_picture(key) for key in keys]
    monkeypatch.setattr(inputs, "device", lambda: "cuda:0")
    assert [one.tobytes() for one in inputs.stored_pictures(keys)] == [one.tobytes() for one in alone]
    assert alone[1].size == (1, 1)


def test_the_pace_follows_what_chunks_take_and_never_leaps() -> None:
    pace = embedding.Pace()
    assert pace.cost_of_a_chunk("text") == embedding.FIRST_COST
    pace.learn("text", 16, 0.000_001)
    assert pace.cost_of_a_chunk("text") == 2 * embedding.FIRST_COST
    for _ in range(10):
        pace.learn("text", 100_000, 1.0)
    pace.learn("text", 0, 1.0)  # nothing was read: that says nothing
    assert pace.cost_of_a_chunk("text") == pytest.approx(30_000)
    assert pace.cost_of_a_chunk("image") == embedding.FIRST_COST


def test_long_texts_make_short_chunks(text_function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(text_function, ["short", "a long one " * 500, *(f"short {i}" for i in range(5))])
    monkeypatch.setattr(embedding.pace, "cost_of_a_chunk", lambda input_kind: 500.0)
    chunks: list[list[str]] = []
    while Sample.objects.filter(is_embedded=False).exists():
        waiting = dict(Sample.objects.filter(is_embedded=False).values_list("pk", "text"))
        embed_function(function_id=text_function.pk)
        read = Sample.objects.filter(is_embedded=True, pk__in=waiting)
        chunks.append(list(read.values_list("text", flat=True)))
    assert [len(texts) for texts in chunks if any(len(text) > 100 for text in texts)] == [1]


def test_a_chunk_grows_with_what_the_device_reads(text_function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read at once is written a few at a time, and all of it is there in the end."""
    bring(text_function, [f"short {i}" for i in range(30)])
    monkeypatch.setattr(embedding, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(embedding.pace, "cost_of_a_chunk", lambda input_kind: 1e9)
    n_written: list[int] = []

    def write(*, workspace_id: int, hashes: list[str], vectors: dict[BackboneSpec, dict[str, Matrix]]) -> None:
        n_written.append(len(hashes))
        write_vectors_of(workspace_id=workspace_id, hashes=hashes, vectors=vectors)

    monkeypatch.setattr(embedding, "write_vectors_of", write)
    assert embed_function(function_id=text_function.pk) is Progress.DONE
    assert n_written == [7, 7, 7, 7, 2]
    assert Embedding.objects.count() == Sample.objects.filter(is_embedded=True).count() == 30


def test_contents_that_are_known_teach_no_pace(
    text_function: Function, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(text_function, REFUNDS)
    embed_all(text_function)
    learned: list[float] = []
    monkeypatch.setattr(embedding.pace, "learn", lambda input_kind, cost, seconds: learned.append(cost))
    twin = workspace.functions.create(name="Another question", input_kind=InputKind.TEXT)
    bring(twin, REFUNDS)
    embed_all(twin)
    assert not any(learned)
    learned.clear()
    bring(twin, ["x" * 10])
    embed_all(twin)
    assert learned == [embedding.TEXT_COST + 10]


def test_as_many_are_looked_at_as_fit_if_they_are_short() -> None:
    assert embedding.n_that_fit(1.0) == 1
    assert embedding.n_that_fit(500.0) == 500 // embedding.TEXT_COST
    assert embedding.n_that_fit(1e9) == embedding.MAX_CHUNK
    assert list(embedding.within(10.0, [(1, 50), (2, 50)])) == [(1, 50)]
    assert list(embedding.within(100.0, [(1, 50), (2, 50), (3, 1)])) == [(1, 50), (2, 50)]


def test_groups_are_rows_that_are_equal_everywhere() -> None:
    one = np.array([[1, 2], [1, 2], [3, 4], [1, 2]], dtype=np.float32)
    two = np.array([[5], [5], [5], [6]], dtype=np.float32)
    assert vectors.groups_of([one]).tolist() == [0, 0, 1, 0]
    assert vectors.groups_of([one, two]).tolist() == [0, 0, 1, 2]


class TestMatrixCache:
    def test_only_new_contents_are_read(self, text_function: Function, django_assert_num_queries: object) -> None:
        bring(text_function, REFUNDS)
        embed_all(text_function)
        spec = backbones.TINY_TEXT
        hashes = list(text_function.samples.values_list("content_hash", flat=True))
        cache = vectors.MatrixCache(max_bytes=2**20)
        where = {"workspace_id": text_function.workspace_id, "function_id": text_function.pk, "spec": spec}
        first, _missing = cache.matrix(**where, hashes=hashes)
        with django_assert_num_queries(0):  # type: ignore[operator]  # a fixture that is a context manager
            again, missing = cache.matrix(**where, hashes=hashes[::-1])
        assert missing == []
        np.testing.assert_array_equal(first, again[::-1])

    def test_another_workspaces_matrix_is_never_taken(self, text_function: Function) -> None:
        bring(text_function, REFUNDS)
        embed_all(text_function)
        spec = backbones.TINY_TEXT
        hashes = list(text_function.samples.values_list("content_hash", flat=True))
        cache = vectors.MatrixCache(max_bytes=2**20)
        cache.matrix(workspace_id=text_function.workspace_id, function_id=text_function.pk, spec=spec, hashes=hashes)
        other = Workspace.objects.create(name="Elsewhere")
        _matrix, missing = cache.matrix(workspace_id=other.pk, function_id=text_function.pk, spec=spec, hashes=hashes)
        assert missing == hashes

    def test_what_rested_longest_goes_first(self, text_function: Function, workspace: Workspace) -> None:
        spec = backbones.TINY_TEXT
        bring(text_function, REFUNDS[:2])
        embed_all(text_function)
        hashes = list(text_function.samples.values_list("content_hash", flat=True))
        cache = vectors.MatrixCache(max_bytes=2 * 2 * spec.dim * 4)
        for function_id in (1, 2, 1, 3):
            cache.matrix(workspace_id=workspace.pk, function_id=function_id, spec=spec, hashes=hashes)
        assert [key[1] for key in cache._kept] == [1, 3]


def test_the_language_of_each_text_is_told(text_function: Function) -> None:
    texts = ["where is my parcel, it is late", "Wo bleibt mein Paket, es ist schon spät", "ok"]
    samples = bring(text_function, texts)
    embed_all(text_function)
    told = dict(Sample.objects.values_list("text", "language"))
    assert [told[sample.text] for sample in samples] == ["en", "de", "und"]


def test_a_chunk_that_others_have_read_meanwhile_does_not_stop_what_comes_later(
    text_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(text_function, OTHERS)
    with monkeypatch.context() as patch:
        patch.setattr(embedding, "_next_chunk", lambda _function, _most: {})
        embed_function(function_id=text_function.pk)
    embed_function(function_id=text_function.pk)
    assert not text_function.samples.filter(is_embedded=False).exists()

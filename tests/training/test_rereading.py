"""Another backbone is chosen: samples are read anew behind the back of everybody, and nothing stops meanwhile."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from apps.core.errors import Conflict
from apps.core.jobs import JobName
from apps.engine.backbones import PIXELS, BackboneSpec, hub
from apps.engine.backbones.registry import Manifest, Registry
from apps.engine.errors import BackboneUnavailable
from apps.engine.types import Modality
from apps.functions.models import Function, InputKind
from apps.samples.models import Origin, Sample
from apps.training.models import BackboneChoice, Embedding, FunctionWork, Prediction, Rereading, TrainedModel, WorkKind
from apps.training.notes import language_sentence
from apps.training.selectors import is_finished
from apps.training.services import chosen, embedding, encoders, finish_work, rereading, sweeper
from apps.training.services.choosing import pin_model
from apps.training.services.embedding import embed_function
from apps.training.services.inputs import layout_of
from apps.training.services.rereading import reread_function, unread_backbones, use_backbone
from apps.training.services.serving import load_live
from apps.training.services.work import Progress
from tests import tiny_models
from tests.training.conftest import bring, label

REFUNDS, PARCELS = (
    [f"{one} {other}" for one, other in zip(words[::2], words[1::2], strict=True)] for words in tiny_models.GROUPS
)
"""Texts that have no word in common: only a backbone that knows what goes together tells them apart."""
OTHERS = ["refund price", "parcel box", "euro cash", "late door"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two text encoders and a pair, pulled."""
    root = tmp_path_factory.mktemp("models")
    for name, seed in (("first", 0), ("second", 1)):
        made = tiny_models.bert(root / name, seed=seed, n_steps=40)
        hub.pull(hub.wanted_from_folder(made, name=name), into=root / "here")
    hub.pull(hub.wanted_from_folder(tiny_models.clip(root / "pair"), name="pair"), into=root / "here")
    return root / "here"


@pytest.fixture(autouse=True)
def chosen_ones(settings: Settings, pulled: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Choices count, other than in most tests; the built-in backbone of texts is the first of the pulled ones' kind."""
    settings.BACKBONES, settings.BACKBONES_DIR = "default", pulled
    monkeypatch.setattr(chosen, "FRESH_SECONDS", 0.0)
    chosen.forget()
    yield
    chosen.forget()


def manifest(name: str, pulled: Path) -> Manifest:
    return Registry(pulled).manifest(name)


def use(name: str, pulled: Path, modality: Modality = Modality.TEXT) -> rereading.Change:
    return use_backbone(modality=modality, manifest=manifest(name, pulled) if name else None)


def names(function: Function) -> list[str]:
    return [spec.name for spec in layout_of(function).specs]


def vectors_of(name: str) -> int:
    return Embedding.objects.filter(backbone=name).count()


@pytest.fixture
def trained(text_function: Function, pulled: Path) -> Function:
    """Twelve labelled texts and four others, read with `first`, learned from and predicted."""
    use("first", pulled)
    label(text_function, bring(text_function, REFUNDS), "Refund")
    label(text_function, bring(text_function, PARCELS), "Shipping")
    bring(text_function, OTHERS)
    finish_work(function_id=text_function.pk)
    return text_function


def live(function: Function) -> TrainedModel:
    return TrainedModel.objects.get(function=function, is_live=True)


def reread(function: Function) -> int:
    n_chunks = 0
    while reread_function(function_id=function.pk) is Progress.MORE:
        n_chunks += 1
    return n_chunks


def test_a_chosen_backbone_reads_new_functions_at_once(trained: Function, pulled: Path) -> None:
    assert names(trained) == ["first"]
    model = live(trained)
    assert model.backbone_versions == {"first": manifest("first", pulled).version}
    assert vectors_of("first") == 16
    assert Prediction.objects.filter(function=trained).count() == 16


def test_nothing_stops_while_samples_are_read_anew(
    trained: Function, pulled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rereading, "pace", rereading.Pace())
    monkeypatch.setattr(rereading.Pace, "cost_of_a_chunk", lambda self, kind: 300.0)
    before = live(trained)
    change = use("second", pulled)
    assert (change.before, change.after, change.n_functions, change.n_samples) == ("first", "second", 1, 16)
    assert names(trained) == ["first"]
    assert not is_finished(trained.pk)
    assert reread_function(function_id=trained.pk) is Progress.MORE
    assert 0 < vectors_of("second") < 16
    # In the middle: the model answers, and what people do is learned from with the backbone of before.
    served = load_live(trained.pk)
    assert served is not None
    assert [spec.name for spec in served.specs] == ["first"]
    label(trained, bring(trained, ["credit card"]), "Refund")
    while embed_function(function_id=trained.pk) is Progress.MORE:
        pass
    from apps.training.services import train_function

    train_function(function_id=trained.pk)
    assert live(trained).number > before.number
    assert set(live(trained).backbone_versions) == {"first"}
    assert reread(trained) > 1
    assert names(trained) == ["second"]
    assert vectors_of("second") == 17
    # Read, not trained yet: the model still answers by the old vectors, for samples brought just now, too.
    served = load_live(trained.pk)
    assert served is not None
    assert [spec.name for spec in served.specs] == ["first"]
    late = bring(trained, ["door address"])
    while embed_function(function_id=trained.pk) is Progress.MORE:
        pass
    assert {e.backbone for e in Embedding.objects.filter(content_hash=late[0].content_hash)} == {"first", "second"}
    finish_work(function_id=trained.pk)
    assert set(live(trained).backbone_versions) == {"second"}
    assert Prediction.objects.filter(function=trained, model=live(trained)).count() == 18


def test_old_vectors_go_once_nothing_reads_them(trained: Function, pulled: Path) -> None:
    assert unread_backbones() == ["minilm"]
    use("second", pulled)
    assert "first" not in unread_backbones()
    reread(trained)
    assert "first" not in unread_backbones()  # the live model reads it
    finish_work(function_id=trained.pk)
    assert "first" in unread_backbones()
    sweeper.drop_orphan_embeddings()
    assert (vectors_of("first"), vectors_of("second")) == (0, 16)


def test_going_back_before_it_is_done_needs_nothing(trained: Function, pulled: Path) -> None:
    use("second", pulled)
    change = use("first", pulled)
    assert (change.n_functions, Rereading.objects.count()) == (0, 0)
    assert reread_function(function_id=trained.pk) is Progress.DONE
    work = FunctionWork.objects.get(function=trained, kind=WorkKind.REREAD)
    assert work.done_revision == work.wanted_revision
    assert is_finished(trained.pk)
    assert names(trained) == ["first"]


def test_another_choice_in_the_middle_begins_anew(
    trained: Function, pulled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rereading.Pace, "cost_of_a_chunk", lambda self, kind: 300.0)
    third = hub.pull(
        hub.wanted_from_folder(tiny_models.bert(tmp_path / "third", seed=3, n_steps=40), name="third"), into=pulled
    )
    use("second", pulled)
    reread_function(function_id=trained.pk)
    change = use_backbone(modality=Modality.TEXT, manifest=third)
    assert change.n_functions == 1
    assert Rereading.objects.get().name == "first"
    assert FunctionWork.objects.get(function=trained, kind=WorkKind.REREAD).cursor == 0
    finish_work(function_id=trained.pk)
    assert set(live(trained).backbone_versions) == {"third"}
    assert vectors_of("third") == 16


def test_contents_that_another_function_has_teach_no_pace(
    trained: Function, pulled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = trained.workspace.functions.create(name="Another question", input_kind=InputKind.TEXT)
    bring(twin, [*OTHERS, "x" * 10])
    finish_work(function_id=twin.pk)
    use("second", pulled)
    reread(trained)
    learned: list[float] = []
    monkeypatch.setattr(rereading.Pace, "learn", lambda self, kind, cost, seconds: learned.append(cost))
    reread(twin)
    assert learned == [embedding.TEXT_COST + 10]


def test_what_is_being_read_is_locked_before_the_work_as_a_choice_does(trained: Function, pulled: Path) -> None:
    """In another order a choice and the end of a reading could wait for each other, where rows are locked."""
    with CaptureQueriesContext(connection) as choice:
        use("second", pulled)
    reread_function(function_id=trained.pk)
    with CaptureQueriesContext(connection) as end:
        assert reread_function(function_id=trained.pk) is Progress.DONE
    last = [query["sql"] for query in end.captured_queries]
    begun = max(place for place, sql in enumerate(last) if sql.startswith("BEGIN"))
    for queries in ([query["sql"] for query in choice.captured_queries], last[begun:]):
        tables = [table for sql in queries for table in ("training_rereading", "training_functionwork") if table in sql]
        assert tables.index("training_rereading") < tables.index("training_functionwork")


def test_choosing_what_is_chosen_changes_nothing(trained: Function, pulled: Path) -> None:
    assert use("first", pulled).n_functions == 0
    assert Rereading.objects.count() == 0


def test_the_built_in_ones_come_back(trained: Function, pulled: Path) -> None:
    assert use("", pulled).n_functions == 1
    assert [spec.name for spec in layout_of(trained, is_ahead=True).specs] == ["minilm"]
    assert names(trained) == ["first"]
    finish_work(function_id=trained.pk)
    assert names(trained) == ["minilm"]
    assert set(live(trained).backbone_versions) <= {"minilm"}


def test_a_function_of_the_other_kind_is_left_alone(trained: Function, pulled: Path) -> None:
    use("pair", pulled, Modality.IMAGE)
    assert Rereading.objects.count() == 0
    assert encoders.backbone_names(Modality.IMAGE) == ("pair", PIXELS.name)
    assert names(trained) == ["first"]


def test_a_pinned_model_of_before_answers_for_new_samples(trained: Function, pulled: Path) -> None:
    pin_model(model=live(trained))
    pinned = live(trained)
    use("second", pulled)
    finish_work(function_id=trained.pk)
    assert live(trained) == pinned
    new = bring(trained, ["track box", "cash bill"])
    finish_work(function_id=trained.pk)
    rows = Prediction.objects.filter(sample__in=new, model=pinned)
    assert rows.count() == 2
    assert not Sample.objects.filter(function=trained, is_embedded=False).exists()


def test_the_same_name_with_other_files_is_refused(trained: Function, pulled: Path) -> None:
    BackboneChoice.objects.create(
        kind="text", name="second", version="1-other", dim=32, source="x", revision="", is_current=False
    )
    with pytest.raises(Conflict, match="under another name"):
        use("second", pulled)


def test_a_machine_without_the_files_says_what_to_run(
    trained: Function, pulled: Path, settings: Settings, tmp_path: Path, start_fresh: Callable[[], None]
) -> None:
    BackboneChoice.objects.filter(name="first").update(revision="a" * 40, source="owner/model")
    settings.BACKBONES_DIR = tmp_path / "empty"
    start_fresh()
    with pytest.raises(BackboneUnavailable, match=r"is not on this machine: run .* pull owner/model@aaaa"):
        encoders.backbone("first")
    # What is known without the files is known here as well: no model is taken for outdated.
    served = load_live(trained.pk)
    assert served is not None
    sweeper.train_for_current_backbones()
    train = FunctionWork.objects.get(function=trained, kind=WorkKind.TRAIN)
    assert train.done_revision > 0
    assert names(trained) == ["first"]
    use_backbone(modality=Modality.TEXT, manifest=manifest("second", pulled))
    with pytest.raises(BackboneUnavailable, match="second is not on this machine"):
        reread_function(function_id=trained.pk)
    work = FunctionWork.objects.get(function=trained, kind=WorkKind.REREAD)
    assert (work.n_failures, work.retry_at, work.lease_holder) == (0, None, "")  # another machine may go on at once
    bring(trained, ["cash back"])
    for _ in range(3):
        with pytest.raises(BackboneUnavailable, match="first is not on this machine"):
            embed_function(function_id=trained.pk)
    work = FunctionWork.objects.get(function=trained, kind=WorkKind.EMBED)
    assert "backbones pull owner/model" in work.message
    assert work.retry_at is not None
    assert work.retry_at < timezone.now() + timedelta(seconds=6)  # however often it failed here
    settings.BACKBONES_DIR = pulled
    finish_work(function_id=trained.pk)
    assert set(live(trained).backbone_versions) == {"second"}


def test_a_machine_with_other_files_under_the_name_says_so(
    trained: Function, pulled: Path, settings: Settings, tmp_path: Path, start_fresh: Callable[[], None]
) -> None:
    settings.BACKBONES_DIR = tmp_path / "here"
    other = tiny_models.bert(tmp_path / "other", seed=5)
    hub.pull(hub.wanted_from_folder(other, name="first"), into=settings.BACKBONES_DIR)
    start_fresh()
    with pytest.raises(BackboneUnavailable, match="another first than the one in use: remove"):
        encoders.backbone("first")


def test_a_damaged_file_is_not_opened(
    trained: Function, pulled: Path, settings: Settings, tmp_path: Path, start_fresh: Callable[[], None]
) -> None:
    import shutil

    settings.BACKBONES_DIR = shutil.copytree(pulled, tmp_path / "copy")
    weights = settings.BACKBONES_DIR / "first" / "files" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    start_fresh()
    with pytest.raises(BackboneUnavailable, match="damaged"):
        encoders.backbone("first")


def test_the_sweeper_asks_for_what_is_not_read_yet(trained: Function, pulled: Path) -> None:
    use("second", pulled)
    assert (WorkKind.REREAD, trained.pk) in list(sweeper.wanted_work())
    assert sweeper.JOBS[WorkKind.REREAD] is JobName.REREAD_FUNCTION
    reread(trained)
    assert (WorkKind.REREAD, trained.pk) not in list(sweeper.wanted_work())
    assert trained in sweeper.functions_to_train()


def test_choices_are_read_once_in_a_while(
    trained: Function, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Callable[..., object]
) -> None:
    monkeypatch.setattr(chosen, "FRESH_SECONDS", 60.0)
    chosen.forget()
    with django_assert_num_queries(2):
        for _ in range(5):
            chosen.chosen()
    chosen.forget()
    with django_assert_num_queries(2):
        chosen.chosen()


def test_what_it_was_not_taught_to_read_is_said(text_function: Function, settings: Settings, tmp_path: Path) -> None:
    settings.BACKBONES_DIR = tmp_path / "here"
    made = tiny_models.bert(tmp_path / "bert")
    english = hub.pull(hub.wanted_from_folder(made, name="bge-small"), into=settings.BACKBONES_DIR)
    use_backbone(modality=Modality.TEXT, manifest=english)
    bring(text_function, [f"Wo bleibt mein Paket {i}" for i in range(12)])
    Sample.objects.filter(function=text_function).update(language="de")
    assert "What reads them (bge-small) knows English best" in language_sentence(text_function)


def test_samples_in_the_bin_are_read_too(trained: Function, pulled: Path) -> None:
    from apps.samples.services.bin import bin_samples

    sample = Sample.objects.filter(function=trained, annotation=None).first()
    assert sample is not None
    bin_samples(function=trained, sample_ids=[sample.pk], person=None)
    use("second", pulled)
    finish_work(function_id=trained.pk)
    assert Embedding.objects.filter(backbone="second", content_hash=sample.content_hash).exists()


def test_columns_of_a_table_are_read_anew_by_their_kind(workspace: object, pulled: Path) -> None:
    function = Function.objects.create(workspace=workspace, name="Rows", input_kind=InputKind.TABLE)
    field = function.fields.create(name="note", type="text", position=0)
    function.fields.create(name="size", type="number", position=1)
    words = {field.public_id: "a refund please"}
    Sample.objects.create(function=function, row=words, content_hash="h" * 64, origin=Origin.IMPORT, is_embedded=True)
    use("first", pulled)
    assert [spec.name for spec in layout_of(function, is_ahead=True).specs] == [f"first:{field.public_id}"]
    assert [spec.name for spec in layout_of(function).specs] == [f"minilm:{field.public_id}"]
    reread(function)
    assert names(function) == [f"first:{field.public_id}"]
    row = Embedding.objects.get(backbone=f"first:{field.public_id}")
    spec: BackboneSpec = layout_of(function).specs[0]
    assert row.version == spec.version
    expected = encoders.backbone("first").encode(["a refund please"])[0]
    np.testing.assert_allclose(np.frombuffer(row.vector, "<f2").astype(np.float32), expected, atol=1e-2)

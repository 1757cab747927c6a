"""What a model learned from, kept by keys of annotations, and what of that is new."""

import json

import pytest

from apps.functions.models import Function
from apps.functions.services import add_label, delete_label
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_many, annotate_sample
from apps.training.models import TrainedModel
from apps.training.services import finish_work, serving
from apps.training.services.learned import annotations_of, as_ranges, from_ranges
from tests.conftest import delete_for_good
from tests.training.conftest import bring, label

Samples = dict[str, list[Sample]]


@pytest.mark.parametrize(
    ("keys", "text"),
    [(set(), ""), ({7}, "7"), ({1, 2, 3}, "1-3"), ({1, 3, 4, 9}, "1,3-4,9"), (set(range(5, 100_005)), "5-100004")],
)
def test_keys_are_written_as_ranges_and_read_back(keys: set[int], text: str) -> None:
    assert as_ranges(keys) == text
    assert from_ranges(text) == keys


def newest(function: Function) -> TrainedModel:
    finish_work(function_id=function.pk)
    return TrainedModel.objects.filter(function=function).order_by("-number")[0]


NOTHING = {"added": 0, "corrected": 0, "removed": 0, "labels_added": [], "labels_removed": [], "recipe": False}


def changed(**what: object) -> dict[str, object]:
    return NOTHING | what


def test_the_first_model_has_nothing_to_compare_with(text_function: Function, samples: Samples) -> None:
    model = newest(text_function)
    assert model.changes == {}
    in_force = Sample.objects.filter(annotation__isnull=False).values_list("annotation", flat=True)
    assert annotations_of(model) == set(in_force)
    assert len(in_force) == model.n_annotations == 12


def counts(model: TrainedModel) -> dict[str, object]:
    """A recipe may change whenever there is more to learn from; that is tested on its own."""
    return model.changes | {"recipe": False}


def test_added_corrected_and_removed_labels_are_told_apart(text_function: Function, samples: Samples) -> None:
    newest(text_function)
    label(text_function, samples[""][:2], "Refund")
    label(text_function, samples["Refund"][:1], "Shipping")
    annotate_many(
        function=text_function,
        pairs=[(sample.pk, None) for sample in samples["Shipping"][:3]],
        person=None,
        picked_by=PickedBy.PERSON,
    )
    assert counts(newest(text_function)) == changed(added=2, corrected=1, removed=3)


def test_saying_the_same_again_changes_nothing(text_function: Function, samples: Samples) -> None:
    newest(text_function)
    sample = samples["Refund"][0]
    refund = text_function.labels.get(name="Refund")
    annotate_sample(sample=sample, label=refund, person=None, picked_by=PickedBy.PERSON)
    assert counts(newest(text_function)) == changed()


def test_deleted_samples_and_labels_count_as_removed(text_function: Function, samples: Samples) -> None:
    other = add_label(function=text_function, name="Other")
    label(text_function, bring(text_function, ["hello there", "hello friend"]), "Other")
    newest(text_function)
    delete_for_good(samples["Refund"][0])
    assert counts(newest(text_function)) == changed(removed=1)
    delete_label(label=other)
    assert counts(newest(text_function)) == changed(removed=2, labels_removed=["Other"])


def test_a_new_label_is_named(text_function: Function, samples: Samples) -> None:
    newest(text_function)
    add_label(function=text_function, name="Other")
    label(text_function, samples[""][:2], "Other")
    assert counts(newest(text_function)) == changed(added=2, labels_added=["Other"])


def test_the_manifest_holds_keys_and_no_text(text_function: Function, samples: Samples) -> None:
    model = newest(text_function)
    manifest = (serving.artifact_folder(text_function, model.public_id) / "manifest.json").read_text()
    assert "refund" not in json.dumps(json.loads(manifest)["trained_with"])


def test_a_damaged_manifest_is_not_believed(text_function: Function, samples: Samples) -> None:
    model = newest(text_function)
    file = serving.artifact_folder(text_function, model.public_id) / "manifest.json"
    file.write_bytes(file.read_bytes() + b" ")
    assert annotations_of(model) is None
    file.unlink()
    assert annotations_of(model) is None

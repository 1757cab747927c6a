"""What serves is chosen by comparing recipes on today's labels: the one in service is fitted again at once, another
one must be better, a changed set of labels always goes live."""

import pytest

from apps.engine import automl
from apps.engine.types import Blend, RoundResult, TrainingData, Verdict
from apps.functions.models import Function
from apps.functions.services import add_label
from apps.samples.models import Sample
from apps.training.models import TrainedModel
from apps.training.services import finish_work, serving
from apps.training.services.choosing import pin_model
from tests.training.conftest import bring, label

Samples = dict[str, list[Sample]]
Round = tuple[Blend | None, RoundResult]


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[Round]:
    """What each round was told is in service, and what came of it."""
    seen: list[Round] = []
    train = automl.train

    def watched(data: TrainingData, **options: object) -> RoundResult:
        result = train(data, **options)  # type: ignore[arg-type]  # passed on as they came
        in_service = options["serving"]
        assert in_service is None or isinstance(in_service, Blend)
        seen.append((in_service, result))
        return result

    monkeypatch.setattr(automl, "train", watched)
    return seen


def blend_of(number: int) -> Blend:
    return Blend.from_json(TrainedModel.objects.get(number=number).recipe)


def live(function: Function) -> TrainedModel:
    served = serving.load_live(function.pk)
    assert served is not None
    return served.model


def test_a_round_compares_with_the_recipe_in_service(
    text_function: Function, samples: Samples, rounds: list[Round]
) -> None:
    finish_work(function_id=text_function.pk)
    label(text_function, samples[""][:1], "Refund")
    finish_work(function_id=text_function.pk)
    assert [in_service for in_service, _result in rounds] == [None, blend_of(1)]
    assert rounds[0][1].decision.verdict is Verdict.FIRST


def test_the_recipe_in_service_is_live_again_with_the_newest_label(
    text_function: Function, samples: Samples, rounds: list[Round]
) -> None:
    finish_work(function_id=text_function.pk)
    for sample in samples[""][:2]:
        label(text_function, [sample], "Refund")
        finish_work(function_id=text_function.pk)
        model = live(text_function)
        assert model.n_annotations == Sample.objects.filter(annotation__isnull=False).count()
        if rounds[-1][1].decision.verdict in {Verdict.SAME, Verdict.KEPT}:
            assert model.changes["recipe"] is False
    assert [model.number for model in TrainedModel.objects.order_by("number")] == [1, 2, 3]


def test_another_recipe_serves_only_where_it_was_found_better(
    text_function: Function, samples: Samples, rounds: list[Round]
) -> None:
    finish_work(function_id=text_function.pk)
    label(text_function, samples[""][:1], "Refund")
    finish_work(function_id=text_function.pk)
    in_service, result = rounds[-1]
    assert in_service is not None
    is_another = {recipe for recipe, _weight in result.blend.members} != {recipe for recipe, _ in in_service.members}
    assert is_another == (result.decision.verdict in {Verdict.FIRST, Verdict.REPLACED})
    assert blend_of(2) == result.blend


def test_while_one_is_pinned_recipes_are_compared_with_the_newest(
    text_function: Function, samples: Samples, rounds: list[Round]
) -> None:
    finish_work(function_id=text_function.pk)
    pin_model(model=live(text_function))
    for sample in samples[""][:2]:
        label(text_function, [sample], "Refund")
        finish_work(function_id=text_function.pk)
    assert rounds[2][0] == blend_of(2)
    assert live(text_function).number == 1


def test_a_changed_set_of_labels_goes_live_whatever_was_found_better(
    text_function: Function, samples: Samples, rounds: list[Round]
) -> None:
    finish_work(function_id=text_function.pk)
    add_label(function=text_function, name="Hello")
    label(text_function, bring(text_function, ["hello there", "hello friend", "hello you"]), "Hello")
    finish_work(function_id=text_function.pk)
    assert len(live(text_function).label_ids) == 3
    named = TrainedModel.objects.filter(number__gt=1).order_by("number").values_list("changes__labels_added", flat=True)
    assert named[0] == ["Hello"]

"""Known answers keep to what reviewers say: whoever corrects such a sample has changed what is known of it."""

from collections.abc import Sequence

from apps.accounts.models import User
from apps.samples.models import GoldSample
from apps.workspaces.roles import Action
from apps.workspaces.selectors import people_who_may


def let_known_answers_follow(sample_ids: Sequence[int], person: User | None) -> None:
    """After this person put answers in force, or took some back: let what is known of those samples be what is there.

    The samples are of one function, whose lock the caller holds. Only where the person may review: a labeler who takes
    back an answer of their own does not change what is known. Where nothing is in force any more the answer stays
    known, and nobody is tried on it.
    """
    if person is None:
        return
    known = GoldSample.objects.filter(sample__in=sample_ids, sample__annotation__is_opinion=False)
    changed = []
    for gold in known.select_related("sample__annotation", "sample__function__workspace"):
        answer = gold.sample.annotation
        if answer is not None and (gold.label_id, gold.tags) != (answer.label_id, answer.tags):
            gold.label_id, gold.tags = answer.label_id, answer.tags
            changed.append(gold)
    if changed and person.pk in people_who_may(changed[0].sample.function.workspace, Action.REVIEW):
        GoldSample.objects.bulk_update(changed, ["label", "tags"])

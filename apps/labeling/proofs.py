"""Proof that the queue itself handed a sample to a person, and why it chose that one.

Accuracy is estimated on the samples drawn at random, so what came how is never taken from the browser's word: each
item travels with a signature over sample, reason and person, and an answer brings it back.
"""

from datetime import timedelta

from django.core import signing

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.samples.models import PickedBy

_SALT = "hundredfold.labeling.queue"
# An answer may wait in a closed laptop; after a month the page is asked for again anyway.
_VALID_FOR = timedelta(days=30)


def sign(*, sample_id: str, picked_by: PickedBy, person: User) -> str:
    return signing.dumps([sample_id, picked_by.value, person.public_id], salt=_SALT)


def picked_by_of(proof: str, *, sample_id: str, person: User) -> PickedBy:
    """Return why the queue chose this sample for this person.

    Raises InvalidInput where the queue never did, or too long ago.
    """
    try:
        sample, picked_by, signed_for = signing.loads(proof, salt=_SALT, max_age=_VALID_FOR)
    except (signing.BadSignature, ValueError) as error:
        raise InvalidInput("This answer does not come from your queue. The sample will be asked again.") from error
    if (sample, signed_for) != (sample_id, person.public_id):
        raise InvalidInput("This answer belongs to another sample or person. The sample will be asked again.")
    return PickedBy(picked_by)

"""How several people work on one function: who is asked what, and who looks at it again."""

from dataclasses import asdict, dataclass

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.events.kinds import Audit
from apps.events.services import record
from apps.functions.models import DecidedBy, Function, ReviewLevel
from apps.functions.services.changes import actor_id, announce_change

MOST_PEOPLE = 7
MOST_GOLD = 0.3


@dataclass(frozen=True)
class Teamwork:
    """The columns of `Function` that say how people work together; shares lie in [0, 1]."""

    overlap_share: float
    overlap_people: int
    decided_by: str
    review_level: str
    review_share: float
    gold_share: float
    gold_bar: float
    is_machine_first: bool

    @classmethod
    def of(cls, function: Function) -> "Teamwork":
        return cls(**{name: getattr(function, name) for name in cls.__dataclass_fields__})

    def check(self) -> None:
        """Raise InvalidInput with a sentence where it cannot be meant."""
        shares = (self.overlap_share, self.review_share, self.gold_bar)
        if not all(0 <= share <= 1 for share in shares):
            raise InvalidInput("A share lies between 0 and 100 %.")
        if not 0 <= self.gold_share <= MOST_GOLD:
            raise InvalidInput(f"At most {MOST_GOLD:.0%} of what people are asked may have a known answer.")
        if not 2 <= self.overlap_people <= MOST_PEOPLE:
            raise InvalidInput(f"Ask between 2 and {MOST_PEOPLE} people about the same sample.")
        if self.decided_by not in DecidedBy.values or self.review_level not in ReviewLevel.values:
            raise InvalidInput("Choose one of the ways offered.")


@transaction.atomic
def set_teamwork(*, function: Function, teamwork: Teamwork, actor: User | None = None) -> Function:
    """Change how people work together. What was answered stays as it was; it holds for what is asked from now on.

    Samples that wait for more people than are asked now are let go within a minute or two, by the sweeper of samples.
    """
    teamwork.check()
    before = Teamwork.of(function)
    if teamwork == before:
        return function
    changed = {name: value for name, value in asdict(teamwork).items() if value != getattr(before, name)}
    Function.objects.filter(pk=function.pk).update(**changed)
    for name, value in changed.items():
        setattr(function, name, value)
    record(
        workspace=function.workspace.public_id,
        kind=Audit.TEAMWORK_CHANGED,
        actor=actor_id(actor),
        subject=function.public_id,
        name=function.name,
        **changed,
    )
    announce_change(function)
    return function

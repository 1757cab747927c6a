"""What is said of the rows of a file: cells beside their own."""

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from apps.core.errors import HundredfoldError, Unavailable
from apps.functions.models import InputKind, OutputKind
from apps.invoke.file_predictions.reading import SourceRow, pictures_beside
from apps.invoke.models import FilePrediction
from apps.invoke.services import Answer, Answerer, Content, Decision, answer_many, read_content
from apps.samples.media import forget_pictures
from apps.samples.reading.tag_cells import tag_cell
from apps.samples.rows import FindPicture, ReadRow
from apps.samples.services.row_pictures import ZippedPictures

NOTES_SHOWN = 3
NOTHING_TO_SAY = "There is nothing to say of it yet."
"""Of an input like no label's name, where there is no model."""


@dataclass(frozen=True)
class AnsweredRow:
    """A row as it goes out. `decision` is empty where it could not be read; `label_ids` are the labels said."""

    cells: list[str]
    decision: str
    label_ids: tuple[str, ...] = ()


@dataclass
class Tally:
    """How many rows were answered how, and how often each label was said, by public id."""

    n_rows: int = 0
    n_auto: int = 0
    n_review: int = 0
    n_failed: int = 0
    labels: Counter[str] = field(default_factory=Counter)

    def add(self, row: AnsweredRow) -> None:
        self.n_rows += 1
        self.n_auto += row.decision == Decision.AUTO
        self.n_review += row.decision == Decision.REVIEW
        self.n_failed += not row.decision
        self.labels.update(row.label_ids)


def answered(prediction: FilePrediction, answerer: Answerer, batch: Sequence[SourceRow]) -> list[AnsweredRow]:
    """Answer rows as calls would be; one that cannot be read gets its reason. Raises Unavailable."""
    contents: dict[int, Content] = {}
    reasons: list[str] = []
    with _finding_pictures(prediction) as find_picture:
        for index, row in enumerate(batch):
            try:
                contents[index], why = _content(row, answerer, find_picture)
            except Unreadable as reason:
                why = str(reason)
            reasons.append(why)
        said = dict(zip(contents, answer_many(answerer, list(contents.values())) if contents else [], strict=True))
    gives_tags = prediction.function.output_kind == OutputKind.TAGS
    return [
        _row_out(row, said[index], why, gives_tags=gives_tags) if index in said else refused(row, why)
        for index, (row, why) in enumerate(zip(batch, reasons, strict=True))
    ]


class Unreadable(Exception):
    """A row that no answer can be given of; the text says why."""


def _content(row: SourceRow, answerer: Answerer, find_picture: FindPicture | None) -> tuple[Content, str]:
    """What the model reads, and what of it could not be read."""
    if row.data is None:
        raise Unreadable(row.problem)
    try:
        content = read_content(row.data, answerer.layout, find_picture=find_picture)
    except Unavailable:
        raise
    except HundredfoldError as error:
        raise Unreadable(error.message) from error
    notes = content.notes if isinstance(content, ReadRow) else ()
    n_more = len(notes) - NOTES_SHOWN
    more = f"And {n_more} more." if n_more > 0 else ""
    return content, " ".join(filter(None, [*notes[:NOTES_SHOWN], more, row.problem]))


@contextmanager
def _finding_pictures(prediction: FilePrediction) -> Generator[FindPicture | None, None, None]:
    """Find pictures that cells name; what was stored to be read is removed afterwards."""
    with pictures_beside(prediction) as archive:
        if archive is None:
            yield None
            return
        zipped = ZippedPictures(prediction.function, archive)
        try:
            yield zipped.find
        finally:
            forget_pictures(zipped.written)


def _row_out(row: SourceRow, answer: Answer, reason: str, *, gives_tags: bool) -> AnsweredRow:
    if not answer.guesses:
        cells = [*row.cells, "", "", Decision.REVIEW.value, NOTHING_TO_SAY]
        return AnsweredRow(cells, Decision.REVIEW)
    said = (answer.tags or ()) if gives_tags else (answer.best,)
    names = [guess.name for guess in said]
    words = tag_cell(names) if gives_tags else names[0]
    decision = answer.decision
    cells = [*row.cells, words, f"{answer.confidence:.4f}", decision.value, reason]
    return AnsweredRow(cells, decision, tuple(guess.label.public_id for guess in said))


def refused(row: SourceRow, reason: str) -> AnsweredRow:
    """A row that got no answer: its own cells, and why."""
    return AnsweredRow([*row.cells, "", "", "", reason], "")


def rows_at_once(prediction: FilePrediction) -> int:
    """How many rows are answered together at most: a tenth of a second or so on two cores."""
    if prediction.function.input_kind == InputKind.IMAGE or prediction.options.get("pictures_key"):
        return 6
    return 32 if prediction.function.input_kind == InputKind.TEXT else 100

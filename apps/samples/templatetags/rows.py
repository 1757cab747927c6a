"""Table rows on pages: their cells by name, as they were written."""

from dataclasses import dataclass

from django import template
from django.db.models import prefetch_related_objects

from apps.functions.models import Function
from apps.samples.models import Sample
from apps.samples.rows import NamedCell, named_cells

register = template.Library()

CELLS_SHOWN = 16
CELL_CHARACTERS = 240


@dataclass(frozen=True)
class Card:
    """A row's first cells, and how many more there are."""

    cells: list[NamedCell]
    n_more: int


@register.simple_tag
def row_card(sample: Sample, function: Function) -> Card:
    """Return what a list shows of a row. The function's fields are asked for once, however many rows there are."""
    prefetch_related_objects([function], "fields")
    cells = [cell._replace(text=_shortened(cell.text)) for cell in named_cells(sample.row, function.fields.all())]
    return Card(cells[:CELLS_SHOWN], max(0, len(cells) - CELLS_SHOWN))


def _shortened(text: str) -> str:
    return text if len(text) <= CELL_CHARACTERS else f"{text[: CELL_CHARACTERS - 1]}…"

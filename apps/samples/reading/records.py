"""One row of a file, whatever the file: its cells or its problem, and where the next one starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Record:
    """`row` counts from 1 as the file's reader would count; `end` is the byte offset just past it."""

    row: int
    end: int
    cells: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def is_blank(self) -> bool:
        return not self.problem and not any(self.cells.values())

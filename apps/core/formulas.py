"""Cells that a spreadsheet would run as formulas: guarded on the way out, and exactly so restored on the way in.

The guard is one `'` in front. A text that already looks guarded gets one more, so that taking one away always gives
back what was there (tests hold it for any text). Numbers such as -3.2 stay numbers.
"""

import re

_DANGEROUS = re.compile(r"'*[=+\-@\t\r\n\x00＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def guard(cell: str) -> str:
    """Return the cell as it is written into a CSV."""
    return f"'{cell}" if _needs_guard(cell) else cell


def unguard(cell: str) -> str:
    """Return what `guard` was given."""
    return cell[1:] if cell.startswith("'") and _needs_guard(cell[1:]) else cell


def _needs_guard(cell: str) -> bool:
    return _DANGEROUS.match(cell) is not None and _NUMBER.fullmatch(cell) is None

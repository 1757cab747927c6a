"""A workbook's sheet turned into CSV by a process of its own, which cannot take more memory or time than it is given.

However a file was made to hurt, what reads it is thrown away with it; and neither calls nor training wait meanwhile.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO

from apps.samples.reading.kinds import NotReadable
from apps.samples.reading.workbooks import Sheet, write_sheet

SECONDS_MAX = 120
MEMORY_MAX_BYTES = 3 * 1024**3
_ROOT = Path(__file__).resolve().parents[3]
_TOO_MUCH = "This workbook is damaged, or too large to be read. Open it and save the sheet as CSV (UTF-8)."


def sheet_to_csv(source: IO[bytes], target: IO[bytes], *, wanted: str = "") -> Sheet:
    """Write one sheet of a workbook to `target`. Raises NotReadable, with what to do instead.

    `wanted` is the name of a sheet; without one it is the first that holds anything.
    """
    with tempfile.TemporaryDirectory(prefix="hundredfold-") as folder:
        book, table = Path(folder, "book.xlsx"), Path(folder, "sheet.csv")
        source.seek(0)
        with book.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        answer = _answer_of_child(book, table, wanted)
        if "problem" in answer:
            raise NotReadable(str(answer["problem"]))
        with table.open("rb") as written:
            shutil.copyfileobj(written, target)
    names = answer["names"]
    return Sheet(
        name=str(answer["name"]),
        names=tuple(map(str, names)) if isinstance(names, list) else (),
        first_row=int(str(answer["first_row"])),
        n_rows=int(str(answer["n_rows"])),
        n_columns=int(str(answer["n_columns"])),
    )


def _answer_of_child(book: Path, table: Path, wanted: str) -> dict[str, object]:
    command = [sys.executable, "-m", "apps.samples.reading.sheets", str(book), str(table), wanted]
    # One thread: an array library that the reader may load would else reserve memory for many.
    environment = {"PATH": os.environ.get("PATH", ""), "OPENBLAS_NUM_THREADS": "1", "PYTHONUTF8": "1"}
    try:
        done = subprocess.run(  # noqa: S603  # our own module, and names that are data to it
            command, cwd=_ROOT, env=environment, capture_output=True, timeout=SECONDS_MAX, check=False
        )
        answer = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise NotReadable(_TOO_MUCH) from error
    return answer if isinstance(answer, dict) else {"problem": _TOO_MUCH}


def main(book: str, table: str, wanted: str) -> None:
    """The child: one line of JSON on stdout, whatever happens; killed or out of memory, none."""
    _limit_oneself()
    try:
        with Path(book).open("rb") as source, Path(table).open("w", encoding="utf-8", newline="") as target:
            sheet = write_sheet(source, target, wanted=wanted)
        answer: dict[str, object] = asdict(sheet)
    except NotReadable as reason:
        answer = {"problem": str(reason)}
    except Exception:  # noqa: BLE001  # process border: the library raises a dozen kinds for damaged files
        answer = {"problem": _TOO_MUCH}
    sys.stdout.write(json.dumps(answer))


def _limit_oneself() -> None:
    os.nice(5)
    # Not every system allows or knows these.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_MAX, SECONDS_MAX))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))


if __name__ == "__main__":
    main(*sys.argv[1:4])

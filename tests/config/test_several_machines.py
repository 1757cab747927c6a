"""What is set for several machines stops the start where it cannot be meant."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def start(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUNDREDFOLD_")}
    own = {"HUNDREDFOLD_DATA_DIR": str(tmp_path), **{f"HUNDREDFOLD_{name}": value for name, value in variables.items()}}
    script = "from config import settings; print(','.join(settings.WORKER_QUEUES), settings.STORAGES['default'])"
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env={**kept, **own}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"WORKER_QUEUES": "train,gpu"}, "names some of train, parts, embed, adapt, default, not gpu."),
        ({"FILES": "s3"}, "HUNDREDFOLD_FILES must be folder or database."),
        ({"FILES": "database"}, "give each of them the same HUNDREDFOLD_SECRET_KEY."),
    ],
)
def test_a_value_that_cannot_be_meant_stops_the_start(tmp_path: Path, variables: dict[str, str], sentence: str) -> None:
    done = start(tmp_path, **variables)
    assert done.returncode != 0
    assert done.stderr.strip().splitlines()[-1].endswith(sentence)


def test_a_worker_takes_all_unless_told_otherwise(tmp_path: Path) -> None:
    assert start(tmp_path).stdout.startswith("train,parts,embed,adapt,default ")
    assert start(tmp_path, WORKER_QUEUES="adapt, train").stdout.startswith("train,adapt ")


def test_files_lie_in_the_database_where_that_is_said(tmp_path: Path) -> None:
    assert "DatabaseStorage" in start(tmp_path, FILES="database", SECRET_KEY=os.urandom(40).hex()).stdout
    assert "FileSystemStorage" in start(tmp_path).stdout

"""Which device models compute on is a setting; a word that is none stops the start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def start(tmp_path: Path, device: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HUNDREDFOLD_DATA_DIR": str(tmp_path), "HUNDREDFOLD_DEVICE": device}
    script = "import sys; from config import settings; print(settings.DEVICE, 'torch' in sys.modules)"
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cpu "])
def test_a_word_that_is_no_device_stops_the_start(tmp_path: Path, device: str) -> None:
    done = start(tmp_path, device)
    assert done.returncode != 0
    assert f"HUNDREDFOLD_DEVICE must be auto, cpu, cuda or cuda:N, not {device!r}." in done.stderr


def test_reading_the_setting_looks_for_no_graphics_card(tmp_path: Path) -> None:
    assert start(tmp_path, "cuda:1").stdout.split() == ["cuda:1", "False"]
    assert start(tmp_path, "").stdout.split() == ["auto", "False"]

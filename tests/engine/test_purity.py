"""The engine runs on a machine without the web application."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINE_MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "apps" / "engine").rglob("*.py")
)
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ModuleNotFoundError(f"{{name}} was made unimportable", name=name)
sys.meta_path.insert(0, Absent())
"""


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_every_module_of_the_engine_imports_without_django_and_the_queue() -> None:
    missing = {"django", "rest_framework", "dramatiq", "redis", "config"}
    imports = "\n".join(f"import {name}" for name in ENGINE_MODULES)
    done = run_python(WITHOUT.format(missing=missing) + imports)
    assert done.returncode == 0, done.stderr


def test_the_guard_of_the_test_above_does_refuse_django() -> None:
    done = run_python(WITHOUT.format(missing={"django"}) + "import django")
    assert "made unimportable" in done.stderr


def test_the_engine_trains_and_predicts_without_importing_torch_or_timm() -> None:
    code = """
import sys
import numpy as np
from apps.engine import automl, backbones
from apps.engine.types import Inputs, TrainingData
texts = [f"refund order {i}" for i in range(6)] + [f"hello there {i}" for i in range(6)]
rows = backbones.load("tiny-text").encode(texts)
data = TrainingData(Inputs(12, {"tiny-text": rows}), np.array([0] * 6 + [1] * 6), 2, np.arange(12))
automl.train(data).predictor.pred_probs(data.inputs)
heavy = {"torch", "timm", "transformers", "sklearn"} & set(sys.modules)
assert not heavy, heavy
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["minilm", "effnet-lite0"])
def test_backbones_load_and_encode_with_the_network_made_unusable(name: str) -> None:
    code = f"""
import socket
def refuse(*args, **kwargs):
    raise AssertionError("something reached for the network")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
from PIL import Image
from apps.engine import backbones
backbone = backbones.load({name!r}, device="cpu")
sample = "hello" if backbone.spec.modality == "text" else Image.new("RGB", (9, 9))
assert backbone.encode([sample]).shape == (1, backbone.spec.dim)
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr


def test_timm_and_transformers_import_after_the_cure() -> None:
    code = """
from apps.engine.backbones.cure import cure_torchvision
cure_torchvision()
cure_torchvision()
import timm
from transformers import BertModel
assert timm.create_model("tf_efficientnet_lite0", pretrained=False)
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr


def test_nothing_is_declared_where_torchvision_brings_its_own_operators() -> None:
    code = """
import torch
torch.ops.load_library = lambda path: None  # as where the extension loads
from apps.engine.backbones.cure import cure_torchvision
cure_torchvision()
assert not hasattr(torch.ops.torchvision, "nms")
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr


NO_WEB = WITHOUT.format(missing={"django", "rest_framework", "dramatiq", "redis", "config"})


def test_the_tests_of_the_engine_are_found_and_run_without_django() -> None:
    code = """
import sys
import pytest
given = ["-q", "--confcutdir=tests/engine", "-p", "no:django", "-p", "no:cacheprovider"]
assert pytest.main([*given, "--collect-only", "tests/engine"]) == 0
assert pytest.main([*given, "tests/engine/test_metrics.py", "tests/engine/test_changeover.py"]) == 0
"""
    done = run_python(NO_WEB + code)
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr


def test_the_bench_of_the_engine_runs_without_django_and_names_the_device() -> None:
    code = """
import runpy
import sys
sys.argv = ["bench", "round", "--samples", "60"]
runpy.run_module("apps.engine.bench", run_name="__main__")
"""
    done = run_python(NO_WEB + code)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["n_samples"] == 60
    assert figures["device"].startswith("processor") or "cuda:" in figures["device"]

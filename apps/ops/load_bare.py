"""The bare pass beside `bench load`: the same models on such inputs, read and answered in batches, without a server.

Reads orders from standard input, a line of JSON each, and answers each with one.
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
if __name__ == "__main__":
    import django

    django.setup()

from apps.functions.models import Function
from apps.invoke.services import inputs_of, read_content
from apps.ops.load_generator import Inputs, given_data
from apps.training.services import serving
from apps.training.services.serving import Served


def measure(order: dict[str, object], inputs: Inputs) -> dict[str, object]:
    """Return the seconds of each pass over a batch, read from what would be sent."""
    served = _served(str(order["function"]))
    n, kind, end = int(str(order["batch"])), str(order["kind"]), time.perf_counter() + float(str(order["seconds"]))
    times = []
    while time.perf_counter() < end:
        sent = [inputs.text() if kind == "text" else inputs.picture() for _ in range(n)]
        started = time.perf_counter()
        contents = [read_content(one, served.layout) for one in sent]
        served.pred_probs(inputs_of(served, contents))
        times.append(time.perf_counter() - started)
    return {"times": times}


def _served(function_id: str) -> Served:
    served = serving.load_live(Function.objects.get(public_id=function_id).pk)
    if served is None:
        raise SystemExit("The function to measure has no model.")
    return served


def main() -> None:
    inputs = Inputs(given_data())
    for line in sys.stdin:
        sys.stdout.write(json.dumps(measure(json.loads(line), inputs)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

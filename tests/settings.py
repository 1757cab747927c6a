"""The settings tests run with: a data directory of their own, one process alone, weightless backbones.

A module of its own, because Django's settings are read before any `conftest.py` is: set there, the environment would
come too late and tests would meet an installation's data.
"""

import os
import tempfile

os.environ["HUNDREDFOLD_DATA_DIR"] = tempfile.mkdtemp(prefix="hundredfold-test-")
os.environ["HUNDREDFOLD_REDIS_URL"] = "memory://"
os.environ["HUNDREDFOLD_BACKBONES"] = "tiny"
os.environ["HUNDREDFOLD_DEVICE"] = "cpu"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

from config.settings import *  # noqa: F403  # the same settings, read from the environment above

#!/usr/bin/env python
"""Hundredfold's command line: `python manage.py help` lists the commands."""

import argparse
import os
import sys


def choose_data_dir(arguments: list[str]) -> None:
    """Let `--data-dir` count before the settings are read, which make the directory and keep the secret key in it."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--data-dir")
    known, _others = parser.parse_known_args(arguments)
    if known.data_dir:
        os.environ["HUNDREDFOLD_DATA_DIR"] = known.data_dir


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # Read when numpy is imported. More threads make the small products of training and of calls slower, and idle ones
    # spin: fifty annotations one after the other cost the worker 22 s of processor time with two, 7 s with one.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    choose_data_dir(sys.argv[1:])
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)

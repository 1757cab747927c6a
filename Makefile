# Hundredfold's commands. `make run` starts it; `make test` is what CI runs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Installed once per content of pyproject.toml: a checkout that only touches the file installs nothing and needs no network.
STAMP := $(VENV)/.installed-$(shell cksum < pyproject.toml | cut -d ' ' -f 1)

.DEFAULT_GOAL := help
.PHONY: help run setup test lint pytest chromium

help:
	@echo "make run     install, then start everything; two lines say where (options: make run ARGS='--port 0 --demo')"
	@echo "make setup   install with what development needs"
	@echo "make test    lint, types, import contracts and all tests, with a real browser"
	@echo "make lint    the quick checks alone"

# `exec`, so that a signal meant for `up` meets it and no shell in between.
run: $(STAMP)
	@exec $(BIN)/python manage.py up $(ARGS)

setup: $(STAMP)-dev

test: lint chromium pytest

lint: $(STAMP)-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Tests of one group share a running server; a group stays on one of the two processes. Browser tests measure how fast
# the pages answer, so they come afterwards and have the machine to themselves.
pytest: $(STAMP)-dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m 'not browser'
	$(BIN)/python -m pytest -m browser

chromium: $(STAMP)-dev
	@command -v chromium >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update && apt-get install -y chromium; } \
	  || $(BIN)/playwright install chromium

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Hundredfold needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(STAMP): $(BIN)/python
	$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(STAMP)-dev: $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $(STAMP) $@

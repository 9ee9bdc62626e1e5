# `make help` lists the targets. The first one that is run sets up .venv by itself.

PYTHON ?= python3
DATA ?= ../shared/data
DEMO ?= curatome-demo
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations 12 --durations-min 1
BENCHMARKS := tiles workers batches memory cluster tissue phantom reads annotation_store qupath_import \
  matching agreement eiph consensus completeness duplicates manifests dataset_reading outlines check rules

.DEFAULT_GOAL := help
.PHONY: help setup demo check test acceptance bench docs docs-pictures clean

help:
	@echo 'make demo        build a dataset from synthetic slides, and say where the report is'
	@echo 'make test        run the tests (under 15 minutes)'
	@echo 'make acceptance  run the statistical, fuzzing and load checks (under 30 minutes)'
	@echo 'make check       ruff, mypy, import layers'
	@echo 'make bench       compare with other ways; DATA=FOLDER names the real slides'
	@echo 'make docs        write the generated parts of docs/ again'
	@echo 'make docs-pictures  draw the phantom's contact sheet and the pictures of rules again'
	@echo 'make setup       make .venv with everything that is needed'
	@echo 'make clean       remove caches and the demo; .venv stays'
	@echo 'PYTHON=python3.12 make …   chooses another Python (3.11 or newer)'

setup: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Curatome needs Python 3.11 or newer, and $(PYTHON) is not. On Debian 12 or later:"; \
	  echo "    sudo apt-get install -y python3 python3-venv"; \
	  echo "or name another one: PYTHON=python3.12 make $(MAKECMDGOALS)"; exit 1; } >&2
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments. On Debian:"; \
	  echo "    sudo apt-get install -y python3-venv"; exit 1; } >&2
	@echo 'Setting up $(VENV), once …'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(READY)
	@$(BIN)/curatome demo $(DEMO)

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(READY)
	$(PYTEST) -m 'not acceptance'

acceptance: $(READY)
	$(PYTEST) -m acceptance

bench: $(READY)
	@for name in $(BENCHMARKS); do \
	  if [ -f benchmarks/$$name.py ]; then \
	    echo "== benchmarks.$$name"; \
	    $(BIN)/python -m benchmarks.$$name --data $(DATA) || exit 1; \
	  fi; \
	done

docs: $(READY)
	$(BIN)/python docs/generate.py

docs-pictures: $(READY)
	$(BIN)/python -m docs.phantom_sheet
	$(BIN)/python -m docs.rule_pictures

clean:
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist $(DEMO)
	find src tests benchmarks docs -name __pycache__ -prune -exec rm -rf {} +

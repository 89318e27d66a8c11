# Everything a person or CI runs. `make run` and `make test` set up what they need.

PYTHON ?= python3
VENV ?= .venv
BOARD ?= zcu104
WORKERS ?= 2

BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup run test check lint format bench hooks clean

help:
	@echo 'make setup   make .venv with everything in it; the others do so, too'
	@echo 'make run     search a network and its accelerator for BOARD ($(BOARD))'
	@echo 'make test    run the tests'
	@echo 'make check   formatting, lint, types, import contracts and tests'
	@echo 'make format  rewrite the code in the one format'
	@echo 'make bench   measure, and print the table'
	@echo 'make hooks   check format, lint, types and contracts before every commit'
	@echo 'make clean   remove what was built; runs/ stays'

setup: $(READY)

run: $(READY)
	$(BIN)/codesign run board=$(BOARD)

test: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS)

check: lint
	$(MAKE) --no-print-directory test

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

bench: $(READY)
	$(BIN)/python -m benchmarks

hooks: $(READY)
	$(BIN)/pre-commit install

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "codesign needs Python 3.11 or newer as '$(PYTHON)'; name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "'$(PYTHON)' cannot make virtual environments: apt-get install python3-venv" >&2; exit 1; }
	@echo 'Setting up $(VENV) (once; some minutes, mostly torch)'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check \
	  -c constraints.txt -e '.[train,validate,dev]'
	@touch $@

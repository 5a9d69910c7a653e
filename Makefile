# The two commands of the README, and what developers run besides.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUNS := $(VENV)/.runs

.PHONY: demo test check lint types format bench stress sweep manual clean dist

demo: $(RUNS)
	@PATH="$(abspath $(BIN)):$$PATH" sh examples/nightly-audit/run.sh

test: $(READY)
	$(BIN)/python -m pytest -n 2

check: lint types test

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/python -m cuectl.cli.manual --check

types: $(READY)
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Every point of every fault sweep; the tests take a sample of them.
sweep: $(READY)
	$(BIN)/python -m pytest -m sweep -o addopts= -ra

stress: $(READY)
	$(BIN)/python -m pytest -m stress -o addopts= -ra

# Ratios, each to a floor of the same round; `make bench BENCH=--quick` takes a few minutes.
bench: $(READY)
	$(BIN)/python -m pip -q --disable-pip-version-check install -e '.[bench]'
	$(BIN)/python -m tests.bench $(BENCH)

manual: $(READY)
	$(BIN)/python -m cuectl.cli.manual

dist: $(READY)
	$(BIN)/python -m pip -q install build
	$(BIN)/python -m build --outdir dist
	$(BIN)/python tools/pyz.py dist/cuectl.pyz

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The demo needs the program alone; the tests need the development tools as well.
$(RUNS): pyproject.toml
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip -q --disable-pip-version-check install -e .
	@touch $@

$(READY): $(RUNS)
	$(BIN)/python -m pip -q --disable-pip-version-check install -e '.[dev]'
	@touch $@

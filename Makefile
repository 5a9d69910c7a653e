# The two commands of the README, and what developers run besides.
PYTHON ?= python3
VENV ?= .venv
EXTRA ?= dev
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUNS := $(VENV)/.runs

# Ten years; tests of pure rules, and those that set the times of everything themselves, are left out.
LATER_S ?= 315619200
LATER := $(VENV)/later-$(LATER_S).so
LATER_TESTS ?= tests $(addprefix --ignore=tests/,faults mutants values schedule definitions store)

.PHONY: demo test test-later test-pythons check lint types format bench mutants stress sweep manual pictures
.PHONY: clean dist

demo: $(RUNS)
	@$(BIN)/cuectl demo

test: $(READY)
	$(BIN)/python -m pytest -n 2

# The tests with a date that is years on: what mixes the machine's clock with a fixed day fails.
test-later: $(READY) $(LATER)
	LD_PRELOAD=$(abspath $(LATER)) PYTHONPYCACHEPREFIX=$(abspath $(VENV))/later-pyc \
	$(BIN)/python -m pytest -n 2 -p no:cacheprovider $(LATER_TESTS)

$(LATER): tests/later/clock.c $(READY)
	$(CC) -shared -fPIC -O2 -Wall -DOFFSET_S=$(LATER_S) -o $@ $< -ldl

# The unit tests on every other Python from 3.11 on that is found.
test-pythons: $(READY)
	VENV=$(VENV) .ci/pythons

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

# Small changes to the code, and which of them no test notices, by wing; the first time it measures
# for half an hour which test reaches what. `make mutants MUTANTS="--wings store --count 20"`
mutants: $(READY)
	$(BIN)/python -m pip -q --disable-pip-version-check install -e '.[mutants]'
	$(BIN)/python -m tests.mutants $(MUTANTS)

# The pictures of the README, from a week that the program plays itself; the page needs Chromium.
pictures: $(RUNS)
	$(BIN)/python examples/week/picture.py
	$(BIN)/python examples/week/page.py

manual: $(READY)
	$(BIN)/python -m cuectl.cli.manual

dist: $(READY)
	$(BIN)/python -m pip -q install build
	$(BIN)/python -m build --outdir dist
	$(BIN)/python .ci/pyz.py dist/cuectl.pyz

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The demo needs the program alone; the tests need the development tools as well.
$(RUNS): pyproject.toml
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip -q --disable-pip-version-check install -e .
	@touch $@

$(READY): $(RUNS)
	$(BIN)/python -m pip -q --disable-pip-version-check install -e '.[$(EXTRA)]'
	@touch $@

# Every target sets up .venv by itself when needed, and is quick when it is there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DOCS := $(VENV)/.docs

.PHONY: leaderboard test test-slow check bench bench-results bench-gpu audit matrix docs clean

leaderboard: $(READY)
	$(BIN)/suite leaderboard quick

test: $(READY)
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m tests.benchmarks

# Every benchmark within its limit, twenty minutes in all; writes tests/benchmarks/RESULTS.md and the README's table
bench-results: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks results

# All that a CUDA device can tell, in at most nine minutes; writes gpu-report.json
bench-gpu: $(READY)
	$(BIN)/python -m tests.gpu

# Known advisories against constraints.txt, by pip-audit; one sentence where they cannot be reached.
audit: $(READY)
	$(BIN)/python -m pip install --quiet pip-audit || true
	$(BIN)/python -m tests.trust.audit

# The wheel in fresh environments outside the checkout: every Python from 3.11 to 3.13 on PATH, with and without extras.
matrix: $(READY)
	$(BIN)/python -m tests.trust.matrix

# site/index.html opens from the file; what builds it is installed for this target alone
docs: $(DOCS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo site/index.html

clean:
	rm -rf $(VENV) site build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,h5,s3,cluster,tensorboard,dashboard]"
	touch $(READY)

$(DOCS): $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	touch $(DOCS)

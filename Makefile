# `make run` and `make test` need Debian's python3 (3.11 or newer) with venv, and make. Nothing else.
PYTHON ?= python3
DEMO ?= 20000
EVENTS ?= 10000000
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run test lint types imports bench lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## start the server on ./data; an empty store gets a key and DEMO=20000 made-up events
	$(BIN)/postledger serve --demo $(DEMO)

test: lint types imports ## run everything that CI runs
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/.dev ## check style and formatting
	$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/ruff format --check src tests benchmarks docs

types: $(VENV)/.dev ## check types
	$(BIN)/mypy

imports: $(VENV)/.dev ## check who imports whom
	$(BIN)/lint-imports

bench: $(VENV)/.dev ## measure against the raw engine: intake, then reading with EVENTS=10000000
	$(BIN)/python -m benchmarks.intake
	rm -rf build/bench
	$(BIN)/python -m benchmarks.load build/bench --events $(EVENTS)
	$(BIN)/python -m benchmarks.reading build/bench

lock: $(VENV)/bin/python ## write requirements*.txt anew from pyproject.toml
	$(BIN)/python -m pip install --quiet pip-tools
	$(COMPILE) --extra build --output-file requirements.txt
	$(COMPILE) --extra build --extra dev --constraint requirements.txt --output-file requirements-dev.txt

COMPILE := $(BIN)/python -m piptools compile --quiet --strip-extras --generate-hashes --no-header \
	--no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --allow-unsafe \
	--upgrade pyproject.toml

clean: ## remove what was installed and built; the data stays
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.run

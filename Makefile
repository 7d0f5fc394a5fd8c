# `make run` needs Debian's python3 (3.11 or newer) with venv, and make. Nothing else.
# `make test` also needs nodejs (18 or newer) and npm for the clients that are written for Node, and
# postgresql for the state store; it leaves their tests out where these are missing, unless
# REQUIRE_CLIENTS is set.
PYTHON ?= python3
DEMO ?= 20000
SCALE ?= 1M
SYSTEMS ?= postledger raw postgresql duckdb
WORK ?= /var/tmp/postledger-bench
ROUNDS ?= 100
SECONDS ?= 600
TIMES ?= 10
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := tests/clients
NODE := $(shell command -v npm >/dev/null && node -p 'process.versions.node.split(".")[0] >= 18' 2>/dev/null)

.PHONY: help run test lint types imports audit clients bench faults properties lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## start the server on ./data; an empty store gets a key and DEMO=20000 made-up events
	$(BIN)/postledger serve --demo $(DEMO)

test: lint types imports audit clients ## run everything that CI runs
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(VENV)/.dev ## check style and formatting
	$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/ruff format --check src tests benchmarks docs

types: $(VENV)/.dev ## check types
	$(BIN)/mypy

imports: $(VENV)/.dev ## check who imports whom
	$(BIN)/lint-imports

audit: $(VENV)/.dev ## ask advisory services about what is locked; passes where none can be reached
	$(BIN)/python tests/audit.py

clients: $(VENV)/clients/.done $(if $(filter true,$(NODE)),$(CLIENTS)/node/node_modules/.done) ## install the clients of other services that tests run

bench: $(VENV)/.dev ## measure beside the raw engine, PostgreSQL 15 and DuckDB: SCALE=1M, 10M or 100M events
	$(BIN)/python -m benchmarks.compare $(SCALE) --systems $(SYSTEMS) --work $(WORK)
	$(BIN)/python -m benchmarks.report

faults: $(VENV)/.dev ## run the tests of faults at length, at most 75 minutes: ROUNDS=100 SECONDS=600
	FAULT_ROUNDS=$(ROUNDS) FAULT_SECONDS=$(SECONDS) $(BIN)/python -m pytest -q -p no:xdist tests/faults

properties: $(VENV)/.dev ## run the properties that ask the engine with more examples: TIMES=10
	EXAMPLES=$(TIMES) $(BIN)/python -m pytest -n 2 --dist worksteal -m hypothesis tests/store tests/http

lock: $(VENV)/bin/python ## write requirements*.txt anew from pyproject.toml
	$(BIN)/python -m pip install --quiet pip-tools
	$(COMPILE) --extra build --output-file requirements.txt
	$(COMPILE) $(addprefix --extra ,$(DEV_EXTRAS)) --constraint requirements.txt --output-file requirements-dev.txt
	$(LOCK) --output-file $(CLIENTS)/requirements.txt $(CLIENTS)/requirements.in
	cd $(CLIENTS)/node && rm -f package-lock.json && npm install --package-lock-only
	$(BIN)/python $(CLIENTS)/lock_node.py $(CLIENTS)/node/package-lock.json

LOCK := $(BIN)/python -m piptools compile --quiet --strip-extras --generate-hashes --no-header \
	--no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --allow-unsafe \
	--upgrade
COMPILE := $(LOCK) pyproject.toml
DEV_EXTRAS := build dev plot postgresql

clean: ## remove what was installed and built; the data stays
	rm -rf $(VENV) $(CLIENTS)/node/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

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

$(VENV)/clients/.done: $(CLIENTS)/requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m venv --clear $(VENV)/clients
	$(VENV)/clients/bin/python -m pip install --quiet --require-hashes -r $(CLIENTS)/requirements.txt
	@touch $@

$(CLIENTS)/node/node_modules/.done: $(CLIENTS)/node/package.json $(CLIENTS)/node/package-lock.json
	cd $(CLIENTS)/node && npm ci --loglevel=error
	@touch $@

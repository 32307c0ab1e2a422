# Two commands matter: `make demo` shows otelkit at work, `make test` shows that it works. Both do the set-up first.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Names and hashes only: no committed file says where packages come from.
pin = uv pip compile pyproject.toml $(2) --prerelease if-necessary-or-explicit --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-header --no-annotate --quiet -o requirements/$(1).txt

.PHONY: help setup demo stack test test-fast test-long lint docs bench lock clean browser postgres redis
.DEFAULT_GOAL := help

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## make the environment with pinned packages

$(VENV)/.installed: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "otelkit needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@echo "installing pinned packages into $(VENV) (about a minute, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## a chatbot at work, and the page that shows it (ARGS=--once checks and ends)
	@$(BIN)/otelkit demo $(ARGS)

stack: setup postgres ## the Collector, Prometheus, Loki, Jaeger and Alertmanager for the tests (about 15 minutes, once a machine; Go 1.26)
	@tests/stack/install-alertmanager
	@$(BIN)/python -m tests.stack.build

test: setup browser postgres redis lint ## everything; what is missing is named loudly (OTELKIT_REQUIRE=all makes it a failure)
	@$(BIN)/python -m pytest $(ARGS)

test-long: setup ## what `make test` tries a few times, tried thoroughly: 100,000 hostile bodies, 60 kills (about 10 minutes)
	@TEST_LONG=1 $(BIN)/python -m pytest --timeout 3600 tests/server/test_hostile.py tests/server/test_kills.py $(ARGS)

test-fast: setup ## without browsers, client environments and the real pipeline
	@$(BIN)/python -m pytest -m "not browser and not clients and not stack" $(ARGS)

lint: setup ## style, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

docs: setup ## write the generated reference pages and env.example
	@$(BIN)/python -m otelkit.cli.reference --write

bench: setup ## the README's figures, as ratios in one run
	@$(BIN)/python -m benchmarks $(ARGS)

browser: ## headless Chromium and TypeScript for the page's tests, where apt and npm can bring them
	@tests/browser/install-chromium
	@tests/browser/install-typescript

postgres: ## PostgreSQL's server for the store's tests, where apt can bring it
	@tests/install-postgres

redis: ## Redis's server for the tests of jobs and caches, where apt can bring it
	@tests/sdk/install-redis

lock: ## pin the newest allowed versions (needs uv)
	@$(call pin,dev,--extra all --group dev)
	@for name in genai openinference traceloop fastapi celery; do \
	  $(call pin,clients-$$name,requirements/clients-$$name.in) || exit 1; done

clean: ## remove what was made here
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build

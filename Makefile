# Needs git, make and Python 3.11 or later; everything else is brought into .venv and .tools.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# The interpreter for .venv; choose another one with `make PYTHON=/usr/bin/python3.12 test`.
PYTHON ?=
# `make test PYTEST_ARGS="-k window"` runs a selection.
PYTEST_ARGS ?= -n auto --dist loadfile

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# `make fuzz MINUTES=60` takes longer and finds more.
MINUTES ?= 10

LOWEST := .tools/lowest
# What touches the libraries; the rest is the same with any version of them.
LOWEST_TESTS ?= tests/unit tests/cli/test_usage.py tests/cli/test_latest.py tests/cli/test_update_github.py \
  tests/integration/test_githubapi.py tests/integration/test_exchange.py tests/integration/test_downloads.py \
  tests/integration/test_cachelock.py

.PHONY: help demo test faults lowest fuzz lint format schema bench bench-smoke audit helm clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 13

demo: $(STAMP) ## make small upstream repositories, publish their charts into ./public, and show them
	@$(BIN)/python -m examples.demo

test: $(STAMP) helm ## run all tests, with the true Helm where it can be had
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# The tests that read NETWORK_FAULTS or MACHINE_STEP.
FAULT_TESTS := $(addprefix tests/integration/test_,network_faults.py machine_kills.py machine_disk.py machine_cache.py cache_trust.py)
# Every write and every size of a disk; 5 takes every fifth.
MACHINE_STEP ?= 1

faults: $(STAMP) helm ## try every fault at every point of a run, where `make test` tries some
	NETWORK_FAULTS=1 MACHINE_STEP=$(MACHINE_STEP) $(BIN)/python -m pytest $(PYTEST_ARGS) $(FAULT_TESTS)

lowest: $(LOWEST)/.installed ## run a selection of the tests with the oldest versions of the libraries
	$(LOWEST)/bin/python -m pytest $(PYTEST_ARGS) $(LOWEST_TESTS)

$(LOWEST)/.installed: $(STAMP) constraints-lowest.txt
	$(BIN)/python -m venv --clear $(LOWEST)
	PIP_BUILD_CONSTRAINT=constraints.txt $(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --no-input -c constraints-lowest.txt -e . pytest pytest-xdist hypothesis
	@touch $@

fuzz: $(STAMP) helm ## try the properties in tests/fuzz on random input for MINUTES (10)
	FUZZ_MINUTES='$(MINUTES)' $(BIN)/python -m pytest tests/fuzz

lint: $(STAMP) ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/deptry .
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-actions action.yml

format: $(STAMP) ## put the style right where that can be done by machine
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(STAMP) ## write the configuration's JSON Schema anew, after a key was changed
	$(BIN)/chart-releaser schema > chart_releaser/config.schema.json

bench: $(STAMP) ## measure
	$(BIN)/python -m bench

bench-smoke: $(STAMP) ## measure little, and check the counts: requests, bytes, writes
	$(BIN)/python -m pytest -q $(PYTEST_ARGS) bench

audit: $(STAMP) ## ask whether the pinned packages have known vulnerabilities, where that can be asked
	@$(BIN)/python -m tools.audit

# Without Helm the tests that need it are skipped, loudly; with REQUIRE_HELM=1 that is a failure, here already.
helm: $(STAMP) ## find Helm for the tests, or bring it
	@$(BIN)/python tools/get_helm.py >/dev/null || [ "$${REQUIRE_HELM:-}" != 1 ]
	@$(BIN)/python tools/get_helm4.py >/dev/null || [ "$${REQUIRE_HELM4:-}" != 1 ]

$(STAMP): pyproject.toml constraints.txt
	@python='$(PYTHON)'; \
	for candidate in $${python:-python3.13 python3.12 python3.11 python3}; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
	  echo "error: no Python 3.11 or later found ($${python:-tried python3.13, python3.12, python3.11, python3});" \
	    "install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "error: $$found can't make virtual environments; install its venv module (on Debian: apt-get install python3-venv)" >&2; exit 1; \
	fi; \
	if ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	  echo "Making $(VENV) with $$("$$found" --version) ..." >&2; \
	  "$$found" -m venv --clear $(VENV); \
	fi
	@echo "Installing chart-releaser and what it needs into $(VENV) ..." >&2
	@PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input -c constraints.txt -e '.[dev]'
	@touch $@

clean: ## remove everything that was made here
	rm -rf $(VENV) .tools demo public build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# Needs git, make and Python 3.11 or later; everything else is installed into .venv and .tools.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
# With it set, each of the many processes that the tests start would compile the program again.
unexport PYTHONDONTWRITEBYTECODE

# The interpreter for .venv; choose one with `make PYTHON=/usr/bin/python3.12 test`.
PYTHON ?=
# `make test PYTEST_ARGS="-k window"` runs a selection.
PYTEST_ARGS ?= -n $(WORKERS) --dist $(DIST)
# One more than there are processors: tests wait for disks and servers much of the time.
WORKERS = $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
DIST := loadfile

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# `make fuzz MINUTES=60` takes longer and finds more.
MINUTES ?= 10

LOWEST := .tools/lowest
# Tests that depend on the libraries' versions.
LOWEST_TESTS ?= tests/unit tests/cli/test_usage.py tests/cli/test_latest.py tests/cli/test_update_github.py \
  tests/integration/test_githubapi.py tests/integration/test_exchange.py tests/integration/test_downloads.py \
  tests/integration/test_cachelock.py

.PHONY: help demo test faults lowest fuzz lint format schema bench bench-smoke audit helm clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 13

demo: $(STAMP) ## create small upstream repositories, publish their charts into ./public, and show them
	@$(BIN)/python -m examples.demo

test: $(STAMP) helm ## run all tests, with the real Helm if available
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# The tests that read NETWORK_FAULTS or MACHINE_STEP.
FAULT_TESTS := $(addprefix tests/integration/test_,network_faults.py publish_faults.py machine_kills.py machine_disk.py \
  machine_cache.py cache_trust.py)
# 1 tests every write and every disk size, 5 every fifth, starting at MACHINE_FIRST.
MACHINE_STEP ?= 1
MACHINE_FIRST ?= 1

# Single tests take so long here that whole files would not spread evenly.
faults: DIST := worksteal
faults: $(STAMP) helm ## test every fault at every point of a run; `make test` tests some
	NETWORK_FAULTS=1 MACHINE_STEP=$(MACHINE_STEP) MACHINE_FIRST=$(MACHINE_FIRST) \
	  $(BIN)/python -m pytest $(PYTEST_ARGS) $(FAULT_TESTS)

lowest: $(LOWEST)/.installed ## run a selection of the tests with the oldest library versions
	$(LOWEST)/bin/python -m pytest $(PYTEST_ARGS) $(LOWEST_TESTS)

$(LOWEST)/.installed: $(STAMP) constraints-lowest.txt
	$(BIN)/python -m venv --clear $(LOWEST)
	PIP_BUILD_CONSTRAINT=constraints.txt $(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --no-input -c constraints-lowest.txt -e . pytest pytest-xdist hypothesis
	@touch $@

fuzz: $(STAMP) helm ## test the properties in tests/fuzz on random input for MINUTES (10)
	FUZZ_MINUTES='$(MINUTES)' $(BIN)/python -m pytest tests/fuzz

lint: $(STAMP) ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/deptry .
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-actions action.yml

format: $(STAMP) ## fix style automatically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(STAMP) ## rewrite the configuration's JSON Schema after a change to its keys
	$(BIN)/chart-releaser schema > chart_releaser/config.schema.json

bench: $(STAMP) ## run the benchmarks
	$(BIN)/python -m bench

bench-smoke: $(STAMP) ## run the small benchmark and check its counts: requests, bytes, writes
	$(BIN)/python -m pytest -q $(PYTEST_ARGS) bench

audit: $(STAMP) ## check the pinned packages for known vulnerabilities, if the database is reachable
	@$(BIN)/python -m tools.audit

# Without Helm, tests that need it are skipped and reported; with REQUIRE_HELM=1, a missing Helm fails here.
helm: $(STAMP) ## find or download Helm 3 and Helm 4 for the tests
	@$(BIN)/python -m tools.get_helm >/dev/null || [ "$${REQUIRE_HELM:-}" != 1 ]

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
	  echo "error: $$found can't create virtual environments; install its venv module (on Debian: apt-get install python3-venv)" >&2; exit 1; \
	fi; \
	if ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	  echo "Creating $(VENV) with $$("$$found" --version) ..." >&2; \
	  "$$found" -m venv --clear $(VENV); \
	fi
	@echo "Installing chart-releaser and its dependencies into $(VENV) ..." >&2
	@PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input -c constraints.txt -e '.[dev]'
	@touch $@

clean: ## remove all generated files
	rm -rf $(VENV) .tools demo public build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

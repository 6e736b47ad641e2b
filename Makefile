# Nothing but Python 3.11 (or newer) and make is needed: the environment is made here, once, in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast coverage gate lint types walls drift check bench mutants cookbook asterisk clients rolling verify verify-full campaign bystanders soak clean

help:  ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "turnspec needs Python 3.11 or newer; this is $$($(PYTHON) --version 2>&1). Name another with: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing: install it (Debian and Ubuntu: apt install python3-venv), or name another Python: make PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.python pyproject.toml
	@echo "installing turnspec into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "installing the test tools into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(VENV)/.run  ## one real call between the shipped simulators, about half a minute
	@$(BIN)/turnspec demo

# Each test once: first those that coverage is measured of, then what a tracer would slow down for minutes.
TRACED := --cov --cov-report= --cov-report=json:.coverage.json @tests/coverage.txt
UNTRACED := tests examples $(shell sed -n 's/^tests/--ignore=tests/p' tests/coverage.txt)

test: $(VENV)/.dev  ## every test
	@echo "the tests that coverage is measured of ..."; $(BIN)/python -m pytest -n auto $(TRACED); traced=$$?; \
	echo "all other tests ..."; $(BIN)/python -m pytest -n auto $(UNTRACED) && \
	{ [ $$traced = 0 ] || echo "tests of the first part failed: see above" >&2; exit $$traced; }

test-fast: $(VENV)/.dev  ## the inner loop: about a tenth of the tests' time (tests/fast.txt)
	@$(BIN)/python -m pytest -n auto @tests/fast.txt

coverage: $(VENV)/.dev  ## lines and branches of each package against its minimum (tests/coverage.txt)
	@$(BIN)/python -m pytest -n auto $(TRACED)
	@$(BIN)/python -m tools.coverage_gate .coverage.json

gate: $(VENV)/.dev  ## the same of what the last `make test` measured
	@$(BIN)/python -m tools.coverage_gate .coverage.json

lint: $(VENV)/.dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.dev
	@$(BIN)/mypy

walls: $(VENV)/.dev
	@$(BIN)/lint-imports

drift: $(VENV)/.run
	@$(BIN)/turnspec diagram --check && $(BIN)/turnspec diagram --check --out diagrams/cookbook specs/cookbook/*.yaml && $(BIN)/turnspec schema --check && $(BIN)/turnspec test --generate specs/scenarios/generated --check
	@$(BIN)/python -m tools.pages verified --check && $(BIN)/python -m tools.pages readme --check && $(BIN)/python -m tools.pages servers --check && $(BIN)/python -m tools.pages cookbook --check && $(BIN)/python -m tools.mutants --check && $(BIN)/python -m bench --check

check: lint types walls drift  ## lint, types, walls between rooms, generated files

bench: $(VENV)/.dev  ## what a step and a call cost, as ratios (minutes)
	@$(BIN)/python -m bench

mutants: $(VENV)/.run  ## broken versions of the bundled specs: who notices; a sample, kept in specs/mutants (a quarter of an hour)
	@$(BIN)/python -m tools.mutants

cookbook: $(VENV)/.run  ## parts of the cookbook, alone and in pairs, with each spec; what is known of the same texts is kept (minutes)
	@$(BIN)/python -m tools.cookbook

asterisk: $(VENV)/.run  ## the dialplans of deploy/asterisk against the Asterisk of this machine, if there is one (minutes)
	@$(BIN)/python -m tools.asterisk

clients: $(VENV)/.run  ## clients of other people's (openai SDK, LiveKit agents) hold a call against the simulated provider (minutes)
	@$(BIN)/python -m tools.clients

rolling: $(VENV)/.dev  ## a rolling restart of three nodes behind HAProxy under 100 calls; needs haproxy and redis-server (minutes)
	@$(BIN)/python -m tools.cluster

verify: $(VENV)/.run  ## every run of every bundled spec, quick bounds
	@$(BIN)/turnspec verify

verify-full: $(VENV)/.run  ## the same with full bounds: more turns, several tools, losses, faults, reconnects (seven minutes)
	@$(BIN)/turnspec verify --full

campaign: $(VENV)/.run  ## calls with every fault the simulators know, attacks at the port: 10,000 in virtual time, 300 over sockets (an hour)
	@$(BIN)/python -m tools.campaign calls

bystanders: $(VENV)/.run  ## how late the frames of other calls are beside one that misbehaves (three minutes, on a quiet machine)
	@$(BIN)/python -m tools.campaign bystanders

soak: $(VENV)/.run  ## 50 calls at once for an hour: memory, descriptors, tasks stay flat (an hour)
	@$(BIN)/python -m tools.campaign soak

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.json

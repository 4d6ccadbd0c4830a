# Every target does the set-up it needs; a second call installs nothing again.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo run test check audit lock format clean faults model kill storage soak stories fuzz silence mutants coverage bench

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; \
	done)

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## environment, dependencies and front-end files

demo: $(STAMP) ## the application with a simulated gateway and a sample account
	@$(BIN)/foliosync demo $(ARGS)

run: $(STAMP) ## the application against your own gateway
	@$(BIN)/foliosync run $(ARGS)

# One worker a processor; what belongs together stays in one of them.
SHARED_OUT = -n logical --maxprocesses 4 --dist loadfile

test: $(STAMP) ## all tests
	@echo "Running $(if $(ARGS),pytest $(subst ",\",$(ARGS)),all tests)"
	@$(BIN)/python -m pytest $(SHARED_OUT) $(ARGS)

check: $(STAMP) ## lint, format, types and tests: what CI runs
	@echo "Checking lint, format and types"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive brokers portfolio deploy wsgi.py
	@if [ -x $(BIN)/hadolint ]; then $(BIN)/hadolint Dockerfile; \
	  else echo "hadolint is not made for this computer: the Dockerfile was not linted."; fi
	@$(MAKE) --no-print-directory audit
	@$(MAKE) --no-print-directory test

audit: $(STAMP) ## look the locked versions up among known vulnerabilities
	@echo "Looking up known vulnerabilities"
	@$(BIN)/python deploy/audit.py

format: $(STAMP) ## format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# For every system and every Python that we support; without the names of registries.
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header

lock: $(STAMP) ## the exact versions and hashes of what is deployed, anew (UPGRADE=1: the newest)
	@$(LOCK) $(if $(UPGRADE),--upgrade) setup.cfg --extra postgres --extra server -o requirements.lock
	@$(LOCK) $(if $(UPGRADE),--upgrade) deploy/build.in -o deploy/build.lock
	@echo "requirements.lock and deploy/build.lock agree with setup.cfg and deploy/build.in."

# Full counts of what CI tries a slice of; the seed is printed, and SEED=... gives it back.
SEED ?= $(shell date +%s)
PROVE = $(BIN)/python -m pytest -p no:randomly --full --seed $(SEED) $(ARGS)

faults: $(STAMP) ## 100 random schedules of each class of faults
	@$(PROVE) tests/proof/test_faults.py tests/proof/test_wire.py tests/proof/test_repeats.py

model: $(STAMP) ## long random histories against a small model, and many syncs at once
	@$(PROVE) tests/proof/test_model.py tests/proof/test_concurrency.py

kill: $(STAMP) ## kill -9, 1000 syncs and 400 other tasks
	@$(PROVE) tests/proof/test_kill.py tests/proof/test_kill_files.py

storage: $(STAMP) ## every write fails once: full disk, broken disk, locks, PostgreSQL
	@$(PROVE) tests/proof/test_storage.py tests/proof/test_storage_postgres.py

soak: $(STAMP) ## a week of troubles with a turned clock
	@$(PROVE) tests/proof/test_soak.py

stories: $(STAMP) ## what truly happens in accounts, 50 variations each
	@$(PROVE) tests/proof/test_true_stories.py

fuzz: $(STAMP) ## 10,000 strange calls, and strange words in every field
	@$(PROVE) tests/proof/test_fuzz.py tests/proof/test_nasty.py

silence: $(STAMP) ## IBKR is silent: who else waits, and what piles up
	@$(PROVE) tests/proof/test_silence.py

mutants: $(STAMP) ## change the guards: do the tests notice?
	@$(BIN)/python -m tests.proof.mutants

coverage: $(STAMP) ## all tests, and which branches they take
	@$(BIN)/python -m coverage run -m pytest $(SHARED_OUT) $(ARGS)
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report

bench: $(STAMP) ## speed and memory against floors of the same run (ARGS: --quick, names of modules)
	@$(BIN)/python -m benchmarks $(ARGS)

clean: ## remove all that was built, but no data
	@rm -rf $(VENV) build dist *.egg-info static/vendor tests/vendor
	@echo "Removed the environment and all built files."

$(STAMP): setup.cfg pyproject.toml package.json package-lock.json portfolio/frontend.py
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or run make PYTHON=/path/to/python."; exit 1; }
	@echo "Making the environment in $(VENV) with $(PYTHON)"
	@"$(PYTHON)" -m venv $(VENV) > $(VENV).log 2>&1 || { rm -rf $(VENV); \
	  echo "The environment cannot be made: Python's venv module is missing (on Debian: apt install python3-venv). See $(VENV).log."; exit 1; }
	@rm -f $(VENV).log
	@echo "Installing dependencies and front-end files (once; this takes a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' || { \
	  echo "The installation failed: the lines above say why; without a network it cannot work."; exit 1; }
	@$(BIN)/python -m portfolio.frontend
	@touch $(STAMP)

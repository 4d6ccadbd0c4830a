# Every target does the set-up it needs; a second call installs nothing again.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo run test check format clean

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

test: $(STAMP) ## all tests
	@echo "Running all tests"
	@$(BIN)/python -m pytest $(ARGS)

check: $(STAMP) ## lint, format, types and tests: what CI runs
	@echo "Checking lint, format and types"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(MAKE) --no-print-directory test

format: $(STAMP) ## format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

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

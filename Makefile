# Everything a contributor types. `make` alone lists it.

PYTHON ?= python3
VENV ?= .venv

BIN := $(VENV)/bin
# Twice quiet: pip's errors are shown, its remarks are not.
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 $(BIN)/python -m pip --quiet --quiet
FAST := not ray and not slow and not browser and not gpu
# Installed again only when one of these changes.
INSTALLS := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help quickstart install test soak screenshots check bench format clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

quickstart: $(VENV)/.installed  ## install, run the digits sweep, show its leaderboard, promote its winner
	@echo '$$ $(BIN)/shortlist run search_spaces/digits.yaml'
	@$(BIN)/shortlist run search_spaces/digits.yaml
	@echo
	@echo '$$ $(BIN)/shortlist leaderboard digits'
	@$(BIN)/shortlist leaderboard digits
	@echo
	@echo '$$ $(BIN)/shortlist promote digits'
	@$(BIN)/shortlist promote digits

install: $(VENV)/.installed-dev  ## install into .venv what development needs

test: $(VENV)/.installed-dev  ## run every test
	$(BIN)/pytest --quiet --numprocesses 2 -m '$(FAST)'
	$(BIN)/pytest --numprocesses 2 --dist loadfile -m 'not ($(FAST)) and not ray'
	$(BIN)/pytest -m ray

soak: $(VENV)/.installed-dev  ## kill a sweep's driver fifty times through Ray, with one worker and with two (half an hour or more)
	PYTHONPATH=$(CURDIR) $(BIN)/python tests/soak.py --kills 50 --workers 1
	PYTHONPATH=$(CURDIR) $(BIN)/python tests/soak.py --kills 50 --workers 2

screenshots: $(VENV)/.installed-dev  ## draw every page, phone and desk, light and dark, into build/screenshots/ to look at
	$(BIN)/shortlist run search_spaces/digits.yaml
	$(BIN)/shortlist promote digits
	$(BIN)/python -m tests.screenshots build/screenshots --sweep runs/digits

check: $(VENV)/.installed-dev  ## format, lint, types, arrows and the fast tests
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest --quiet --numprocesses 2 -m '$(FAST)'

bench: $(VENV)/.installed-dev  ## measure what is claimed, under 20 minutes, and write docs/benchmarks.md (DATA=FOLDER TABLES=FOLDER for all)
	$(BIN)/python -m benchmarks.suite $(if $(DATA),--data '$(DATA)') $(if $(TABLES),--tables '$(TABLES)') $(RECORDS)

format: $(VENV)/.installed-dev  ## format the code and mend what ruff can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean:  ## delete caches and the virtual environment; runs stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: $(INSTALLS) | $(BIN)/pip
	@$(call installing,.)
	@touch $@

$(VENV)/.installed-dev: $(INSTALLS) | $(BIN)/pip
	@$(call installing,.[dev])
	@touch $(VENV)/.installed $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; version = sys.version.split()[0]; sys.exit(sys.version_info < (3, 11) and \
		f"$(PYTHON) is Python {version}, must be 3.11 or newer; name another: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)

define installing
echo '$$ $(BIN)/pip install -c constraints.txt -e "$(1)"    (some minutes and several GB the first time)'; \
	started=$$(date +%s); \
	$(PIP) install -c constraints.txt -e '$(1)' && echo "installed in $$(($$(date +%s) - started)) s"
endef

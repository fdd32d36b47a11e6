# `make run` runs the default study, `make test` checks everything; both do all the set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Modules are compiled as they are first imported, and kept: compiling all of torch's takes longer than a study.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt
ifneq ($(wildcard ../shared/data),)
export MTPA_DATA_DIR ?= $(abspath ../shared/data)
endif

PYTEST := $(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

.PHONY: run test quick coverage browser clean

run: $(VENV)/.local
	@$(BIN)/mtpa-run

test: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST)

# The tests that take no local model, kill or browser.
quick: $(VENV)/.dev
	$(PYTEST) -m "not slow"

coverage: $(VENV)/.dev
	$(PYTEST) --cov --cov-report=term

# The tests of the HTML report drive Debian's Chromium.
browser:
	@test -x /usr/bin/chromium || { apt-get update -qq && apt-get install -y -qq chromium >/dev/null; }

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.local: pyproject.toml constraints.txt | $(VENV)/.made
	$(INSTALL) -e '.[local]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.made
	$(INSTALL) -e '.[local,dev]'
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build *.egg-info

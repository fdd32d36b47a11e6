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

.PHONY: run test types tests quick coverage browser dist hashes docs clean

run: $(VENV)/.local
	@$(BIN)/mtpa-run

test: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	+@$(MAKE) --no-print-directory -j2 types tests

# Beside each other: mypy keeps one core busy for a minute, and the tests wait for theirs now and then.
types: $(VENV)/.dev
	$(BIN)/mypy

tests: $(VENV)/.dev
	$(PYTEST)

# The tests that take no local model, kill or browser.
quick: $(VENV)/.dev
	$(PYTEST) -m "not slow"

coverage: $(VENV)/.dev
	$(PYTEST) --cov --cov-report=term

# The tests of the HTML report drive Debian's Chromium.
browser:
	@test -x /usr/bin/chromium || { apt-get update -qq && apt-get install -y -qq chromium >/dev/null; }

# The pages and files that are made from the code and the notebook (a test fails where they are not as it is), then the site, in site/.
docs: $(VENV)/.dev
	$(BIN)/python -m runner.cli.pages .
	$(BIN)/python .ci/notebook.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# dist/ gets the sdist and the wheel that is built from it; the wheel is then installed where nothing else is, and tried.
dist: $(VENV)/.dev
	rm -rf dist build .dist-venv
	$(BIN)/python -m build --outdir dist .
	$(PYTHON) -m venv .dist-venv
	.dist-venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt dist/*.whl
	cd dist && rm -rf try && mkdir try && cd try && ../../.dist-venv/bin/mtpa-run --version \
	  && ../../.dist-venv/bin/mtpa-run init api && ../../.dist-venv/bin/mtpa-run plan
	rm -rf .dist-venv dist/try

# dist/ gets the distributions and a list of what the wheel needs, each file by its sha256; all of it is then installed
# by these hashes where nothing else is, and tried.
hashes: $(VENV)/.made
	rm -rf dist .dist-venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt build
	$(BIN)/python -m build --outdir dist .
	$(BIN)/pip install --quiet --disable-pip-version-check --dry-run --ignore-installed --report dist/report.json \
	  -c constraints.txt .
	$(BIN)/python .ci/hashes.py dist/report.json > dist/requirements-linux.txt
	rm dist/report.json
	$(PYTHON) -m venv .dist-venv
	.dist-venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r dist/requirements-linux.txt
	.dist-venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-index dist/*.whl
	.dist-venv/bin/pip check
	.dist-venv/bin/mtpa-run --version
	rm -rf .dist-venv

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
	rm -rf $(VENV) .dist-venv dist site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build *.egg-info

# make demo     the whole main job on drawn pictures, nothing downloaded but the packages
# make test     all tests                  make lint    style and types
# make bench    the benchmarks             make docs    the documentation, in site/

PYTHON ?= python3
VENV ?= .venv
DEMO ?= garim-demo

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet -c constraints.txt
SOURCES := pyproject.toml constraints.txt

.PHONY: demo test lint bench docs clean

# The result of an earlier, finished demo is replaced; any other folder of that name is left alone.
demo: $(VENV)/installed
	@folder='$(DEMO)'; number=1; \
	if [ -f "$$folder/summary.json" ] && [ -f "$$folder/truth.csv" ] && [ -d "$$folder/messy" ]; \
	then rm -rf "$$folder"; fi; \
	while [ -e "$$folder" ]; do number=$$((number + 1)); folder='$(DEMO)'-$$number; done; \
	$(BIN)/garim demo "$$folder" && \
	echo "Results: $$folder/report.html, $$folder/before_after.png and $$folder/summary.json"

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest

# pytest refuses two files of one name, whatever their folders.
lint: $(VENV)/installed-dev
	@twice=$$(find tests -name 'test_*.py' -exec basename {} \; | sort | uniq -d); \
	[ -z "$$twice" ] || { echo "two files of tests are named $$twice" >&2; exit 1; }
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/installed-dev
	@set -e; for script in benchmarks/*.py; do \
	[ -e "$$script" ] || { echo "benchmarks/ holds no script" >&2; exit 1; }; \
	echo "$$script"; $(BIN)/python "$$script"; done

docs: $(VENV)/installed-docs
	$(BIN)/python tools/cli_reference.py
	$(BIN)/python tools/api_reference.py
	$(BIN)/python tools/benchmarks_page.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) site build

# Packages are installed once per change of what names them.
$(VENV)/installed: $(SOURCES) | $(BIN)/python
	$(INSTALL) -e .
	@touch $@

$(VENV)/installed-dev: $(SOURCES) | $(BIN)/python
	$(INSTALL) -e '.[dev]'
	@touch $@ $(VENV)/installed

$(VENV)/installed-docs: $(SOURCES) | $(BIN)/python
	$(INSTALL) -e '.[docs]'
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Garim needs Python 3.11 or newer; name one with: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

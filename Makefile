# Needs Python 3.11 or newer with its venv module, and make. Everything else goes into .venv.
#   make demo PYTHON=/path/to/python3.12     chooses the interpreter
.DEFAULT_GOAL := help
SHELL := /bin/bash
.DELETE_ON_ERROR:

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
# -c pins every version. Modules are compiled when first imported, so that what nobody imports takes no room.
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
CORE := $(VENV)/.installed-core
DEV := $(VENV)/.installed-dev
INPUTS := pyproject.toml constraints.txt
JOBS ?= 2
# Containers often forbid Python to write bytecode. Then each of the hundreds of processes that tests start compiles every
# module that it imports, for two to five seconds.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test check style formatting types alone lint architecture bench notebooks docs hashes clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Plait needs Python 3.11 or newer; name one with PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11; name another with PYTHON=..." >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)

$(CORE): $(INPUTS) | $(BIN)/python
	$(PIP) --no-compile -e .
	@touch $@

$(DEV): $(INPUTS) | $(BIN)/python
	$(PIP) --no-compile -e '.[dev]'
	@touch $(CORE) $@

demo: $(CORE) ## install the core, fit and evaluate on the embedded data, serve until Ctrl-C (ONCE=1: end by itself)
	$(BIN)/plait demo $(if $(filter-out 0,$(ONCE)),--once)

style: formatting types

formatting: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(NICE) $(BIN)/mypy

lint: style
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir .cache/site

architecture: $(DEV)
	$(BIN)/pytest tests/architecture

check: lint architecture ## style, types, documentation and the shape of the code

# Tests marked `alone` run first and without coverage, because they start servers and kill processes, which the others
# would slow down. They wait a lot: what they leave of the machine checks the types. Then all others; $(JOBS) at a time.
# One thread a process: several processes of small matrices only get in each other's way. Files keep their order: by the
# number of their tests, the longest ones (docs) would come last, with one job at work. COVERAGE=0 switches the figure
# off, a figure below MIN_COVERAGE fails.
ALONE = $(shell grep -rl --include='*.py' 'pytest\.mark\.alone' tests)
PARALLEL := -n $(JOBS) --dist loadfile --no-loadscope-reorder
COVERAGE ?= 1
MIN_COVERAGE ?= 92
ifneq ($(COVERAGE),0)
MEASURE := --cov=plait --cov-branch --cov-report=
endif
test alone: export OMP_NUM_THREADS := 1

alone: $(DEV)
	$(BIN)/pytest -m alone $(PARALLEL) $(ALONE)

# The documentation is built once, by its tests.
test: formatting ## everything `check` does, then the whole suite with its branch coverage
	@$(MAKE) --no-print-directory --jobs=2 types alone NICE="nice -n 19"
	$(BIN)/pytest -m 'not alone' $(PARALLEL) $(MEASURE)
ifdef MEASURE
	@printf 'branch coverage in percent: '; $(BIN)/coverage report --format=total --fail-under=$(MIN_COVERAGE)
endif

# DATA is a folder of data sets that are not part of Plait, as docs/datasets.md describes them.
bench: $(DEV) ## run every script in benchmarks/; DATA=FOLDER: those too that need data
	@for name in accuracy file_formats ingest update_latency serve startup_time; do \
		echo "== $$name"; $(BIN)/python "benchmarks/$$name.py" || exit 1; done
	@echo "== models"; $(BIN)/python benchmarks/models.py --sparse
ifdef DATA
	@echo "== models"; $(BIN)/python benchmarks/models.py "$(DATA)/amazon-beauty"
	@echo "== datasets"; $(BIN)/python benchmarks/datasets.py --data "$(DATA)"
endif

notebooks: $(DEV) ## make and execute examples/*.ipynb from examples/notebooks/*.py
	$(BIN)/python examples/make_notebooks.py

docs: $(DEV) ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# What an installation with hashes reads; without --universal it would hold for this platform alone.
EXTRAS ?= postgres
hashes: $(CORE) ## pin the core and EXTRAS ("postgres report") with hashes, in constraints-hashed.txt
	$(PIP) uv
	@rm -f constraints-hashed.txt  # uv would take over the hashes that stand in it
	$(BIN)/uv pip compile --quiet pyproject.toml $(EXTRAS:%=--extra %) -c constraints.txt --universal \
		--python-version 3.11 --generate-hashes --no-annotate --no-header -o constraints-hashed.txt

clean: ## remove the environment, caches and built documentation
	rm -rf $(VENV) .cache site .mypy_cache .pytest_cache .ruff_cache .hypothesis

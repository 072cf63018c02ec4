# Each target sets up its own environment when needed and is quick when it exists.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PEERS := .venv-peers
PEERS_STAMP := $(PEERS)/.installed
VIEWERS_STAMP := $(PEERS)/.viewers
BARE := .venv-wheel
JUNK := *.egg-info build dist .pytest_cache .mypy_cache .ruff_cache

.PHONY: demo test browser vendor mutate torture wheel oldest lint bench results interop notebooks docs clean

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev,docs]"
	@touch $@

$(PEERS_STAMP): pyproject.toml benchmarks/constraints-peers.txt
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet -c benchmarks/constraints-peers.txt torch
	$(PEERS)/bin/python -m pip install --quiet -c benchmarks/constraints-peers.txt -e ".[dev,spatial]" pytorch-metric-learning connected-components-3d
	@touch $@

$(VIEWERS_STAMP): $(PEERS_STAMP)  # napari without a window, and Vitessce's package
	$(PEERS)/bin/python -m pip install --quiet -c benchmarks/constraints-peers.txt napari vitessce
	@touch $@

demo: $(STAMP)
	$(BIN)/cellgraph-clr demo --output demo_output

test: $(STAMP)
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder  # two workers share two cores; what they start finds compiled files

# What the tests of report pages need beside: the driver in .venv, a Chromium of the system (apt as root, else yours), and axe-core, where npm is.
browser: $(STAMP)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[browser]"
	@command -v chromium || command -v google-chrome || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium; }
	@test -d vendor/node_modules || ! command -v npm > /dev/null || { cd vendor && npm ci --no-audit --no-fund --ignore-scripts --silent; }

vendor:  # what report pages are drawn with, from npm; versions are pinned by vendor/package-lock.json
	cd vendor && npm ci --no-audit --no-fund && node build.mjs

mutate: $(STAMP)  # plants faults and runs the tests that must fail; PARTS="losses graphs" for some
	OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python tests/mutants/run.py $(PARTS)

torture: $(STAMP)  # hostile inputs, then kills, full disks, missing rights, interrupts and races on all that writes
	$(BIN)/python -m tests.robustness.run --minutes 20
	$(BIN)/python -m tests.robustness.faults --kills 200

# The wheel in an empty environment without extras: names, `doctor`, `demo --quick`, extras that are missing. torch stays pinned.
wheel: NEEDS = grep '^torch==' constraints.txt
oldest: NEEDS = $(PYTHON) tests/packaging/oldest.py
wheel oldest:
	rm -rf $(BARE) && $(PYTHON) -m venv $(BARE)
	$(NEEDS) > $(BARE)/constraints.txt
	$(BARE)/bin/python -m pip wheel --quiet --no-deps --wheel-dir $(BARE)/dist .
	$(BARE)/bin/python -m pip install --quiet -c $(BARE)/constraints.txt torch
	$(BARE)/bin/python -m pip install --quiet -c $(BARE)/constraints.txt $(BARE)/dist/*.whl
	cd $(BARE) && MPLBACKEND=Agg bin/python -I ../tests/packaging/check.py

lint: $(STAMP)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

bench: $(PEERS_STAMP)
	$(PEERS)/bin/python -m benchmarks

results: $(STAMP)  # writes the tables of README.md, benchmarks/RESULTS.md and docs/ from benchmarks/results
	$(BIN)/python -m benchmarks.render

interop: $(VIEWERS_STAMP)  # the plugins that napari brings for pytest are for its own tests
	MPLBACKEND=Agg $(PEERS)/bin/python -m pytest -p no:napari -p no:npe2 tests/interop tests/docs/test_examples.py -k "interop or spatialdata" -n 0

notebooks: $(STAMP)  # runs them in place and keeps their outputs; DATA=DIR: the parts on larger sets too; NAMES="organs movies": some
	OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python notebooks/run.py $(NAMES) $(if $(DATA),--data $(DATA))

docs: $(STAMP)  # warnings are errors; DOCS_INTERSPHINX=1 adds links into other libraries, which needs a network
	MPLBACKEND=Agg OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -b html -W --keep-going -q docs docs_html

clean:
	rm -rf $(VENV) $(PEERS) $(BARE) $(JUNK) demo_output docs_html docs/reference/generated docs/tutorials/*.ipynb docs/jupyter_execute vendor/node_modules

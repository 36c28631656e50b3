# Every target sets up what it needs; `make setup` is never a step you must remember.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: help setup serve test check gen wheel compiled test-compiled compat chaos sim sim-coverage sim-shrink mutants fuzz bench bench-plots clean
help:            ## this table
	@grep -hE '^[a-z-]+: .*##|^[a-z-]+:  *##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 18

# uv lives in the project's own environment, so that a machine needs only Python, git and make. It
# trusts whom the machine trusts, as pip does: many networks have a certificate authority of their own.
export UV_SYSTEM_CERTS := 1
$(STAMP): pyproject.toml uv.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Ottla needs Python 3.11 or newer; $(PYTHON) is %d.%d. Name another one: make PYTHON=python3.12" % sys.version_info[:2])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv sync --quiet --frozen
	@touch $@

setup: $(STAMP)  ## the virtual environment with everything pinned

serve: $(STAMP)  ## a broker on localhost:9092, its data in ./data (ARGS="--override num.partitions=3")
	$(BIN)/ottla serve --data data $(ARGS)

test: $(STAMP)   ## unit tests and scripts; loopback only, no Docker
	$(BIN)/pytest -n auto $(ARGS)

check: $(STAMP)  ## ruff, mypy, import contracts, tidy, generated files fresh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/tidy.py
	$(BIN)/python tools/gen.py --check
	$(BIN)/python tools/docs.py --check
	$(BIN)/python bench/page.py --check
	$(BIN)/python bench/plots.py --check

wheel: $(STAMP)  ## dist/*.whl with machine code (2 min, a C compiler); prints its name
	OTTLA_COMPILE=1 $(BIN)/hatchling build -t wheel

COMPILED := build/compiled

compiled: $(COMPILED)/.installed  ## the compiled wheel, installed in an environment of its own

$(COMPILED)/.installed: $(STAMP) tools/compile.py $(shell find src/ottla -name '*.py')
	rm -rf $(COMPILED)
	OTTLA_COMPILE=1 $(BIN)/hatchling build -t wheel -d $(COMPILED)
	UV_PROJECT_ENVIRONMENT=$(COMPILED)/venv $(BIN)/uv sync --quiet --frozen --no-install-project
	$(BIN)/uv pip install --quiet --no-deps --python $(COMPILED)/venv/bin/python $(COMPILED)/*.whl
	@touch $@

test-compiled: compiled  ## the same unit tests against the compiled wheel
	$(COMPILED)/venv/bin/pytest -n auto -m "not interpreted" $(ARGS)

gen: $(STAMP)    ## schema -> code and reference pages
	$(BIN)/python tools/gen.py
	$(BIN)/python tools/docs.py

compat: $(STAMP) ## unmodified clients against a real broker process; prints client x capability
	$(BIN)/python tests/compat/run.py $(ARGS)

chaos: $(STAMP)  ## real processes killed, paused, cut from power, out of space, with flipped bits
	$(BIN)/python tests/chaos/run.py $(ARGS)

SEEDS ?= 2000
FIRST ?= 0

sim: $(STAMP)    ## the simulator: SEEDS=2000 FIRST=0; SEED=n shows one world with its whole timeline
	$(BIN)/python tools/sim.py $(if $(SEED),--seed $(SEED),--seeds $(SEEDS) --first $(FIRST)) $(ARGS)

COVERED ?= 600

sim-coverage: $(STAMP)  ## branch coverage of core/ by the simulator alone: COVERED=600 seeds, one process
	COVERAGE_FILE=$(VENV)/.sim-coverage $(BIN)/coverage run --branch --include='src/ottla/core/*' \
		tools/sim.py --jobs 1 --first $(FIRST) --seeds $(COVERED)
	COVERAGE_FILE=$(VENV)/.sim-coverage $(BIN)/coverage report --skip-covered

sim-shrink: $(STAMP)  ## the smallest script that fails like SEED=n
	$(BIN)/python tools/sim.py --shrink $(SEED) $(ARGS)

mutants: $(STAMP)  ## old mistakes made on purpose: which seed finds each, and how soon
	$(BIN)/python tools/mutants.py $(ARGS)

FRAMES ?= 300000

fuzz: $(STAMP)   ## hostile callers: frames in process and over sockets, bombs, storms, stalled readers (3 min)
	$(BIN)/python -m tests.fuzz.frames --frames $(FRAMES)
	$(BIN)/python -m tests.fuzz.sockets --frames 50000
	$(BIN)/python -m tests.fuzz.hostile --quick

PEERS ?=

bench: $(STAMP)  ## BENCHMARKS.md anew: PEERS=compiled,kafka,kafka-256m,mock,kfake; ARGS="small_produce --rounds 9" (with all peers some two hours, on a quiet machine)
	$(BIN)/python bench/run.py $(if $(PEERS),--peers $(PEERS)) $(ARGS)

bench-plots: $(STAMP)  ## docs/reference/growth.md and its pictures anew, of what `make bench ARGS=growth` measured
	$(BIN)/python bench/plots.py

clean:           ## what make made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .compat build dist

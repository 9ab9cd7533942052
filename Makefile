# `make demo` sets up and runs the main job; `make test` sets up and passes the tests.
# torch is large: the first of them takes a minute or more.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

GALLERY := $(sort $(wildcard specs/*.yaml specs/gallery/*.yaml specs/tasks/*.yaml))
SECONDS := 5
PARALLEL := --numprocesses auto --maxprocesses 4 --dist worksteal

.PHONY: demo setup test test-machines test-long docs docs-check gallery gallery-check performance verdicts editor pages lint types check clean

demo: setup
	$(BIN)/python cli.py build specs/tiny95.yaml --eval

setup: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	@echo "setting up $(VENV): torch and a few small packages, once"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

test: setup
	$(BIN)/python -m pytest $(PARALLEL)

test-machines: setup
	$(BIN)/python -m tests.machines $(PARALLEL)

test-long: setup
	$(BIN)/python -m pytest $(PARALLEL) -m 'long or not long'

docs: setup
	$(BIN)/python -m tests.schema
	$(BIN)/python -m tests.docs

docs-check: setup
	$(BIN)/python -m tests.docs --check
	$(BIN)/python -m pytest $(PARALLEL) -m long tests/unit/test_docs_examples.py -k test_commands

gallery: setup
	$(BIN)/python cli.py report $(GALLERY) --verify $(SECONDS) -o docs/gallery.md

gallery-check: setup
	$(BIN)/python cli.py report $(GALLERY) --verify $(SECONDS) --check docs/gallery.md

performance: setup
	$(BIN)/python -m benchmarks.engine_speed --least 0 --page docs/performance.md
	$(BIN)/python -m benchmarks.exhaustive --page docs/performance.md

verdicts: setup
	$(BIN)/python -m benchmarks.verify_speed --page docs/verify.md

editor: setup  # the language server that the tests of editors ask, where npm is there
	npm install --silent --no-audit --no-fund --prefix $(VENV)/editor yaml-language-server@1.25.0

pages: setup  # axe-core, which the tests of pages ask about accessibility; they need chromium too
	npm install --silent --no-audit --no-fund --prefix $(VENV)/pages axe-core@4.14.1

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

check: lint types test

clean:
	rm -rf $(VENV)

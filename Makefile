# Two commands do all the set-up: `make run` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The rooms stand at the top level and install as one package; mypy sees it through these links.
TYPES := .cache/types

.PHONY: run test test-long lint format bench clean

run: $(INSTALLED)  ## start a local Ray cluster and send one wave through the main example
	@$(BIN)/backwave run examples/digits_mlp.py:loss --workers 2

test: $(INSTALLED)  ## run the tests in two processes, one of them with Ray: under five minutes
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

test-long: $(INSTALLED)  ## what takes longer, and ten times as many drawn cases: some twenty minutes
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -m long
	@BACKWAVE_EXAMPLES=many $(BIN)/python -m pytest -n 2 --dist loadgroup -k drawn tests/protocol/rules

lint: $(INSTALLED)  ## ruff, and mypy strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@mkdir -p $(TYPES)/backwave
	@ln -sfn ../../../backwave/__init__.py $(TYPES)/backwave/__init__.py
	@ln -sfn ../../../backwave/scipy $(TYPES)/backwave/scipy
	@for room in protocol scheduler actors scripts; do \
		ln -sfn ../../../$$room $(TYPES)/backwave/$$room; done
	@MYPYPATH=$(TYPES) $(BIN)/mypy -p backwave

format: $(INSTALLED)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(INSTALLED)  ## the ratios that the README shows
	@$(BIN)/backwave bench

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "backwave needs Python 3.11 or newer; name one with make PYTHON=python3.12"; exit 1; }
	@echo "setting up $(VENV) (once; about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

clean:  ## also compiled code, which does not notice a change in a function that it calls
	rm -rf $(VENV) .cache build out *.egg-info
	find . -name '*.nbi' -delete -o -name '*.nbc' -delete

# Every command a person needs; `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
TESTS ?=
# Most tests wait for other processes, so more run at once than there are cores.
WORKERS ?= 3
KILLS ?= 100
# Many processes are started: each would compile everything anew if it might not keep what it compiled.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup serve test check faults bench docs clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(VENV)/.pip:
	@echo "Making $(VENV) …"
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "Smalt needs Python 3.11, 3.12 or 3.13: make serve PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -m1 '^pip==' constraints.txt)"
	@touch $@

$(VENV)/.serve: $(VENV)/.pip pyproject.toml constraints.txt
	@echo "Installing smalt[local,audio,code,mcp] into $(VENV) (about a minute the first time) …"
	@$(INSTALL) --editable '.[local,audio,code,mcp]'
	@touch $@

$(VENV)/.all: $(VENV)/.pip pyproject.toml constraints.txt
	@echo "Installing smalt[all] and the development tools into $(VENV) …"
	@$(INSTALL) --editable '.[all]' --group dev
	@touch $@ $(VENV)/.serve

setup: $(VENV)/.all ## install everything for development

serve: $(VENV)/.serve ## install, fetch the starter models, serve on 127.0.0.1:8080
	@$(BIN)/smalt serve $(ARGS)

test: $(VENV)/.all ## install and run every test (TESTS=path for some)
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

check: $(VENV)/.all ## lint, types, layers, formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

faults: $(VENV)/.all ## kill the server a hundred times while clients work (KILLS=100)
	@SMALT_TEST_KILLS=$(KILLS) $(BIN)/pytest tests/faults/test_kill_server.py

bench: $(VENV)/.all ## measure the budgets against the naked engines (ARGS=chat, responses, embeddings, transcribe, speak, safety, gateway, search, ingest, retrieval or start)
	@$(BIN)/smalt bench $(ARGS)

docs: $(VENV)/.all ## write the generated pages: settings and commands
	@$(BIN)/python docs/generate.py

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis

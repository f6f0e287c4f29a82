# Each target is one line; `make help` lists them. Set-up goes to .venv.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := .venv-peers
PEERS_READY := $(PEERS)/.ready
ARGS ?=
unexport PYTHONDONTWRITEBYTECODE  # compiled tests are kept: else every worker of pytest compiles all of them anew

.PHONY: help setup demo test check bench faults clean
help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/ —/' | sort
setup: $(READY) ## make .venv with the pinned versions
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=python3.11 (or newer)"; exit 2; }
	$(PYTHON) -m venv $(VENV) && $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]' && touch $@
demo: $(READY) ## run a whole province in a box: broker, workers, cameras, departments, alerts
	$(BIN)/ioc demo $(ARGS)
test: $(READY) ## all tests, on a real embedded Kafka
	deploy/ensure-tools && deploy/ensure-asyncapi && deploy/ensure-grafana-schema && deploy/ensure-rtsp && if [ -n "$(ARGS)" ]; then $(BIN)/pytest $(ARGS); else $(BIN)/pytest -n 2 tests/unit tests/contract tests/golden && $(BIN)/pytest -n 2 --dist loadfile tests/recount tests/integration tests/e2e; fi
check: $(READY) ## format, lint, types, imports, published contracts
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports && $(BIN)/ioc catalog compat --catalog ioc/catalog/lam-dong
$(PEERS_READY): deploy/peers/requirements.txt deploy/peers/constraints.txt
	$(PYTHON) -m venv $(PEERS) && $(PEERS)/bin/pip install --quiet --disable-pip-version-check --constraint deploy/peers/constraints.txt --requirement deploy/peers/requirements.txt && touch $@
bench: $(READY) $(PEERS_READY) ## measure against the floors, with the peers in the same run (exit 1 below a floor)
	deploy/ensure-rtsp && $(BIN)/ioc bench all $(ARGS)
faults: $(READY) ## the longer fault tests: kill -9, broker restarts
	$(BIN)/pytest tests/faults $(ARGS)
clean: ## remove what the targets made
	rm -rf $(VENV) $(PEERS) out state build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

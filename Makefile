# Every target is listed by `make help`. Needs make and a Python from 3.10 to 3.14; the rest is installed into .venv.
# Nothing is written outside this folder and the system's folder for temporary files.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Which Python makes the virtual environment, for example `make test PYTHON=python3.12`; empty = the first that fits.
PYTHON ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Compiled once: compiling the tests and the package anew in every process takes longer than most of the tests.
unexport PYTHONDONTWRITEBYTECODE

# Airflow with Celery and FAB, as docker-compose.yaml runs it.
DISTRIBUTED := $(VENV)/distributed
# Playwright and axe, for the tests in a browser.
UI := $(VENV)/ui
CHECKED := airflow_provider_mkt dags scripts tests benchmarks docs

# The caches of pip and uv stay inside as well, unless the user has chosen a place.
UV_CACHE_DIR ?= $(CURDIR)/$(VENV)/.cache/uv
export UV_CACHE_DIR

.PHONY: help demo up down status test test-ui test-fast test-pythons test-distributed proofs budget chaos chaos-freeze bench check format env lock clean

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(STAMP) ## launch a campaign in a real Airflow against the simulated vendors, show what happened, clean up
	@exec $(BIN)/python -m scripts.demo demo

up: $(STAMP) ## the same, but stay up in the background and print the addresses
	@exec $(BIN)/python -m scripts.demo up

down: $(STAMP) ## end what `make up` (or a demo that was killed) left running
	@exec $(BIN)/python -m scripts.demo down

status: $(STAMP) ## tell what is running
	@exec $(BIN)/python -m scripts.demo status

FAST := -m pytest -q -n 2 --dist loadfile -m "not slow and not proof" --cases 1 --hypothesis-profile few -p no:schemathesis \
	tests/structure tests/unit

test-fast: $(STAMP) ## run a part of the unit tests: one case of each, none that takes seconds (about a minute)
	@exec $(BIN)/python $(FAST)

# Those that Airflow 3.3 runs on.
PYTHONS ?= 3.10 3.11 3.12 3.13 3.14

test-pythons: ## run test-fast under each Python from 3.10 to 3.14; one that is not installed is skipped (about 3 minutes each)
	@sh scripts/test_pythons.sh "$(VENV)/pythons" "$(PYTHONS)" $(FAST)

# Two tables: a worker that is killed, and one that is frozen, at every step of every launch.
FREEZES := tests/chaos/test_freeze_matrix.py
MATRIX := tests/chaos/test_fault_matrix.py $(FREEZES)
# Half a year on each core.
YEAR := tests/chaos/test_year.py
QUICK := $(filter-out tests/chaos/ tests/distributed/ tests/integration/ tests/ui/,$(wildcard tests/*/))
# It counts requests by the second, so nothing else may run meanwhile.
TIMED := tests/integration/state/test_shared_budget.py
STATE := $(filter-out $(TIMED),$(wildcard tests/integration/state/test_*.py))
BENCHMARKS := tests/integration/test_benchmarks.py
AIRFLOW := --ignore tests/integration/state --ignore $(BENCHMARKS) tests/integration

test: $(STAMP) ## run the tests: the quick ones on two cores, then those under a real Airflow (about 7 minutes)
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --durations=10 -m "not proof" $(QUICK) $(STATE)
	@$(BIN)/python -m pytest -q --durations=5 -m "not proof" $(AIRFLOW)

proofs: $(STAMP) ## the longer proofs, which CI runs as well: kills, freezes, fuzzing, budgets by the second, benchmarks (about 23 minutes)
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --durations=5 -m proof $(QUICK) $(STATE) $(MATRIX)
	@$(BIN)/python -m pytest -q --durations=5 -m proof $(AIRFLOW)
	@$(BIN)/python -m pytest -q -n 2 --dist load --durations=2 $(YEAR)
	@$(BIN)/python -m pytest -q --durations=5 $(TIMED)
	@$(BIN)/python -m pytest -q --durations=5 $(addprefix --ignore=,$(MATRIX) $(YEAR)) tests/chaos $(BENCHMARKS)

test-ui: $(STAMP) $(UI)/.installed ## use the control room in a real browser, also in a running Airflow: needs chromium, and says so (about 2 minutes)
	@exec env PYTHONPATH=$(UI) $(BIN)/python -m pytest -q --durations=3 tests/ui

test-distributed: $(DISTRIBUTED)/.installed ## start what docker-compose.yaml says on this machine, and kill each of it under load (about 16 minutes)
	@exec $(BIN)/python -m pytest -q --log-cli-level=INFO --durations=0 tests/distributed

budget: $(STAMP) ## share a rate limit for 39 seconds, from 1, 4 and 16 processes, on SQLite and PostgreSQL (about 10 minutes)
	@MKT_BUDGET_SECONDS=39 exec $(BIN)/python -m pytest -q --log-cli-level=INFO \
		--log-cli-format='%(message)s' tests/integration/state/test_shared_budget.py

chaos: $(STAMP) ## 500 launches under random kills and faults, beside a plain HttpOperator (about 14 minutes)
	@exec $(BIN)/python -m tests.chaos.soak --launches 500

chaos-freeze: $(STAMP) ## freeze every launch at every step and thaw it beside its successor: the whole table (about 5 minutes)
	@MKT_WHOLE_MATRIX=1 exec $(BIN)/python -m pytest -q -n 2 --dist load $(FREEZES)

bench: $(STAMP) ## measure, beside what one would pick instead: imports, the API server, calls, the fence, budgets, batches, waits, webhooks (about an hour)
	$(BIN)/python -m benchmarks.import_cost
	$(BIN)/python -m benchmarks.api_server
	$(BIN)/python -m benchmarks.call_overhead
	$(BIN)/python -m benchmarks.state_cost
	$(BIN)/python -m benchmarks.fence
	$(BIN)/python -m benchmarks.budget
	$(BIN)/python -m benchmarks.posts_batch
	$(BIN)/python -m benchmarks.waiting --plot docs/waiting.svg
	$(BIN)/python -m benchmarks.export --orders 200000
	$(BIN)/python -m benchmarks.webhooks

check: $(STAMP) ## lint, formatting, types, supply chain, documentation
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy --strict airflow_provider_mkt scripts
	$(BIN)/python -m scripts.supply_chain
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

format: $(STAMP) ## put the code into the project's format
	$(BIN)/ruff check --fix-only --quiet $(CHECKED)
	$(BIN)/ruff format $(CHECKED)

env: $(STAMP) ## write secrets/ with new random secrets for docker-compose (an existing one is kept)
	@exec $(BIN)/python -m scripts.make_env

LOCK := uv pip compile --universal --python-version 3.10 --generate-hashes --no-header --no-emit-index-url --no-annotate

lock: $(STAMP) ## work out requirements/ anew from pyproject.toml, each package with the hashes of its files
	$(BIN)/$(LOCK) --group dev pyproject.toml -o requirements/dev.txt
	$(BIN)/$(subst 3.10,3.11,$(LOCK)) --extra celery --extra postgres --extra sandbox --group distributed pyproject.toml \
		-o requirements/distributed.txt
	$(BIN)/$(LOCK) --group ui -c requirements/dev.txt -o requirements/ui.txt
	echo uv | $(BIN)/$(LOCK) - -o requirements/bootstrap.txt

$(UI)/.installed: $(STAMP) requirements/ui.txt
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps --upgrade --target $(UI) -r requirements/ui.txt
	@touch $@

clean: ## remove everything that make has made, the virtual environment included
	@if [ -d .demo ] && [ -x $(BIN)/python ]; then $(BIN)/python -m scripts.demo down; fi
	rm -rf $(VENV) .demo .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage build dist out
	find airflow_provider_mkt dags scripts tests -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(STAMP): pyproject.toml requirements/bootstrap.txt requirements/dev.txt scripts/make_venv.sh
	@sh scripts/make_venv.sh "$(VENV)" "$(PYTHON)"
	@touch $@

$(DISTRIBUTED)/.installed: $(STAMP) requirements/distributed.txt scripts/make_distributed.sh
	@sh scripts/make_distributed.sh "$(BIN)" "$(DISTRIBUTED)"
	@touch $@

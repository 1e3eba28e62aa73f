# Everything happens in .venv, which is made on the way: `make up` is all that a newcomer types.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := aggregators exporters growthgauge streams
RULES := $(wildcard deploy/prometheus/rules/*.yml)
RULE_TESTS := $(wildcard deploy/prometheus/tests/*.yml)

.PHONY: help up test servers check kills differential prometheus browser fuzz mutants chaos chaos-short chaos-proof bench soak bench-limits .venv unit lint promtool compose clean

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

up: .venv/up.stamp ## Start everything with a demo company; the page's address is printed
	@$(BIN)/growthgauge up --demo

# Servers are mostly waited for, and rules only compute: side by side they take the time of one. Not for what is looked at
# while it runs, such as `make up`: all that it says would be held back until its end.
ifneq ($(filter test check,$(MAKECMDGOALS)),)
MAKEFLAGS += --jobs=2 --output-sync=target
endif

test: unit servers ## Run all tests; what needs Java 17 and Maven says so where they are missing

servers: .venv/dev.stamp
	@echo "Tests with servers run beside those of the rules; both are shown when they are through."
	$(BIN)/python -m pytest --ignore=tests/unit --ignore=tests/prometheus --ignore=tests/browser --numprocesses=4 --dist=loadfile

check: lint unit promtool compose ## Run what needs no server: format, lint, types, unit tests, rules

prometheus: .venv/dev.stamp ## Ask a real Prometheus: what is written for it, scraped by it and shown from it
	$(BIN)/python -m pytest tests/prometheus

browser: .venv/browser.stamp ## Look at the exporter's page with a real Chromium, which has to be there
	$(BIN)/python -m pytest tests/browser

kills: .venv/dev.stamp ## Kill workers on Apache Kafka ten times: the long form of a test with servers
	GROWTHGAUGE_KILLS=10 $(BIN)/python -m pytest -s tests/integration/test_kills.py

chaos: .venv/dev.stamp ## Bring about every kind of fault ten times: CHAOS_SEED, CHAOS_ROUNDS, CHAOS_EACH
	$(BIN)/python -m tests.chaos

chaos-short: .venv/dev.stamp
	CHAOS_ROUNDS=1 CHAOS_EACH=1 CHAOS_SEED=$${CHAOS_SEED:-1} $(BIN)/python -m tests.chaos

chaos-proof: .venv/dev.stamp ## Show that the same finds differences where a safeguard is taken out
	CHAOS_ROUNDS=1 CHAOS_EACH=6 CHAOS_WITHOUT=fence CHAOS_ONLY="worker asleep" $(BIN)/python -m tests.chaos
	CHAOS_ROUNDS=1 CHAOS_EACH=4 CHAOS_WITHOUT=trust CHAOS_ONLY="Redis rolled back" $(BIN)/python -m tests.chaos

differential: .venv/dev.stamp ## Compare 200 random logs with the reference: the long form of a unit test
	GROWTHGAUGE_LOGS=$${GROWTHGAUGE_LOGS:-200} $(BIN)/python -m pytest -s --timeout=3600 tests/unit/test_differential.py

fuzz: .venv/dev.stamp ## Try a million mutated records: the long form of a unit test
	GROWTHGAUGE_FUZZ=$${GROWTHGAUGE_FUZZ:-1000000} $(BIN)/python -m pytest -s --timeout=7200 tests/unit/test_fuzz.py

mutants: .venv/dev.stamp ## Break the product in some sixty places, one at a time, and show that the tests notice: MUTANTS
	$(BIN)/python -m tests.mutants

bench: .venv/dev.stamp ## Measure the whole path
	$(BIN)/python -m benchmarks

soak: .venv/dev.stamp ## Measure how worker, exporter and demo grow in ten quiet minutes: SOAK_MINUTES
	$(BIN)/python -m benchmarks.soak

bench-limits: .venv/dev.stamp ## Measure one very large customer and user, many values of labels, and a backlog's memory
	$(BIN)/python -m benchmarks.limits
	$(BIN)/python -m benchmarks.backlog

.venv: .venv/dev.stamp

unit: .venv/dev.stamp
	$(BIN)/python -m pytest tests/unit

lint: .venv/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

promtool:
ifneq ($(RULES),)
	@if command -v promtool >/dev/null; then \
	    promtool check rules $(RULES) && $(if $(RULE_TESTS),promtool test rules $(RULE_TESTS),true); \
	elif [ -n "$$GROWTHGAUGE_REQUIRE_PROMTOOL" ]; then \
	    echo "promtool is missing: it comes with Prometheus." >&2; exit 1; \
	else \
	    echo "Left out: promtool, which checks the rules and comes with Prometheus, is not here."; \
	fi
endif

compose: .venv/dev.stamp
	$(if $(wildcard docker-compose.yml),$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml)

.venv/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "growthgauge needs Python 3.11 or later: name one with make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/up.stamp: .venv/python.stamp requirements.txt pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/dev.stamp: .venv/up.stamp requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv/browser.stamp: .venv/dev.stamp requirements-browser.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-browser.txt
	@touch $@

clean: ## Remove the environment; the data folder stays
	rm -rf .venv

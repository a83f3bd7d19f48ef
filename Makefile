# The verbs a person needs. Everything is set up on the way; what is already so takes a moment.
PORT ?= 8000
DATA ?= .demo
PYTEST_ARGS ?=
TIMES ?= 1
HOSPITALS ?= 1
FLEET ?= 1000

.PHONY: demo demo-clean test test-fast bench fmt lint types

demo: ## two made-up hospitals on http://127.0.0.1:$(PORT); Ctrl-C stops all of it
	@ops/bootstrap demo
	@ops/web-build
	@exec .venv/bin/emr demo --port $(PORT) --data $(DATA)

demo-clean: ## forget the demo's data
	@ops/forget-demo $(DATA)

test: ## format, lint, boundaries, types, tests, chart, Terraform, image; with every real server
	@ops/test $(PYTEST_ARGS)

test-fast: ## the tests that need no server beside PostgreSQL
	@ops/bootstrap dev
	@ops/web-build
	@.venv/bin/pytest -m "not server" $(PYTEST_ARGS)

bench: ## the benchmarks: tables, and bench.json (TIMES=1,4,16 HOSPITALS=1,20,200 for the larger sizes, FLEET=1000 hospitals in B10)
	@ops/bootstrap dev
	@ops/web-build
	@.venv/bin/python -m tests.benchmarks --times $(TIMES) --hospitals $(HOSPITALS) --fleet $(FLEET)

fmt: ## format everything
	@ops/bootstrap dev
	@.venv/bin/ruff check -q --select I --fix .
	@.venv/bin/ruff format -q .
	@! command -v terraform >/dev/null || terraform fmt -recursive terraform

lint: ## format, lint and boundaries, as the tests see them
	@ops/bootstrap dev
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/lint-imports

types: ## strict types
	@ops/bootstrap dev
	@.venv/bin/mypy

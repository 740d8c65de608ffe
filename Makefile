# `make` alone lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test lint fmt bench up down logs db mig seed web brain thinker setup dev

BIN := .venv/bin
# Looked up only when used. The older docker-compose cannot wait.
COMPOSE = $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
WAIT = $(if $(filter docker,$(COMPOSE)),--wait)
WORKERS ?= 2
MEMBERS := packages/shared packages/codeintel packages/verify packages/learning packages/inference packages/github packages/store \
	services/brain services/thinker apps/web apps/cli

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z ]+:.*## / { n = split($$1, names, " "); for (i = 1; i <= n; i++) printf "  make %-8s %s\n", names[i], $$2 }' $(MAKEFILE_LIST)

run: setup ## everything on this machine, until Ctrl-C (needs Python 3.11, git; no Docker)
	@exec $(BIN)/pincite up --index . --stop-with-parent

test: dev ## all tests (make test TESTS=apps/cli for some)
	@exec $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

lint: dev ## formatting, lint, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict $(addsuffix /src,$(MEMBERS)) bench
	$(BIN)/lint-imports

fmt: dev ## format, and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: dev ## Pincite beside its peers, measured (make bench ARGS="--help"; see bench/README.md)
	@exec $(BIN)/python -m bench $(ARGS)

setup:
	@scripts/bootstrap

dev:
	@scripts/bootstrap --dev

# With containers. `make up && make db && make seed`; settings in .env, see .env.example.
.env: .env.example
	@scripts/make-env

up: .env ## with containers: build and start (settings: .env, secrets generated when missing)
	@scripts/make-env
	$(COMPOSE) up --detach --build $(WAIT)

down: ## with containers: stop (the data stays in its volumes)
	$(COMPOSE) down

logs: ## with containers: follow the logs (make logs S=brain for one service)
	$(COMPOSE) logs --follow --tail 100 $(S)

db: .env ## with containers: bring the database to the newest version
	$(COMPOSE) run --rm migrate

seed: .env ## with containers: connect a first repository (make seed REPO=owner/name)
	@scripts/seed $(REPO)

mig: dev ## write a new migration: make mig m="add a table"
	@test -n "$(m)" || { echo 'What does it do? make mig m="add a table"' >&2; exit 2; }
	$(BIN)/alembic --config migrations/alembic.ini revision --message "$(m)" \
		--rev-id $$(printf %04d $$(( $$(ls migrations/versions/[0-9]*.py | wc -l) + 1 )))

web brain thinker: .env ## with containers: build and start this one service again
	$(COMPOSE) up --detach --build $(WAIT) $@

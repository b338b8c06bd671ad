# `make` alone lists the commands.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

DATE ?= 1998-04-01
BIN := .venv/bin
EMULATORS := .venv-emulators
TESTS ?=
# `make lock UPGRADE=` locks what is missing and leaves the other versions as they are.
UPGRADE ?= --upgrade
LOCK = $(BIN)/uv pip compile --quiet $(UPGRADE) --python-version 3.11 --generate-hashes \
	--only-binary :all: --find-links container/wheels --no-emit-index-url \
	--custom-compile-command 'make lock'
PARALLEL := --numprocesses auto --dist worksteal

# The first Python on the path that the project supports; PYTHON=... chooses another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; \
	then echo $$python; break; fi; done)

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | \
		awk -F ':.*## ' '{ printf "make %-15s %s\n", $$1, $$2 }'

.PHONY: demo
demo: .venv/installed ## Run the whole chain for DATE (1998-04-01) on this machine and show the table
	@$(BIN)/luigi --module pipeline LoadToBigQuery --date $(DATE)
	@$(BIN)/python -m pipeline show $(DATE)

# Else each of the many processes that tests start compiles the whole project anew.
test test-fast: export PYTHONDONTWRITEBYTECODE :=

.PHONY: test
test: .venv/installed $(EMULATORS)/installed ## Run every test
	@$(BIN)/python -m pytest $(PARALLEL) $(TESTS)

.PHONY: test-fast
test-fast: .venv/installed $(EMULATORS)/installed ## Run the tests that start few processes, in under a minute
	@$(BIN)/python -m pytest $(PARALLEL) -m "not slow" $(TESTS)

.PHONY: check
check: .venv/installed ## Prove that the queries see no future, up to DATE, and run the model's own tests
	@$(BIN)/python -m pipeline check --date $(DATE)
	@$(BIN)/python -m pytest -q $(PARALLEL) -m "not slow" prediction/tests

PROJECT ?=
BUCKET ?=
DATASET ?=
LIVE := $(addprefix tests/contract/test_,storage.py storage_google.py warehouse.py warehouse_google.py) \
	tests/live/live_chain.py $(wildcard prediction/tests/live_*.py)
.PHONY: test-live
test-live: .venv/installed ## Run tests in Google Cloud itself: PROJECT=... BUCKET=... DATASET=...
	@$(BIN)/python -m pytest -v --timeout 1200 -p tests.live.plugin \
		--project "$(PROJECT)" --bucket "$(BUCKET)" --dataset "$(DATASET)" $(LIVE) $(TESTS)

.PHONY: messages
messages: .venv/installed ## Write docs/messages.md from what bad input provokes
	@$(BIN)/python -m pytest -q --write-messages tests/acceptance/test_bad_input.py

.PHONY: lint
lint: .venv/installed ## Check style, types, shell scripts and Dockerfiles
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/shellcheck .ci/run .ci/*.sh container/*.sh scheduler/*.sh
	@$(BIN)/hadolint container/Dockerfile scheduler/Dockerfile

.PHONY: format
format: .venv/installed ## Put the code into the house's format
	@$(BIN)/ruff check --fix --exit-zero --quiet .
	@$(BIN)/ruff format .

# The image is called as luigi.cfg calls the model: name:version-commit.
MODEL := import os, sys; sys.tracebacklimit = 0; \
	from pipeline import settings; model = settings.pipeline(); \
	print(model.name, model.version, os.path.relpath(model.prediction))
NAME_IMAGE = model=$$($(BIN)/python -c '$(MODEL)'); read -r name version prediction <<< "$$model"; \
	tag="$$name:$$version-$$(container/revision.sh)"

.PHONY: image
image: .venv/installed ## Build the image that jobs run in, for linux/amd64
	@$(NAME_IMAGE); id=$$(PREDICTION="$$prediction" VERSION="$$version" container/build.sh "$$tag"); \
		echo "$$tag is $$id"; \
		echo "For containers on this machine: image = $$tag under [docker] in luigi.cfg"; \
		echo "To take it to a registry: make push IMAGE=REPOSITORY"

.PHONY: push
push: image ## Push the image to IMAGE, a repository of a registry, and print what luigi.cfg needs
	@$(NAME_IMAGE); container/push.sh "$$tag" "$(IMAGE)"

.PHONY: scheduler
scheduler: .venv/installed ## Build the image of the small machine that drives it all
	@$(NAME_IMAGE); tag="$${tag/:/-scheduler:}"; \
		id=$$(DOCKERFILE=scheduler/Dockerfile PREDICTION="$$prediction" VERSION="$$version" \
			container/build.sh "$$tag"); echo "$$tag is $$id"

.PHONY: push-scheduler
push-scheduler: scheduler ## Push it to IMAGE, a repository of a registry, and print its digest
	@$(NAME_IMAGE); container/push.sh "$${tag/:/-scheduler:}" "$(IMAGE)" scheduler

REGION ?=
.PHONY: cloud
cloud: .venv/installed ## Print how an empty project gets a scheduled pipeline: PROJECT= REGION= [APPLY=1]
	@model=$$($(BIN)/python -c '$(MODEL)'); \
		NAME="$${model%% *}" PROJECT="$(PROJECT)" REGION="$(REGION)" scheduler/cloud.sh

TASK ?= TrainModel
.PHONY: log
log: .venv/installed ## Print the log of TASK (TrainModel) for DATE, and open its machine's
	@$(BIN)/python -m pipeline logs $(TASK) $(DATE) --open

.PHONY: lock
lock: .venv/installed ## Write the locks of the libraries anew, with the newest versions
	@$(LOCK) --universal --group dev \
		pyproject.toml container/requirements.in prediction/requirements.txt -o requirements.lock
	@$(LOCK) --python-platform linux --constraints requirements.lock \
		container/requirements.in prediction/requirements.txt -o container/requirements.lock
	@$(LOCK) --python-platform linux --constraints requirements.lock \
		pyproject.toml container/requirements.in prediction/requirements.txt \
		-o scheduler/requirements.lock
	@$(LOCK) --universal --excludes tests/cloud/excludes.txt \
		tests/cloud/requirements.in -o tests/cloud/requirements.lock

.PHONY: clean
clean: ## Delete the environment and all that was made here, results included
	@rm -rf .venv $(EMULATORS) var

# Made again only when the lock changes, and then from nothing, so that no older library stays.
.venv/installed: requirements.lock
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found. Install one, or say PYTHON=..." >&2; exit 1; }
	@rm -rf .venv
	@$(PYTHON) -m venv .venv || { echo "Python can't make a virtual environment. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up .venv ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: --find-links container/wheels -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# The servers that stand in for Google Cloud in tests; they never meet the project's libraries.
$(EMULATORS)/installed: tests/cloud/requirements.lock
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found. Install one, or say PYTHON=..." >&2; exit 1; }
	@rm -rf $(EMULATORS)
	@$(PYTHON) -m venv $(EMULATORS) || { echo "Python can't make a virtual environment. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up $(EMULATORS) ..."
	@$(EMULATORS)/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: -r tests/cloud/requirements.lock
	@touch $@

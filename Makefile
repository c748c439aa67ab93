# Everything a newcomer types. `make` alone prints this list.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
# Where every other command looks, too.
STATE ?= $(or $(ESCROW_HOME),/var/lib/escrow)

.PHONY: help setup trials engine images demo serve composed test test-fast lint bench docs lock clean

help: ## Print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: ## Install the Python packages of the lock file into .venv, and the few Debian tools in use
	@scripts/ensure-python.sh
	@scripts/ensure-tools.sh git age zstd unshare=util-linux setpriv=util-linux

trials: setup ## Make sure that the programs of the tests are there (Debian's exim4, not started; faketime; others' checkers)
	@scripts/ensure-tools.sh /usr/sbin/exim4=exim4-daemon-light faketime softhsm2-util=softhsm2 jq openssl
	@scripts/ensure-programs.sh

engine: setup ## Make sure a Docker engine answers (installs Debian's docker.io where none does)
	@scripts/ensure-engine.sh

images: engine ## Make the builder images (minutes the first time, nothing when they stand)
	@$(PY) -m escrow.operations.cli admin images

demo: images ## Play the main job on a real open-source project and print each step with its time
	@$(PY) -m demo

serve: images ## Run the service for real use on 127.0.0.1:8420, its state in $(STATE)
	@# Production refuses a key manager that was not named; this line names it.
	@ESCROW_HOME=$(STATE) ESCROW_KEY_MANAGER=file .venv/bin/escrow serve

composed: images ## Run portal, worker, keyholder and PostgreSQL as containers (docker-compose.yml)
	@scripts/prepare-compose.sh
	@docker compose up --detach --wait

# What needs no engine and no quiet machine: on every processor. The rest, one after the other.
APART := $(patsubst %,tests/%/,rooms architecture properties conformance attacks)

test: images trials ## Run every test, the Docker ones included
	@$(PY) -m pytest --numprocesses auto --dist loadfile $(APART)
	@$(PY) -m pytest $(filter-out $(APART),$(wildcard tests/*/))

test-fast: setup ## Run the tests that need neither Docker nor other processes
	@$(PY) -m pytest tests/rooms tests/architecture tests/properties tests/conformance

lint: setup ## Check style, types and the direction of imports
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@.venv/bin/lint-imports

bench: images ## Measure against the peers (restic and borg among them), goals beside the figures
	@scripts/ensure-tools.sh restic borg=borgbackup
	@$(PY) -m bench

docs: setup ## Write the generated pages again
	@$(PY) -m escrow.operations.cli docs

lock: setup ## Resolve requirements.lock anew (needs uv)
	uv pip compile -q --python-version 3.11 --generate-hashes --extra development --no-emit-index-url \
	  --no-header --no-annotate --python-platform x86_64-manylinux_2_28 pyproject.toml -o requirements.lock

clean: ## Remove what these commands made inside this folder
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

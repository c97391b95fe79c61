# Everything runs in .venv, which these targets make and keep up to date.
# Copies of the requirement files in it say what the last finished installation
# held: an interrupted one is finished, an unchanged one costs nothing.

.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
RUNTIME_FILES := requirements.txt requirements-worker.txt requirements-web.txt constraints.txt
# What `make lock` resolves with; it sees the packages of every platform.
UV_VERSION := 0.13.9
DEV_FILES := requirements-dev.txt $(RUNTIME_FILES)
# Two processes, a file never split: fixtures of a file are made once.
PYTEST_ARGS ?= -n 2 --dist loadfile
# One browser at a time: it shares the cores with the worker that draws.
BROWSER_ARGS ?=

# Static checks read the settings but reach no server, and need not say so.
STATIC_ENV := PINGVAS_ENV=test SECRET_KEY=static-checks-only ALLOWED_HOSTS=localhost \
	LOG_LEVEL=ERROR DB_POOL_MIN=0 DB_POOL_TIMEOUT=1 \
	PYTHONWARNINGS="ignore:Got an error checking a consistent migration history" \
	DATABASE_URL=postgresql://app_user:none@127.0.0.1:1/pingvas_db \
	DATABASE_OWNER_URL=postgresql://pingvas_owner:none@127.0.0.1:1/pingvas_db \
	REDIS_URL=redis://127.0.0.1:1/0

# The name under which `make run` registers the starter model.
MODEL ?= $(shell sed -n 's/^STARTER_MODEL = "\(.*\)"/\1/p' pingvas/local/programs.py)

.PHONY: help bench demo engine-matrix evaluate-starter train-starter venv install install-dev \
	run screenshots showcase slow test test-browser lint format lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

venv:
	@if $(PY) -m pip --version >/dev/null 2>&1; then exit 0; fi; \
	for candidate in python3.11 python3; do \
	  if $$candidate -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
	      2>/dev/null; then \
	    echo "Making $(VENV) with $$candidate"; \
	    $$candidate -m venv --clear $(VENV) && exit 0; \
	    echo "Python cannot make a virtual environment: on Debian and Ubuntu" \
	      "install the package python3.11-venv." >&2; \
	    echo "가상 환경을 만들 수 없습니다: Debian/Ubuntu에서는 python3.11-venv" \
	      "패키지를 설치하세요." >&2; \
	    exit 1; \
	  fi; \
	done; \
	echo "Python 3.11 was not found: install it so that python3.11 runs." >&2; \
	echo "Python 3.11이 없습니다: python3.11로 실행되도록 설치하세요." >&2; \
	exit 1

install: venv ## install what the studio needs to run
	@cat $(RUNTIME_FILES) | cmp -s - $(VENV)/installed-runtime.txt || { \
	  $(PY) -m pip install --quiet -r requirements.txt && \
	  cat $(RUNTIME_FILES) > $(VENV)/installed-runtime.txt; }

install-dev: venv
	@cat $(DEV_FILES) | cmp -s - $(VENV)/installed-dev.txt || { \
	  $(PY) -m pip install --quiet -r requirements-dev.txt && \
	  cat $(RUNTIME_FILES) > $(VENV)/installed-runtime.txt && \
	  cat $(DEV_FILES) > $(VENV)/installed-dev.txt; }

run: install ## start the studio with its own PostgreSQL and Redis
	@exec $(PY) -m pingvas.local run

demo: install ## make four pictures by the API and check what they cost (demo.png)
	@exec $(PY) -m demo $(ARGS)

test: install-dev ## every test but the browser's (PYTEST_ARGS="-k name")
	$(PY) -m pytest -m "not browser" $(PYTEST_ARGS)

test-browser: install-dev ## the tests in a real browser (needs Chromium)
	@command -v chromium chromium-browser google-chrome >/dev/null || { \
	  echo "Chromium was not found: install the package chromium." >&2; \
	  echo "Chromium이 없습니다: chromium 패키지를 설치하세요." >&2; exit 1; }
	$(PY) -m pytest -m browser $(BROWSER_ARGS)

screenshots: install-dev ## take the README's pictures from a studio of its own
	@exec $(PY) -m demo.screenshots $(ARGS)

evaluate-starter: install-dev ## measure from the pixels what the starter model gets right
	$(PY) -m workers.starter.evaluate

train-starter: install-dev ## train the starter model on, from its last checkpoints
	$(PY) -m workers.starter autoencoder
	$(PY) -m workers.starter denoiser
	$(PY) -m workers.starter decoder
	$(PY) -m workers.starter export

showcase: install-dev ## draw the pictures of the landing page (MODEL=name)
	$(PY) -W ignore -m workers.starter.showcase --model $(MODEL)

engine-matrix: install-dev ## every base, format and sampler against plain diffusers
	$(PY) -W ignore -m tests.workers.engine.matrix $(ARGS)

bench: install-dev ## measure beside bare parts (ARGS="settle --small", "before")
	$(PY) -W ignore -m bench $(ARGS)

slow: install-dev ## the longer proofs: a race, slow clients (bench/STORM.md), an upgrade (bench/UPGRADE.md)
	@status=0; \
	PARENT_ROUNDS=1000 $(PY) -m pytest -q tests/concurrency/test_waiting_jobs.py \
	  -k however_its_parents_meet || status=1; \
	$(PY) -W ignore -m bench.storm --keep $(ARGS) || status=1; \
	$(PY) -W ignore -m bench.upgrade --keep || status=1; \
	exit $$status

lint: install-dev ## style, types, import order, migrations
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(STATIC_ENV) $(PY) -m mypy .
	$(VENV)/bin/lint-imports
	$(STATIC_ENV) $(PY) manage.py makemigrations --check --dry-run
	$(STATIC_ENV) $(PY) manage.py check_migrations

format: install-dev ## rewrite the code in the house style
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

lock: venv ## rewrite constraints.txt and the images' digests from a fresh environment
	@set -e; work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	cp requirements*.txt "$$work/"; sed -i '/^-c /d' "$$work"/requirements*.txt; \
	$(PY) -m venv "$$work/venv"; \
	"$$work/venv/bin/python" -m pip install -r "$$work/requirements-dev.txt"; \
	echo '# Every package at the version the tests ran with. Rewritten by `make lock`.' \
	  > "$$work/constraints.txt"; \
	"$$work/venv/bin/python" -m pip freeze | sed 's/+cpu$$//' | LC_ALL=C sort \
	  >> "$$work/constraints.txt"; \
	cp "$$work/constraints.txt" constraints.txt; \
	"$$work/venv/bin/python" -m pip install --quiet uv==$(UV_VERSION); \
	for part in web worker; do \
	  target=requirements-lock-$$part.txt; \
	  echo "# requirements-$$part.txt with digests, for the images. Rewritten by" \
	    '`make lock`.' > "$$work/$$target"; \
	  "$$work/venv/bin/uv" pip compile requirements-$$part.txt --quiet --universal \
	    --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --no-emit-index-url --no-emit-find-links >> "$$work/$$target"; \
	  cp "$$work/$$target" $$target; \
	done

clean: ## remove caches (keeps .venv and the data in .pingvas)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

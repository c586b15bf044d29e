# Two commands do all the set-up on a machine with python3, its venv module and make:
#   make demo ARGS="--speed 60 --for 150"     make test
# Each makes .venv from the locks (hashes checked) when they or pyproject.toml have changed.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
# As many test processes as there are cores.
WORKERS ?= auto
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check -q install
# Byte code of our own modules: pip makes it only for what it copies, and where Python may not write
# beside its sources every start would compile 400 files anew (1.5 s).
COMPILE = $(VENV)/bin/python -m compileall -q stewardmon
CODE = stewardmon tests $(wildcard bench dashboards/*.py tools/*.py)

.PHONY: demo run test coverage lint bench screenshots venv peers format lock help
.DELETE_ON_ERROR:

help:
	@echo 'make demo   a simulated outage on real sockets: ARGS="--speed 60 --for 150"'
	@echo 'make run    the daemon, from your environment and rules/: ARGS="--listen 127.0.0.1:9797"'
	@echo 'make test   everything, against real peers: ARGS="tests/unit -k matrix" for a part'
	@echo 'make coverage   the same, and which lines of stewardmon/ no test runs'
	@echo 'make lint   style, types and layers'
	@echo 'make bench  measure, against the peers'
	@echo 'make screenshots   every page, light and dark, desktop and phone: ARGS="status incident"'

demo: $(VENV)/.runtime
	@$(VENV)/bin/stewardmon demo $(ARGS)

run: $(VENV)/.runtime
	@$(VENV)/bin/stewardmon run $(ARGS)

test: $(VENV)/.dev peers
	$(VENV)/bin/python -m pytest -n $(WORKERS) $(ARGS)

# Apart from `make test`: measuring doubles what the suite costs.
coverage: $(VENV)/.dev peers
	$(VENV)/bin/python -m pytest -n $(WORKERS) --cov --cov-report=term $(ARGS)

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy $(CODE)
	$(VENV)/bin/lint-imports --no-logo

bench: $(VENV)/.dev peers
	@$(VENV)/bin/python -m bench $(ARGS)

screenshots: $(VENV)/.dev peers
	@$(VENV)/bin/python -m tools.screenshots $(ARGS)

venv: $(VENV)/.dev

peers:
	@tools/install-peers

format: $(VENV)/.dev
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

# The locks name no registry: pip takes its own from the machine's configuration. Needs `uv`.
# (Extras stay: without them pip takes `coverage[toml]` for unlocked as soon as a newer one is out.)
LOCK = uv pip compile -q --universal --generate-hashes --no-strip-extras --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links --all-extras
lock:
	$(LOCK) --group build pyproject.toml -o requirements.lock
	$(LOCK) --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock

# The build back end comes from the lock too, so nothing unhashed is fetched.
$(VENV)/.runtime: requirements.lock pyproject.toml
	@echo "Installing into $(VENV) (once; about a minute)"
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@$(COMPILE)
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@echo "Installing the test tools into $(VENV) (once)"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

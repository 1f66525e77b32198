# Everything there is to do with this project. `make` lists it; each target sets up what it needs.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

python := .venv/bin/python
stamp := build/setup.stamp
code := framework bffs examples tests
typed := framework bffs examples tests/typing
suites := tests/unit tests/flow tests/abuse tests/docs tests/typing bffs
JOBS ?= 2
export PYTHON

.PHONY: help
help: ## say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

.PHONY: setup
setup: $(stamp) ## make .venv and install the pinned dependencies (PYTHON=… names another Python)

# A stamp without its environment says nothing.
ifeq ($(wildcard .venv/bin/python),)
.PHONY: $(stamp)
endif

$(stamp): pyproject.toml constraints.txt .ci/setup
	@.ci/setup
	@mkdir -p build && touch $@

.PHONY: demo
demo: setup ## run the main job over real sockets, and check every claim
	$(python) -m examples.where2eat.demo

.PHONY: dev
dev: setup ## keep the Where2Eat world running, to click and to curl (PORT=8001 for another port)
	$(python) -m examples.where2eat.dev $(if $(PORT),--port $(PORT))

.PHONY: test
test: check ## check, then run every test but interop; framework/narrows must be covered by 100 %
	$(python) -m pytest -n $(JOBS) --cov --cov-report=term-missing $(suites)

.PHONY: check
check: setup ## check format, style, types, and every BFF
	$(python) -m ruff format --check .
	$(python) -m ruff check .
	$(python) -m mypy $(typed)
	.venv/bin/narrows check --upstream github=bffs/pulls/upstream/github.json

.PHONY: interop
interop: setup ## run the tests with a real browser, real servers, a second type checker, OPA and a clock (installs what is missing)
	.ci/setup-interop
	$(python) -m pytest --cov --cov-config=.ci/coverage-servers.toml --cov-report=term-missing tests/interop tests/bench

.PHONY: format
format: setup ## put the code into the project's form
	$(python) -m ruff check --fix .
	$(python) -m ruff format .

.PHONY: constraints
constraints: ## pin anew what a fresh environment installs (needs a look at the diff)
	rm -rf build/pins
	$${PYTHON:-python3} -m venv build/pins
	build/pins/bin/python -m pip install --disable-pip-version-check -e '.[dev]' playwright 'pyright[nodejs]'
	build/pins/bin/python -m pip freeze --exclude-editable | sed -E 's/ @ .*//' > build/pins.txt
	(sed -n 1p constraints.txt; cat build/pins.txt) > build/constraints.txt
	mv build/constraints.txt constraints.txt

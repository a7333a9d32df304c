# Iftah. `make run` and `make test` do all the set-up; `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help env run demo test long check conformance newest clients mutants agreement public-data bench soak evaluate coverage docs editor-bundle dist dist-test image clean
# The first interpreter in range; `make PYTHON=python3.13 test` picks another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Python keeps its bytecode also where the environment forbids it: else each process of a test run compiles every module again.
export PYTHONDONTWRITEBYTECODE :=

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Everything but durable-rules is a wheel, pinned with its hash. setup.py compiles durable-rules' library from its pinned
# source, which needs a C compiler and the Python headers.
$(STAMP): constraints.txt constraints-dev.txt constraints-sdist.txt pyproject.toml setup.py
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11, 3.12 or 3.13 on PATH; install one, or name it: make PYTHON=/path/to/python"; exit 2; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version) (about a minute, once)"
	@$(PYTHON) -c 'import sysconfig, pathlib, sys; h = pathlib.Path(sysconfig.get_paths()["include"], "Python.h"); sys.exit(0 if h.exists() else f"make: {h} is not there; install the Python headers (Debian: python3-dev)")'
	@command -v cc >/dev/null || command -v gcc >/dev/null || { echo "make: no C compiler; install one (Debian: gcc)"; exit 2; }
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r constraints.txt -r constraints-dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

# PySpark is 455 MB and useless without Java: who has Java gets it with the tests. It comes as a source archive alone.
SPARK := $(if $(shell command -v java),$(VENV)/.spark-installed)
$(VENV)/.spark-installed: $(STAMP) constraints-spark.txt
	@echo "adding PySpark to $(VENV) (455 MB, half a minute, once)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --require-hashes -r constraints.txt -r constraints-dev.txt -r constraints-spark.txt
	@touch $@

env: $(STAMP) ## make the virtual environment

run: $(STAMP) ## load evidence if there is none, build, score, serve on 127.0.0.1:8000
	@$(BIN)/iftah run

demo: $(STAMP) ## the same without serving: the walk-through, printed
	@$(BIN)/iftah demo

# A process more than two cores, since tests also wait: for servers, clocks and databases.
PYTEST := $(BIN)/python -m pytest -n 3 --dist worksteal -q
# Tests that kill and wait for processes, that compare engines on random input, or that read the public data sets.
LONG := tests/api/cli/test_import_runs.py tests/api/cli/test_start.py tests/api/console tests/api/evaluation tests/api/features/test_pattern_flags.py \
	tests/api/features/test_refresh.py tests/api/features/test_refresh_callers.py tests/api/http/clients tests/api/http/test_hostile.py \
	tests/api/http/test_server.py tests/api/http/test_stalls.py tests/api/jobs tests/api/proposals/test_laws.py tests/api/store/test_migrations.py \
	tests/api/supervision/test_swap_decisions.py tests/api/supervision/test_swap_sets.py tests/bench tests/distribution \
	tests/engine/changes/test_swap_tally.py tests/engine/lang/engines/test_columnar.py tests/engine/rollout/test_false_alarms.py \
	tests/engine/verify/prove/test_losses.py tests/engine/verify/prove/test_random_people.py \
	tests/engine/verify/prove/test_random_releases.py tests/engine/verify/test_agreement.py tests/engine/verify/test_coverage.py \
	tests/engine/verify/test_differential_test.py tests/eval tests/graph/evidence/test_links.py \
	tests/graph/evidence/test_random_vocabularies.py tests/graph/features/declared/test_agreement.py \
	tests/graph/features/declared/test_shipped.py tests/graph/features/test_features.py tests/graph/features/test_relationships.py \
	tests/graph/features/test_trust.py tests/mutants tests/public_data tests/soak

test: $(STAMP) $(SPARK) ## the tests that you run while you work: every test but the long ones
	@$(PYTEST) $(addprefix --ignore=,$(LONG))

long: $(STAMP) ## the long tests, some of them shortened: CI runs them too, `make agreement` at full length
	@$(PYTEST) $(LONG)

check: $(STAMP) ## lint, format, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

conformance: $(STAMP) ## NetworkX's own tests, on our graphs: about five minutes
	@$(BIN)/python -m tests.conformance

# Laid over the environment, not into it. By `--ignore-requires-python` an older Python is judged under it too.
newest: $(STAMP) ## the backend's tests under the newest NetworkX, beside the one that constraints.txt pins
	@rm -rf $(VENV)/newest
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --ignore-requires-python --target $(VENV)/newest networkx
	@PYTHONPATH=$(VENV)/newest $(BIN)/python -c 'import networkx; print("NetworkX", networkx.__version__)'
	@PYTHONPATH=$(VENV)/newest $(BIN)/python -m pytest -n 2 --dist worksteal -q tests/graph/compiled tests/graph/backend/test_backend.py

clients: $(STAMP) ## clients that three generators make of the API's document, and what two linters say of it
	@IFTAH_AGREEMENT=full $(BIN)/python -m pytest -n 2 --dist worksteal -q tests/api/http/clients

mutants: $(STAMP) ## 500 small changes of the core modules, each to be noticed by the tests of its module: 45 minutes, goes on where it was
	@$(BIN)/python -m tests.mutants

bench: $(STAMP) $(SPARK) ## speed and memory, each beside something else in the same run
	@$(BIN)/python -m tests.bench
	@$(BIN)/python -m tests.limits.activity
	@$(BIN)/python -m tests.limits.authoring
	@$(BIN)/python -m tests.limits.operator_pages
	@$(BIN)/python -m tests.limits.page_weights

# Spark's tests share one Java, so they run in one process.
agreement: $(STAMP) $(SPARK) ## engines, features and graphs against each other and against oracles from outside, at length
	@IFTAH_AGREEMENT=full $(BIN)/python -m pytest --timeout 3600 -q tests/graph/spark tests/api/features/test_spark_build.py
	@IFTAH_AGREEMENT=full $(BIN)/python -m pytest --timeout 3600 -n 2 --dist worksteal -q tests/engine tests/graph \
		--ignore=tests/graph/spark --ignore=tests/api/features/test_spark_build.py \
		tests/bench tests/eval/test_berka.py tests/mutants tests/soak \
		tests/api/access tests/api/consent tests/api/console tests/api/decisions tests/api/evaluation/test_evaluate.py tests/api/evidence/contributor \
		tests/api/features tests/api/guarantees tests/api/http/clients tests/api/http/test_hostile.py tests/api/http/test_kills.py tests/api/http/test_schemathesis.py tests/api/jobs tests/api/links \
		tests/api/merchants tests/api/orders tests/api/people tests/api/proposals tests/api/render tests/api/supervision tests/api/telemetry/test_logs.py

public-data: $(STAMP) ## public data sets of other trades, from their files in IFTAH_PUBLIC_DATA_DIR to the answers of a server: ten minutes
	@$(BIN)/python -m tests.public_data
	@$(BIN)/python -m pytest -s -q --timeout 900 tests/public_data

soak: $(STAMP) ## a million decisions in one process, eight threads under two releases, whether time tells, PostgreSQL stopped under load, a lock held, a clock that leaps ahead, names and heads without end, a server killed fifty times, and again while its rules change
	@$(BIN)/python -m tests.soak
	@$(BIN)/python -m tests.soak.timing
	@$(BIN)/python -m tests.soak.stopped
	@$(BIN)/python -m tests.soak.outages
	@$(BIN)/python -m tests.soak.clock
	@$(BIN)/python -m tests.soak.kills
	@$(BIN)/python -m tests.soak.releases

evaluate: $(STAMP) ## how well the score and the features tell, on the real data sets
	@$(BIN)/iftah evaluate all

# Processes that tests start are measured too. It takes longer than `make test`; TESTS names a part.
TESTS ?= tests
coverage: $(STAMP) ## the share of the code that the tests run, as a table and in var/coverage; of a part: make coverage TESTS=tests/engine
	@$(BIN)/python -m pytest -n 2 --dist worksteal -q --cov --cov-report term:skip-covered --cov-report html:var/coverage $(TESTS)

# An environment of its own, since the site needs none of our packages.
DOCS := $(VENV)/docs
$(DOCS)/.installed: constraints-docs.txt
	@$(PYTHON) -m venv --clear $(DOCS)
	@$(DOCS)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r constraints-docs.txt
	@touch $@

docs: $(DOCS)/.installed ## the documentation as a site in var/site; a dead link is an error
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --quiet
	@echo "open var/site/index.html, or serve it: $(DOCS)/bin/mkdocs serve"

editor-bundle: ## build the editor of the console's pages from npm packages; the test of it compares the bytes
	@api/console/editor/build.sh api/console/static

# One wheel serves every Python from 3.11 on; the source distribution holds durable-rules' source and builds without a network.
dist: $(STAMP) ## build the wheel and the source distribution into dist/
	@rm -rf dist
	@$(BIN)/python -m pip wheel -q --disable-pip-version-check --no-build-isolation --no-deps -w dist .
	@$(BIN)/python -c 'from setuptools import build_meta; build_meta.build_sdist("dist")' >/dev/null 2>&1
	@ls -l dist

dist-test: dist ## install both in empty environments on 3.11, 3.12 and 3.13, and work with them outside the checkout: ten minutes
	@$(BIN)/python -m tests.distribution dist

image: ## build the image and try it, by buildah and debootstrap (Debian packages; needs root): five minutes
	@.ci/image

clean: ## remove the environment, what was built and the local database
	rm -rf $(VENV) build dist var *.so

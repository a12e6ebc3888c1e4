# The one place that knows how to set up and run things. `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin
RESULTS := data/results

# Or each of the many processes that are started here compiles all that it imports once more.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup report test check desk lab notebooks benchmarks lint clean

help:  ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.ready  ## make .venv with everything in it (done by all the others when needed)

# uv lives inside the environment it keeps: nothing is installed outside this folder.
.venv/.ready: pyproject.toml uv.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv sync --frozen --inexact --all-extras --python $(BIN)/python --quiet
	@touch $@

report: setup  ## run the notebooks, then write the report from the tables they recorded
	@$(BIN)/workbench report --run notebooks --set longest_s=60 --out report.html

# In two processes, since most of the time tests wait; each has servers of its own, and takes over what the other has left.
test: setup  ## every test, doctest and the coverage bar
	@$(BIN)/pytest -n 2 --dist worksteal -m "not desk" --cov --cov-report=term:skip-covered --cov-fail-under=95

check: setup lint  ## the quick loop: lint, types and the fast tests
	@$(BIN)/pytest -n 2 --dist worksteal -q -m "not slow and not service and not desk"

desk: setup  ## the commands as people type them, with their defaults, one after the other
	@$(BIN)/pytest -q -m desk tests

lint: setup
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --no-error-summary

lab: setup  ## open the notebooks in JupyterLab
	@$(BIN)/jupyter lab notebooks

notebooks: setup  ## run every notebook and record its tables, without a report
	@$(BIN)/workbench notebooks notebooks

benchmarks: setup  ## run every benchmark; they print ratios and record them
	@for file in benchmarks/bench_*.py; do $(BIN)/python $$file || exit 1; done

clean:  ## remove the environment and what was built
	@rm -rf .venv report.html .cache build dist

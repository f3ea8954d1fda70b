# Two commands do everything: `make sample` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
OUT ?= out

.PHONY: sample test lint types layers unit accuracy anatomy performance lock clean

# Set up and analyse the sample study; the report is out/study/report.html.
sample: .venv/run.stamp
	$(BIN)/cementct run sample_data/study --out $(OUT)
	@echo "Open $(OUT)/study/report.html in a browser."

# Set up and pass every check and test.
test: lint types layers unit

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev.stamp
	$(BIN)/mypy

layers: .venv/dev.stamp
	$(BIN)/lint-imports

unit: .venv/dev.stamp
	$(BIN)/pytest -n 2 --dist loadfile

# Truth beside result on the reporting half; writes docs/accuracy.md, .json and pictures.
accuracy: .venv/dev.stamp
	$(BIN)/python -m benchmarks.accuracy --half reporting --jobs 2 --write

# The anatomy engine against truth, on tuning and on reporting cases apart; writes docs/anatomy-accuracy.md.
anatomy: .venv/dev.stamp
	$(BIN)/python -m benchmarks.anatomy --jobs 2 --write

# Speed beside yardsticks of the same run; writes the tables and the plot of docs/performance.md.
performance: .venv/dev.stamp
	$(BIN)/python -m benchmarks.speed --write

.venv/run.stamp: requirements/run.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --no-deps -e .
	touch $@

.venv/dev.stamp: .venv/run.stamp requirements/dev.txt
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	touch $@

# Renew the locks from pyproject.toml and requirements/dev.in (needs uv).
lock:
	uv pip compile -q pyproject.toml -o requirements/run.txt --generate-hashes --python-version 3.11 --custom-compile-command "make lock"
	uv pip compile -q requirements/dev.in -c requirements/run.txt -o requirements/dev.txt --generate-hashes --python-version 3.11 --custom-compile-command "make lock"

clean:
	rm -rf .venv build out .mypy_cache .ruff_cache .pytest_cache .hypothesis

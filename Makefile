PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint slow benchmark clean

demo: $(VENV)/installed
	$(BIN)/tfspec demo

test: lint
	$(BIN)/pytest -n 2 --dist loadfile

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

slow: $(VENV)/installed-test
	$(BIN)/pytest -m slow

benchmark: $(VENV)/installed-benchmark
	$(BIN)/pytest tests/benchmarks --benchmark-only -s

clean:
	rm -rf $(VENV) build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python setup.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/bin/python setup.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@ $(VENV)/installed

# Without what they require, which would bring back an older TensorFlow
$(VENV)/installed-benchmark: $(VENV)/installed-test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,benchmark]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps kapre==0.4.1
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps audiomentations==0.43.1 \
		numpy-minmax numpy-rms python-stretch
	touch $@

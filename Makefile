# Two commands:
#   make        sets up .venv, draws the sample, builds, trains briefly, predicts
#   make test   sets up .venv and runs every check and test
# PYTHON chooses the interpreter (3.11 to 3.13): make PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
EPOCHS ?= 6

.DEFAULT_GOAL := demo
.PHONY: demo test format bench audit mutation

.venv/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Python 3.11, 3.12 or 3.13 is needed; name one: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv .venv

.venv/runtime.stamp: .venv/pyvenv.cfg requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/development.stamp: .venv/runtime.stamp pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

demo: .venv/runtime.stamp
	$(BIN)/python build_dataset.py --sample
	$(BIN)/python train_model.py --data datasets/sample/idc --epochs $(EPOCHS)
	$(BIN)/python predict.py "$$(ls datasets/sample/idc/testing/1/*.png | head -n 1)"
	@echo "The run folder above holds report.html and figures/."

# The tests start hundreds of programs: with no bytecode on disk each would compile the package.
# Three processes, since one of them often waits for such a program; each takes up to 3.5 GB.
test: export PYTHONDONTWRITEBYTECODE =
test: .venv/development.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 3 --dist loadfile

# Known vulnerabilities of what is installed; needs the network.
audit: .venv/development.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.9,<3'
	$(BIN)/python -m pip_audit --skip-editable

# Plants small faults, one at a time, and counts those that the tests notice (SAMPLE=0: all):
#   make mutation ROOMS="measures dataset" SAMPLE=100
SAMPLE ?= 100
mutation: .venv/development.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev,mutation]"
	$(BIN)/python tools/mutation/mutate.py $(ROOMS) --sample $(SAMPLE)

format: .venv/development.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Every speed figure beside the plain way; a sample is drawn and a run trained unless named:
#   make bench DATA=datasets/idc RUN=output/idc-cancernet-001
bench: .venv/runtime.stamp
	$(BIN)/python benchmarks/run_all.py --json output/bench.json \
		$(if $(DATA),--data $(DATA)) $(if $(RUN),--run $(RUN))

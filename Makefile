# Each goal makes .venv when it is missing or older than what it is made from.
PYTHON ?= python3
# `make test EXTRAS=dev,train,tensorflow` runs the tests of TensorFlow too.
EXTRAS ?= dev,train
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed-$(EXTRAS)

.PHONY: demo test check structure parity bench bench-results faults-short faults identity soak fuzz models published viewers docs viewers-short
demo: $(INSTALLED)
	$(BIN)/dicom-node demo

# TESTS=tests/routing runs those only; the tests run beside each other, in a process for each.
test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadgroup $(TESTS)

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_architecture.py tests/test_licences.py

# Writes the parts of docs/ that are made from the code.
docs: $(INSTALLED)
	$(BIN)/python -m tests.references

# By hand: the published networks against the original's stored outputs, full size; takes half an hour.
parity: $(INSTALLED)
	$(BIN)/python -m benchmarks.parity

# By hand: receiving against Orthanc and dcmtk's storescp, both on PATH; takes an hour. CASES="ct-1 mr-1" runs some.
bench: $(INSTALLED)
	$(BIN)/python -m benchmarks.receive $(CASES)

# By hand: loading a series and encoding a SEG against SimpleITK and highdicom; takes three minutes.
bench-results: $(INSTALLED)
	$(BIN)/python -m benchmarks.results

# Each fault at each step of a series' way, once; about ten minutes. TABLE=docs/faults.md puts what it found there.
faults-short: $(INSTALLED)
	$(BIN)/python -m pytest -m faults tests/faults $(if $(TABLE),--faults-table $(TABLE))

# Each row of the identity matrix: what comes twice, where to, from whom and when; about half an hour.
identity: $(INSTALLED)
	$(BIN)/python -m pytest -m faults tests/identity

# By hand: 200 kills at random moments for each database, half an hour of load, ten thousand malformed inputs; their
# summaries are in benchmarks/faults/.
RUNS ?= 200
SEED ?= 1
faults: $(INSTALLED)
	$(BIN)/python -m tests.faults.random_kills --runs $(RUNS) --seed $(SEED) --database sqlite
	$(BIN)/python -m tests.faults.random_kills --runs $(RUNS) --seed $(SEED) --database postgresql

soak: $(INSTALLED)
	$(BIN)/python -m tests.faults.soak

fuzz: $(INSTALLED)
	$(BIN)/python -m tests.faults.fuzz
	$(BIN)/python -m tests.faults.hostile

# Sizes, names and imports of the source, in numbers.
structure: $(INSTALLED)
	$(BIN)/python -m benchmarks.structure

# By hand: seconds and peak memory of a case of each published model; takes ten minutes, and 10 GB for the kidneys.
models: $(INSTALLED)
	$(BIN)/python -m benchmarks.models

# By hand: results in OHIF and dwv, as npm has them, over Orthanc's DICOMweb plug-in in a headless Chromium, and in other
# readers; takes ten minutes. PICTURES=folder keeps pictures, TABLE=docs/viewers.md puts there what each viewer showed.
viewers: $(INSTALLED)
	$(BIN)/python -m pytest -m viewers orthanc_test/viewers $(if $(PICTURES),--pictures $(PICTURES)) $(if $(TABLE),--viewers-table $(TABLE))

# The viewer tests that continuous integration runs, in two minutes; without npm it says so and runs none of them.
viewers-short: $(INSTALLED)
	if $(BIN)/python -m orthanc_test.viewers; then $(BIN)/python -m pytest -m "viewers and short" orthanc_test/viewers; fi

# By hand: every published model through the node and a real Orthanc, the kidney cascade too; takes half an hour.
published: $(INSTALLED)
	DICOM_NODE_FULL=1 $(BIN)/python -m pytest orthanc_test/test_published.py

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	@echo "installing into $(VENV): a minute or two, 1.9 GB"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

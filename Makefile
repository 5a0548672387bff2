# Everything a fresh machine needs: Python 3.11+ and make.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
# The tested version of every package. Where one has no wheel for your Python or machine: make setup LOCK=
LOCK ?= requirements.lock
BIN := .venv/bin
PIP := PIP_RETRIES=1 $(BIN)/pip install -qq
stop = { echo "error: $(1)" >&2; exit 2; }
CHOOSE := make setup PYTHON=/path/to/python3.11
NO_VENV := $(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt-get install $(notdir $(PYTHON))-venv
NO_INSTALL := not all packages could be installed (pip says why, above): \
  check the network, or a proxy or mirror (PIP_INDEX_URL), and run make again
# The compile cache makes the second run of the tests and of a launcher start sooner.
export JAX_COMPILATION_CACHE_DIR := $(CURDIR)/.cache/jax

.PHONY: setup test test-slow soak fuzz lint demo bench results results-design results-probe results-ablation results-curves clean

setup: .venv/.ready

# The mark comes last: what failed halfway is not taken for ready, and the next `make` goes on from there.
.venv/.ready: requirements.txt $(LOCK) setup.cfg pyproject.toml
	@command -v $(PYTHON) >/dev/null || $(call stop,expected Python 3.11 or newer; $(PYTHON) is not there: $(CHOOSE))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || $(call stop,expected Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1): $(CHOOSE))
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv \
	  || $(call stop,$(NO_VENV))
	@echo "installing into .venv; the first time this takes minutes"
	@{ $(PIP) --upgrade pip && $(PIP) -r requirements.txt $(LOCK:%=-c %) -e '.[dev]'; } || $(call stop,$(NO_INSTALL))
	@touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check
	$(BIN)/lint-imports

# Two processes: a third only waits, as compiling takes more than one core by itself.
WORKERS ?= 2
test: lint
	$(BIN)/python -m pytest -m 'not slow' -n $(WORKERS) --dist worksteal

test-slow: setup
	$(BIN)/python -m pytest -m slow

# Training, killed so often at random moments and started again, must end to the byte as never killed.
SOAK ?= 50
soak: setup
	SOAK=$(SOAK) $(BIN)/python -m pytest -m slow tests/training/test_soak.py -k killed

# So many damaged files of every format, and SEED for others, each must end as a recording or a refusal.
FUZZ ?= 2000
SEED ?= 1
fuzz: setup
	FUZZ=$(FUZZ) SEED=$(SEED) $(BIN)/python -m pytest -m slow -s tests/records/test_fuzz.py

# The whole way once, in minutes: simulated recordings, or DATA=folder of recordings. Interrupted, it goes on.
DATA ?=
DEMO ?=
demo: setup
	@$(BIN)/python -m launch.demo $(if $(DATA),--source="$(DATA)") $(if $(DEMO),--workdir="$(DEMO)")

# One Markdown table: preparing, input pipeline, train step, memory, embedding, start-up. BENCH='--only=step' for a part.
bench: setup
	$(BIN)/python -m benchmarks $(BENCH)

# Tables of docs/results.md, as its head says. Runs that are there are not run again; an interrupted one goes on.
REAL_ECG ?= ../shared/ecg
FOLDERS := ludb chapman_ningbo cpsc2018 cpsc2018_extra ptbdb code15
SEEDS := 0 1 2
CONFIG := --config=configs/real_2core.py
PUBLISHED := --config=configs/real_2core_augmented.py
NESTED := --beside=untrained,rival --allow_overlap --allow_retest
DESIGN := --config=configs/design.py
LAUNCH := $(BIN)/python -m launch

data/100hz/.ready: | setup
	$(LAUNCH).prepare --database=ptbxl --source=$(REAL_ECG)/ptbxl --out=data/100hz --sampling_rate=100
	for folder in $(FOLDERS); do \
	  $(LAUNCH).prepare --database=wfdb_folder --source=$(REAL_ECG)/$$folder --out=data/100hz --sampling_rate=100; \
	done
	$(LAUNCH).prepare --database=simulated --out=data/100hz --sampling_rate=100
	touch $@

results: data/100hz/.ready
	mkdir -p runs
	$(LAUNCH).overfit $(CONFIG) --steps=300 --every=50 | tee runs/overfit.md
	$(LAUNCH).leakage --data_root=data/100hz --train=ptbxl:fold1-7 --validation=ptbxl:fold8 | tee runs/leakage.md
	$(MAKE) results-design results-probe results-curves results-ablation

results-design: data/100hz/.ready
	$(LAUNCH).pretrain $(DESIGN) --workdir=runs/design_joint
	$(LAUNCH).pretrain $(DESIGN) --workdir=runs/design_lead_wise --config.model.decoder=lead_wise
	$(LAUNCH).pretrain $(DESIGN) --workdir=runs/design_no_time_bias --config.model.time_bias=False
	$(LAUNCH).pretrain $(DESIGN) --workdir=runs/design_no_zero_output --config.model.zero_output=False
	$(LAUNCH).reconstruction --data_root=data/100hz --train=ptbxl:fold1-7 --validation=ptbxl:fold8 \
	  --run=joint=runs/design_joint --run=lead-wise=runs/design_lead_wise \
	  --run='no time bias'=runs/design_no_time_bias --run='no zero output'=runs/design_no_zero_output \
	  | tee runs/design.md

# A test is opened once: results that are there stay. LUDB was seen, unlabelled, in pretraining.
results-probe: data/100hz/.ready
	for seed in $(SEEDS); do \
	  $(LAUNCH).pretrain $(PUBLISHED) --config.seed=$$seed --workdir=runs/augmented_$$seed; \
	done
	for task in ptbxl_superclass_two_folds $(foreach task,ludb_findings ptbxl_superclass_nested,"$(task) $(NESTED)"); do \
	  [ -f "runs/augmented_0/evaluations/$${task%% *}_linear.json" ] \
	  || [ -f "runs/augmented_0/evaluations/$${task%% *}_linear_beside-rival-untrained.json" ] \
	  || $(LAUNCH).evaluate $(foreach seed,$(SEEDS),--checkpoint=runs/augmented_$(seed)) --data_root=data/100hz \
	    --task=$$task | tee "runs/$${task%% *}.md"; \
	done
	$(LAUNCH).reconstruction --data_root=data/100hz --train=ptbxl:fold1-8 --validation=ptbxl:fold9 \
	  $(foreach seed,$(SEEDS),--run=seed$(seed)=runs/augmented_$(seed)) | tee runs/reconstruction.md

# Scored on the training folds only.
results-ablation: data/100hz/.ready
	$(LAUNCH).sweep --table=ablation --workdir=runs/ablation

results-curves:
	$(LAUNCH).curves $(foreach seed,$(SEEDS),--workdir=runs/augmented_$(seed)) \
	  --out=docs/curves.png --importance=docs/importance.png --example=docs/reconstruction.png

clean:
	rm -rf .venv .cache build *.egg-info

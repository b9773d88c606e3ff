PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PEERS := .venv/.peers
PAGES := .venv/.pages

.DEFAULT_GOAL := help
.PHONY: help setup demo data maskfer contact-sheet train sweep study report dashboard leet wandb-sync test test-fast lint docs bench gpu fuzz clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(READY) ## make .venv and install everything into it (the other targets do it when needed)

BROKEN := $(if $(shell $(BIN)/python -c 'print(1)' 2>/dev/null),,broken) # python has gone since

.PHONY: broken
broken:

$(READY): pyproject.toml $(BROKEN)
	@$(PYTHON) .ci/install.py dev,maskfer $@

demo: $(READY) ## the whole scheme on drawn faces, baseline and Perturb (on two cores 90 s where they compute in bf16, 2 to 3 minutes elsewhere)
	$(BIN)/python -m fer_perturb.train experiment=demo
	@$(BIN)/python -m fer_perturb.report runs=outputs/demo out=outputs/demo/report.html

data: $(READY) ## pack FER2013: make data SOURCE=fer2013.zip
	$(BIN)/python -m fer_perturb.prepare dataset=fer2013 $(if $(SOURCE),'source="$(SOURCE)"') $(ARGS)

maskfer: $(READY) ## the same faces wearing masks, from the packed FER2013 (a few minutes)
	$(BIN)/python -m fer_perturb.prepare dataset=maskfer $(ARGS)

contact-sheet: $(READY) ## a picture of 64 faces of FER2013 with their landmarks and masks
	$(BIN)/python -m fer_perturb.contact_sheet $(ARGS)

train: $(READY) ## run a chain: make train ARGS="scheme=perturb seed=0"
	$(BIN)/python -m fer_perturb.train $(ARGS)

SWEEPS := table1 table2 table3 figure5 controls lambda_alpha scopes hidden_share feature_removal occlusion_curve planted

sweep: $(READY) ## a grid of runs: make sweep EXPERIMENT=controls ARGS="scale=smoke seed=0,1", or make controls ARGS=…
	$(BIN)/python -m fer_perturb.train experiment=$(EXPERIMENT) $(ARGS)

.PHONY: $(SWEEPS)
$(SWEEPS): $(READY)
	$(BIN)/python -m fer_perturb.train experiment=$(@:table3=table2) $(ARGS)

study: $(READY) ## the confirmatory runs of docs/protocol.md, those that are missing: make study ARGS="--dry-run"
	$(BIN)/python -m results.study $(ARGS)

report: $(READY) ## all runs on one HTML page, which says whether hiding helps: make report ARGS="runs=outputs out=report.html"
	$(BIN)/python -m fer_perturb.report $(ARGS)

dashboard: $(READY) ## runs trained with logger=tensorboard, served on this machine
	$(BIN)/python -m fer_perturb.dashboard action=tensorboard $(ARGS)

leet: $(READY) ## runs trained with logger=wandb, in this terminal
	$(BIN)/python -m fer_perturb.dashboard action=leet $(ARGS)

wandb-sync: $(READY) ## send to wandb what was logged on this machine only
	$(BIN)/python -m fer_perturb.dashboard action=sync $(ARGS)

test: $(READY) ## all tests
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

test-fast: $(READY) ## the tests that neither start processes nor train much: three minutes
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow" $(ARGS)

lint: $(READY) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(PAGES) ## the pages of docs/ as a site, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(PEERS) ## speed and memory beside their peers, into docs/benchmarks.md: make bench ROWS="start memory" DEVICE=cuda
	PYTHONPATH=tests $(BIN)/python -m benchmarks.run $(if $(DEVICE),--device $(DEVICE)) $(if $(ROWS),--rows $(ROWS))

gpu: $(PEERS) ## on a GPU: its tests, recipe=gpu, a piece of the paper's training, a short bench; six minutes, into docs/gpu.md
	PYTHONPATH=tests $(BIN)/python -m benchmarks.gpu $(ARGS)

fuzz: $(READY) ## damage what commands read, and kill them, for a minute: make fuzz SEED=0 SECONDS=60, or MUTATIONS=10000 KILLS=20
	PYTHONPATH=tests $(BIN)/python -m fuzz.run $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(MUTATIONS),--mutations $(MUTATIONS)) $(if $(KILLS),--kills $(KILLS)) $(ARGS)

$(PEERS): $(READY)
	@$(PYTHON) .ci/install.py bench $@ --may-fail

$(PAGES): $(READY)
	@$(PYTHON) .ci/install.py docs $@

clean: ## remove what was built (not data, not outputs)
	rm -rf .venv .venv.lock .venv.removed .mypy_cache .pytest_cache .ruff_cache .hypothesis dist site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

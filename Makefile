# Two commands are enough: `make run` and `make test`. Everything happens inside .venv.
PYTHON ?= python3
VENV := .venv
TRAIN := .venv-train
LAKE := .venv-lake
BIN := $(VENV)/bin
UV := $(BIN)/uv
LOCK := requirements.lock
# The suite is half waiting; memory, not cores, sets the limit (about 3 GB a worker). 0: one process, in order.
WORKERS ?= 2
# scripts/steady.py runs what failed once more, alone.
PYTEST ?= -m pytest
# Modules in which a test has a marker: to collect all others takes longer than some of these runs.
marked = $(shell grep -rl --include='*.py' 'pytest\.mark\.$(1)\b' tests)
# What the lock holds and the tests install. `providers` is apart: it keeps clients of others at versions of last year.
EXTRAS := a2a audio documents ocr code connectors credentials eval gguf lake nats oidc otlp postgres redis translate dev
comma := ,
space := $(subst ,, )
INSTALL := $(UV) pip install --quiet --python $(BIN)/python --constraints $(LOCK) --editable

# Without kept bytecode each process compiles all that it imports: a server's start takes more than twice the CPU time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run loop test test-fast test-kills test-train test-lake test-writer test-services test-providers test-clients test-agents test-peers test-suites test-neighbours check format console console-check bench docs lock clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit("mainspring needs Python 3.11 or newer; set PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	@echo "Making the environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.run: $(UV) pyproject.toml $(LOCK)
	@$(INSTALL) '.[a2a,documents,ocr,connectors,code,translate]'
	@touch $@

$(VENV)/.test: $(UV) pyproject.toml $(LOCK)
	@$(INSTALL) '.[$(subst $(space),$(comma),$(EXTRAS))]'
	@touch $@ $(VENV)/.run

run: $(VENV)/.run ## Set up, pull the default models, ingest the sample handbook, serve and ask three questions
	@MAINSPRING_SUPPORT__SHOP=$${MAINSPRING_SUPPORT__SHOP:-sample} $(BIN)/mainspring up --ingest samples/handbook \
		--ask "How often should I replace the screens of the Tarn press?" \
		--ask "Which Kestrel setting should I start with for a moka pot?" \
		--ask "Does the Kestrel grinder have a Bluetooth app?" $(ARGS)

loop: $(VENV)/.run ## Set up, and show the loop of improvement: simulated people, a server, what became of what they said
	@$(BIN)/mainspring models pull all-minilm-l6-v2
	@$(BIN)/mainspring improve demo $(ARGS)

test: $(VENV)/.test ## Set up and run the tests (ARGS=... goes to pytest, WORKERS=0 runs them in order)
	@$(BIN)/mainspring models pull
	@$(BIN)/python $(PYTEST) -n $(WORKERS) --dist worksteal $(ARGS)

test-fast: $(VENV)/.test ## The tests without servers, models and data sets: before each commit (some 500 seconds of CPU)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow and not kills and not writer and not torch" $(ARGS)

test-kills: $(VENV)/.test ## Run the long tests that kill what they started again and again
	@$(BIN)/python $(PYTEST) -n $(WORKERS) --dist worksteal -m kills --timeout 600 $(call marked,kills) $(ARGS)

test-writer: $(VENV)/.test ## Run the tests that need the larger chat model; they are skipped where it cannot be had
	@$(BIN)/mainspring models pull qwen2.5-coder-1.5b-instruct || true
	@$(BIN)/python -m pytest -m writer $(call marked,writer) $(ARGS)

check: $(VENV)/.test ## Lint, format check, strict types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/settings_page.py --check
	@$(BIN)/python scripts/events_page.py --check
	@$(BIN)/python scripts/clients_page.py --check
	@$(BIN)/python scripts/fields_page.py --check
	@$(BIN)/python -m scripts.routes_page --check
	@$(BIN)/python scripts/schemas_page.py --check

format: $(VENV)/.test ## Format the code, and write docs/reference/{settings,events,fields,routes,schemas}.md anew
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .
	@$(BIN)/python scripts/settings_page.py
	@$(BIN)/python scripts/events_page.py
	@$(BIN)/python scripts/fields_page.py
	@$(BIN)/python -m scripts.routes_page
	@$(BIN)/python scripts/schemas_page.py

test-providers: $(VENV)/.test ## Run the tests of providers that are not OpenAI-shaped, with their library beside the environment
	@$(UV) pip install --quiet --python $(BIN)/python --target $(VENV)/providers "$$($(BIN)/python scripts/extra.py providers)"
	@PYTHONPATH=$(VENV)/providers $(BIN)/python -m pytest tests/engines/remote/test_native.py $(ARGS)

test-clients: $(VENV)/.test ## Run other people's clients against a server, each in its own environment (ARGS="--only litellm")
	@$(BIN)/mainspring models pull
	@$(BIN)/python -m tests.clients.run $(ARGS)

test-agents: $(VENV)/.test ## Have Claude Code, Codex and Qwen Code edit a file through a server (ARGS="--model NAME": answer a first prompt)
	@$(BIN)/mainspring models pull
	@$(BIN)/python -m tests.clients.coding_agents $(ARGS)

test-peers: $(VENV)/.test ## Run the conformance suites of others from checkouts (OPENRESPONSES=/path OGX=/path A2A_TCK=/path)
	@$(BIN)/mainspring models pull
	@OPENRESPONSES="$(OPENRESPONSES)" OGX="$(OGX)" A2A_TCK="$(A2A_TCK)" $(BIN)/python -m tests.clients.peers.run $(ARGS)

test-suites: $(VENV)/.test ## Run the official clients' own tests from checkouts (SUITE_OPENAI=/path SUITE_ANTHROPIC=/path)
	@$(BIN)/mainspring models pull
	@SUITE_OPENAI="$(SUITE_OPENAI)" SUITE_ANTHROPIC="$(SUITE_ANTHROPIC)" $(BIN)/python -m tests.clients.suites.run $(ARGS)

test-neighbours: $(VENV)/.test ## What a tenant gets while another does its worst (ARGS=--dry writes no result)
	@$(BIN)/mainspring models pull
	@$(BIN)/python benchmarks/noisy_neighbour.py $(ARGS)

test-train: $(VENV)/.test ## Run the tests that need torch, in an environment of their own (some 2 GB)
	@test -d $(TRAIN) || $(PYTHON) -m venv $(TRAIN)
	@$(UV) pip install --quiet --python $(TRAIN)/bin/python --constraints $(LOCK) --editable '.[eval,gguf,lake,dev]'
	@$(TRAIN)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[train,translate]'
	@$(BIN)/mainspring models pull
	@$(TRAIN)/bin/python -m pytest -m "torch and not kills" $(ARGS)

test-lake: $(VENV)/.test ## Run the tests of the lake with Ray, spaCy and NATS, in an environment of their own (some 1 GB)
	@test -d $(LAKE) || $(PYTHON) -m venv $(LAKE)
	@$(UV) pip install --quiet --python $(LAKE)/bin/python --constraints $(LOCK) --editable '.[eval,lake,nats,ray,ner,dev]'
	@$(BIN)/mainspring models pull
	@$(LAKE)/bin/python -m pytest tests/features/lake $(ARGS)

test-services: $(VENV)/.test ## Run the store suites against Postgres and Redis on private ports, and the conformance suite of MCP
	@WORKERS=$(WORKERS) scripts/test_services.sh

console: ## Build the web console (needs Node 20.19 or newer)
	@cd console && npm ci --silent && npm run --silent build -- --logLevel warn
	@$(PYTHON) scripts/console_built.py write

console-check: ## Test the console's parts, and that a build of its sources is what is committed
	@cd console && npm ci --silent && npm test --silent && rm -rf node_modules/.built
	@cd console && npm run --silent build -- --logLevel warn --outDir node_modules/.built
	@$(PYTHON) scripts/console_built.py same console/node_modules/.built

bench: $(VENV)/.test ## Run the benchmarks (NAME=retrieval for one) and rewrite docs/reference/benchmarks.md
	@$(BIN)/python benchmarks/run.py $(NAME)

docs: $(VENV)/.test ## Run every example of the documentation
	@$(BIN)/python -m pytest tests/test_docs.py

lock: $(UV) ## Resolve the dependencies anew
	@$(UV) pip compile --quiet --universal $(EXTRAS:%=--extra %) --no-header --no-annotate --generate-hashes pyproject.toml -o $(LOCK)

clean: ## Remove the environment and caches (models and data stay)
	@rm -rf $(VENV) $(TRAIN) .mypy_cache .ruff_cache .pytest_cache .hypothesis

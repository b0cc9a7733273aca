# Every target is one line that a person would type; `make help` lists them. All but `help` build the environment first.
# The environment depends on the lock file and the members; generated code on the .proto files. When neither changed, setup is instant.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

MEMBERS := protos services/foundation services/matching services/coordinator services/scheduler services/slurm services/worker services/integrations clients/python
PROTOS := $(shell find protos/crossfleet -name '*.proto' 2> /dev/null)
PY := .venv/bin/python
ARGS ?=
ROUNDS ?= 1
SEEDS ?= 0:10000
MINUTES ?= 5

.venv/.synced: requirements.lock pyproject.toml tools/set_up $(MEMBERS:%=%/pyproject.toml)
	@tools/set_up

protos/gen/.complete: .venv/.synced protos/hatch_build.py $(PROTOS)
	@$(PY) protos/hatch_build.py
	@$(PY) -m compileall -q protos/gen
	@touch $@

.PHONY: help
help:  ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done

.PHONY: setup
setup: .venv/.synced protos/gen/.complete  ## build .venv from requirements.lock and install the members into it
	@:

.PHONY: demo
demo: setup  ## run networkx's own test suite on an embedded fleet of three workers
	@examples/demo/run $(ARGS)

.PHONY: test
test: setup  ## run every test (ARGS="-k word" and the like are handed to pytest)
	@tools/install_grpcurl
	@tools/install_etcd
	@tools/install_moto
	@tools/install_slurm
	@tools/install_interfaces
	$(PY) -m pytest --durations=40 --durations-min=3 $(ARGS)

.PHONY: lint
lint: setup  ## ruff, mypy, buf lint, buf breaking, import rules
	@tools/lint

.PHONY: fix
fix: setup  ## mend what a machine can mend: formatting, import order, simple findings
	$(PY) -m ruff check --fix --quiet .
	$(PY) -m ruff format --quiet .
	.venv/bin/buf format --write protos

.PHONY: protos
protos: .venv/.synced  ## generate the Python code of the .proto files again
	@rm -f protos/gen/.complete
	@$(MAKE) --no-print-directory protos/gen/.complete

.PHONY: lock
lock: .venv/.synced  ## resolve the members' dependencies into requirements.lock (UPGRADE=1 for newer versions)
	@UPGRADE=$(UPGRADE) tools/lock

.PHONY: bench
bench: setup  ## run every benchmark and print its table
	@tools/bench $(ARGS)

.PHONY: truth
truth: setup  ## compare whole suites with plain pytest, then print how long each takes, with pytest-xdist too (ROUNDS=3: medians)
	$(PY) -m pytest tests/truth tests/plugins -m "truth or not truth" $(ARGS)
	$(PY) -m benchmarks.truth_table --rounds $(ROUNDS)

.PHONY: simulate
simulate: setup  ## run whole fleets on one seed each (SEEDS=0:10000; ARGS="--shrink --keep-going"); a failing seed prints its replay
	$(PY) -m tests.simulation --seeds $(SEEDS) $(ARGS)

.PHONY: faults
faults: setup  ## kill, freeze and cut off every part of a fleet, also what takes long
	@tools/install_etcd
	$(PY) -m pytest tests/faults tests/conformance -m "soak or not soak" $(ARGS)

.PHONY: slurm
slurm: setup  ## run fleets whose workers come from a real Slurm, also what takes long
	@tools/install_slurm
	$(PY) -m pytest tests/slurm services/slurm -m "soak or not soak" $(ARGS)

.PHONY: examples
examples: setup  ## build the example schedulers in every language, check them, and let each decide for a fleet
	$(PY) -m pytest tests/conformance/test_examples.py -m "soak or not soak" $(ARGS)

.PHONY: chaos
chaos: setup  ## kill and freeze parts of a whole cluster at random while runs go on, and judge them (MINUTES=5, ARGS="--kills 100")
	@tools/install_etcd
	$(PY) -m tests.chaos $(if $(findstring --kills,$(ARGS)),,--minutes $(MINUTES)) $(ARGS)

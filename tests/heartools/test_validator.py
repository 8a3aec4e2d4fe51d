"""The HEAR validator accepts the package, with Python's warnings turned into errors.

Both validators that are in use: 2021.0.6, and 2021.0.2, which plain pip still installs and which
checks less. The one warning that is let through is the reminder about rounding that 2021.0.6 prints
for everybody.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hear_brainsoundnet.api import HEAR_SAMPLE_RATES
from hear_brainsoundnet.card import Card
from hear_brainsoundnet.checkpoint import CHECKPOINT_FOLDER, NAMED, write_checkpoint
from hear_brainsoundnet.encoder import BrainEncoder, ReadOut
from hear_brainsoundnet.soundnet import HEADS, SoundNet

pytestmark = pytest.mark.heartools

VALIDATE = """
import sys, warnings
from importlib.metadata import version
import hearvalidator.validate as validate
assert version("hearvalidator") == sys.argv[1], version("hearvalidator")
warnings.simplefilter("error")
warnings.filterwarnings("ignore", message=" IMPORTANT: A common bug")
for case in sys.argv[2:]:
    module, _, file = case.partition("=")
    sys.argv = ["hear-validator", module, "--device", "cpu"] + (["--model", file] if file else [])
    validate.main()
"""


@pytest.fixture(scope="module")
def modules(tmp_path_factory) -> Path:
    """Modules whose load_model() has another sample rate or preset; a converted-like file."""
    folder = tmp_path_factory.mktemp("modules")
    options = [f"sample_rate={rate}" for rate in HEAR_SAMPLE_RATES]
    options += ["preset='paper'", "timestamps='conv3+conv5+conv7'"]
    for number, option in enumerate(options):
        (folder / f"case{number}.py").write_text(
            "import functools, hear_brainsoundnet\n"
            "from hear_brainsoundnet import get_scene_embeddings, get_timestamp_embeddings\n"
            f"load_model = functools.partial(hear_brainsoundnet.load_model, {option})\n"
        )
    torch.manual_seed(0)
    read_out = ReadOut("conv7", 5, 1.49, "crop", tuple(range(1, 211)), ("sub-01",))
    card = Card.model_validate(
        {"name": "aligned", "trained": True, "input_scale": 1, "heads": HEADS, "read_out": read_out}
    )
    encoder = BrainEncoder(SoundNet(heads=HEADS), read_out)
    write_checkpoint(folder / "aligned.safetensors", card, encoder)
    return folder


@pytest.fixture(scope="module", params=["2021.0.6", "2021.0.2"])
def validator(request, tmp_path_factory) -> tuple[str, list[str]]:
    """Version and import path; the version that is not installed is fetched beside the other."""
    if request.param == "2021.0.6":
        return request.param, []
    folder = tmp_path_factory.mktemp("old-validator")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--ignore-requires-python", "--target", str(folder)]
    subprocess.run([*command, f"hearvalidator=={request.param}"], check=True)
    return request.param, [str(folder)]


@pytest.mark.slow
def test_looks_good(validator, modules):
    version, path = validator
    cases = ["hear_brainsoundnet"]
    cases += [f"hear_brainsoundnet={CHECKPOINT_FOLDER / each.file}" for each in NAMED.values()]
    cases += [f"hear_brainsoundnet={modules / 'aligned.safetensors'}"]
    cases += [
        module.stem
        for module in sorted(modules.glob("case*.py"))
        if version != "2021.0.2" or "32000" not in module.read_text()  # it predates 32 kHz
    ]
    code = f"import sys; sys.path[:0] = {[*path, str(modules)]!r}\n{VALIDATE}"
    run = subprocess.run(
        [sys.executable, "-c", code, version, *cases], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.count("Looks good!") == len(cases)
    assert "Warning" not in run.stderr


def test_the_command_itself():
    command = Path(sys.executable).with_name("hear-validator")
    run = subprocess.run(
        [command, "hear_brainsoundnet", "--device", "cpu"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert "Looks good!" in run.stdout

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

import hear_brainsoundnet

HEAVY = (
    *("nilearn", "sklearn", "matplotlib", "tensorflow", "pandas", "h5py", "scipy", "soundfile"),
    *("onnx", "onnxruntime", "onnxscript", "torchaudio"),
)

# torchaudio can be neither imported nor asked for its version, as where it is not installed.
WITHOUT_TORCHAUDIO = f"""
import importlib.metadata, sys
sys.modules["torchaudio"] = None
version = importlib.metadata.version
def no_torchaudio(name):
    if name == "torchaudio":
        raise importlib.metadata.PackageNotFoundError(name)
    return version(name)
importlib.metadata.version = no_torchaudio
import hear_brainsoundnet
for name in hear_brainsoundnet.__all__:
    getattr(hear_brainsoundnet, name)
print([name for name in {HEAVY!r} if sys.modules.get(name)])
from hear_brainsoundnet.cli import main
main(["embed", *sys.argv[1:], "--quiet"])
"""


def test_the_plugin_is_light_and_embeds_a_folder_without_torchaudio(tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    sound = 0.1 * np.random.default_rng(0).standard_normal(16_000)
    soundfile.write(tmp_path / "sounds" / "noise.wav", sound, 16_000)
    words = [sys.executable, "-c", WITHOUT_TORCHAUDIO, tmp_path / "sounds", "-o", tmp_path / "out"]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.strip() == "[]"
    assert np.isfinite(np.load(tmp_path / "out" / "scene.npy")).all()


def test_no_module_of_the_plugin_imports_torchaudio() -> None:
    found = []
    for path in Path(hear_brainsoundnet.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [
                alias.name for alias in getattr(node, "names", []) if isinstance(alias, ast.alias)
            ]
            names.append(getattr(node, "module", None) or "")
            if any(name.split(".")[0] == "torchaudio" for name in names):
                found.append(f"{path.name}:{node.lineno}")
    assert found == []


def test_torchaudio_is_not_among_the_requirements_of_the_plugin() -> None:
    text = (Path(__file__).parent.parent / "setup.cfg").read_text()
    required, _, extras = text.partition("[options.extras_require]")
    assert "torchaudio" not in required
    assert "torchaudio" in extras

import subprocess
import sys

HEAVY = ("nilearn", "sklearn", "matplotlib", "tensorflow", "pandas", "h5py", "scipy", "soundfile")


def test_importing_the_package_stays_light():
    code = (
        "import sys, hear_brainsoundnet; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
    assert run.stderr == ""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hear_brainsoundnet import AudioFile, load_model

SCRIPT = Path(__file__).parents[2] / "docs" / "embed_with_ray.py"


@pytest.mark.slow
def test_ray_data_embeds_as_the_model_itself(tmp_path: Path):
    pytest.importorskip("ray")
    pandas = pytest.importorskip("pandas")
    generator = np.random.default_rng(0)
    for number in range(3):
        (tmp_path / "sounds").mkdir(exist_ok=True)
        path = tmp_path / "sounds" / f"{number}.wav"
        soundfile.write(path, 0.1 * generator.standard_normal(8000 * (number + 1)), 16_000)
    command = [sys.executable, str(SCRIPT), str(tmp_path / "sounds"), str(tmp_path / "out")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    table = pandas.read_parquet(tmp_path / "out").set_index("path")
    assert len(table) == 3
    model = load_model()
    for path, row in table.iterrows():
        with AudioFile(Path(path)) as sound:
            expected = model.embed(sound, timestamps=False).scene[0].numpy()
        np.testing.assert_allclose(row["embedding"], expected, rtol=1e-4, atol=1e-5)

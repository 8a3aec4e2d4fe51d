import ast
import io
from pathlib import Path

import pytest

from training.progress import bar

TRAINING = Path(__file__).parents[2] / "training"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "shown", "is_drawn"),
    [(Terminal(), True, True), (Terminal(), False, False), (io.StringIO(), True, False)],
)
def test_bars_are_drawn_on_terminals_alone(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, shown: bool, is_drawn: bool
):
    monkeypatch.setattr("sys.stderr", stream)
    assert list(bar(range(3), shown=shown)) == [0, 1, 2]
    assert bool(stream.getvalue()) == is_drawn


def test_every_bar_of_training_is_that_one():
    """A bar made elsewhere would flood the log of a batch job."""
    own = {
        path.relative_to(TRAINING).as_posix()
        for path in TRAINING.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "tqdm"
    }
    assert own == {"progress.py"}

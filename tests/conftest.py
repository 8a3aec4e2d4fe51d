"""Fixtures that several test files share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from checkpoints_in_memory import checkpoint_of

from hear_brainsoundnet.checkpoint import Checkpoint, load_checkpoint
from hear_brainsoundnet.cli import main
from hear_brainsoundnet.soundnet import SoundNet

DATA_VARIABLE = "BRAINSOUNDNET_DATA"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--checkpoint",
        action="append",
        default=[],
        metavar="FILE",
        help="a checkpoint file that has to fulfil the contract of tests/test_embedding.py, too",
    )
    parser.addoption(
        "--kill-every",
        type=int,
        default=0,
        metavar="N",
        help="kill jobs at every N-th operation on files; 1 for all of them, by default a sample",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real-data tests are skipped, with this one reason, only where there is no data."""
    if not os.environ.get(DATA_VARIABLE):
        skip = pytest.mark.skip(reason=f"{DATA_VARIABLE} is not set")
        for item in items:
            if item.get_closest_marker("realdata"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real recordings; a wrong path is an error, not a skip."""
    folder = Path(os.environ[DATA_VARIABLE]).resolve()
    if not (folder / "audio").is_dir():
        raise FileNotFoundError(f"{DATA_VARIABLE}={folder} has no folder 'audio'")
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[object, str, str]]:
    """Call ``hear-brainsoundnet``; returns exit status, standard output and standard error."""

    def call(*arguments: object) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return stop.value.code, captured.out, captured.err

    return call


@pytest.fixture(scope="session")
def untrained() -> Checkpoint:
    return load_checkpoint("untrained")


@pytest.fixture(scope="session")
def bell_checkpoint() -> Checkpoint:
    """A network whose answer to a click is known: every unit is the same bell-shaped average.

    All kernels are positive, symmetric and highest in the middle, so that the frame which answers
    a click most is the one whose centre is nearest to it.
    """
    soundnet = SoundNet().eval()
    with torch.no_grad():
        for layer in soundnet.layers:
            conv = soundnet.block(layer.name).conv
            bell = torch.hann_window(layer.kernel + 2, periodic=False)[1:-1]
            conv.weight.copy_((bell / bell.sum() / conv.in_channels).expand_as(conv.weight))
            torch.nn.init.zeros_(conv.bias)
    return checkpoint_of(soundnet)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and "realdata" in report.keywords:
        _skipped_realdata.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where there is real data, a test that needs it must not be skipped for any reason."""
    if os.environ.get(DATA_VARIABLE) and _skipped_realdata:
        print(f"\nskipped although {DATA_VARIABLE} is set:", *_skipped_realdata, sep="\n  ")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


_skipped_realdata: list[str] = []

"""What is finished is not done again, and what has changed is; heareval is played by a stand-in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from small_tasks import write_task

from benchmarks.hear import heareval_process
from benchmarks.hear import run as run_file
from benchmarks.hear.heareval_process import INSTALL, VERSIONS, HearevalError, check_tools
from benchmarks.hear.run import run_model
from benchmarks.hear.scores import format_table, read_json

validated: list[str] = []  # modules that the validator was run on
values: dict[str, float] = {}  # by split, what is embedded instead of 0


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Calls of the tools: runner and seed; the stand-in writes the files that heareval writes."""
    made: list[tuple[str, int]] = []
    validated.clear()
    values.clear()

    def stand_in(runner: str, arguments: Sequence[str], *, log: Path, seed: int = 42) -> None:
        if runner == "validation":
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text("valid")
            validated.append(arguments[0])
            return
        made.append((runner, seed))
        if runner == "embeddings":
            parts = dict(zip(arguments[1::2], arguments[2::2], strict=True))
            folder = Path(parts["--embeddings-dir"], "module-options", parts["--task"])
            (folder / "train").mkdir(parents=True)
            for split in ("train", "test"):
                value = np.full((1, 1), values.get(split, 0.0), np.float32)
                (folder / f"{split}.embeddings.npy").write_bytes(value.tobytes())
                (folder / f"{split}.embedding-dimensions.json").write_text("[1, 1]")
                (folder / split).mkdir(exist_ok=True)
                np.save(folder / split / f"{split}.wav.embedding.npy", value[0])
            (folder / ".done.embeddings").touch()
            return
        (workplace,) = map(Path, arguments)
        assert (workplace / "train.embeddings.npy").read_bytes() == bytes(4)
        (workplace / "checkpoint.ckpt").touch()
        document = {
            "test": {"test_top1_acc": seed / 100},
            "hparams": {},
            "postprocessing": [],
            "score_mode": "max",
        }
        (workplace / "test.predicted-scores.json").write_text(json.dumps(document))

    monkeypatch.setattr(run_file, "run_heareval", stand_in)
    monkeypatch.setattr(run_file.importlib.metadata, "version", lambda name: "1")
    monkeypatch.setattr(run_file.importlib.util, "find_spec", lambda name: True)
    return made


def _run(folder: Path, **options: object) -> Path:
    module = "benchmarks.hear.logmel"
    return run_model(module, folder / "tasks", folder / "out", progress=False, **options)


def test_seeds_share_embeddings_and_finished_runs_are_kept(
    tmp_path: Path, calls: list[tuple[str, int]]
) -> None:
    write_task(tmp_path / "tasks")
    scores = _run(tmp_path, n_seeds=2)
    assert calls == [("embeddings", 42), ("predictions", 42), ("predictions", 43)]
    assert _run(tmp_path, n_seeds=3) == scores
    assert calls[3:] == [("predictions", 44)]
    runs = read_json(scores)["runs"]
    assert [run["scores"]["top1_acc"] for run in runs] == [0.42, 0.43, 0.44]
    assert runs[0]["train_seconds"] == 1.0
    assert "beeps-1.0-full  top1_acc  0.420    0.430    0.440" in format_table(scores)
    assert not list(tmp_path.rglob("*.ckpt"))


def test_stopped_run_goes_on_and_its_remains_are_removed(
    tmp_path: Path, calls: list[tuple[str, int]]
) -> None:
    write_task(tmp_path / "tasks")
    scores = _run(tmp_path)
    stopped = scores.parent / "seed-43" / "beeps-1.0-full" / "heareval" / "half.ckpt"
    stopped.parent.mkdir(parents=True)
    stopped.touch()
    _run(tmp_path, n_seeds=2)
    assert calls[2:] == [("predictions", 43)]
    assert not stopped.exists()


def test_the_validator_is_run_once_for_each_model(
    tmp_path: Path, calls: list[tuple[str, int]]
) -> None:
    write_task(tmp_path / "tasks")
    scores = _run(tmp_path)
    _run(tmp_path, n_seeds=2)
    assert validated == ["benchmarks.hear.logmel"]
    assert (scores.parent / "validation.log").read_text() == "valid"
    _run(tmp_path, options={"sample_rate": 44100}, with_validator=False)
    assert len(validated) == 1


def test_an_embedding_with_nan_is_named(tmp_path: Path, calls: list[tuple[str, int]]) -> None:
    write_task(tmp_path / "tasks")
    values["test"] = float("nan")
    with pytest.raises(
        ValueError, match=r"clip test/test\.wav has NaN or infinity \(.*test\.wav\.embedding\.npy"
    ):
        _run(tmp_path)
    assert calls == [("embeddings", 42)]
    values.clear()  # the module was mended: the embeddings are made again
    _run(tmp_path)
    assert calls[1:] == [("embeddings", 42), ("predictions", 42)]


def test_changed_task_is_embedded_and_predicted_again(
    tmp_path: Path, calls: list[tuple[str, int]]
) -> None:
    task = write_task(tmp_path / "tasks")
    _run(tmp_path)
    (task / "labelvocabulary.csv").write_text("idx,label\n0,a\n1,other\n")
    (task / "test.json").write_text(json.dumps({"test.wav": ["other"]}))
    _run(tmp_path)
    assert calls == [("embeddings", 42), ("predictions", 42)] * 2


def test_keep_keeps_what_heareval_wrote(tmp_path: Path, calls: list[tuple[str, int]]) -> None:
    write_task(tmp_path / "tasks")
    _run(tmp_path, keep=True)
    assert list(tmp_path.rglob("*.ckpt"))


def test_missing_heareval_is_said(
    tmp_path: Path, calls: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_task(tmp_path / "tasks")
    monkeypatch.setattr(heareval_process, "VERSIONS", {"no-such-heareval": "2021.1.3"})
    with pytest.raises(HearevalError, match="no-such-heareval is not installed"):
        _run(tmp_path)
    assert calls == []


ROOT = Path(__file__).parents[2]


def _installed(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(heareval_process, "version", version)


def test_a_tool_that_is_missing_or_older_is_named_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """2021.0.2 is what plain pip installs; its checks are the weaker ones."""
    _installed(monkeypatch, **VERSIONS)
    check_tools()
    _installed(monkeypatch, heareval="2021.1.3", hearvalidator="2021.0.2")
    with pytest.raises(HearevalError, match=r"^hearvalidator is 2021\.0\.2, expected 2021\.0\.6"):
        check_tools()
    _installed(monkeypatch)
    with pytest.raises(HearevalError, match=r"^heareval is not installed; .*") as raised:
        check_tools()
    assert INSTALL in str(raised.value)


def test_readme_make_and_constraints_install_the_same_versions() -> None:
    assert f"    {INSTALL}\n" in (ROOT / "README.md").read_text()
    constraints = (ROOT / "constraints.txt").read_text().splitlines()
    assert {f"{name}=={number}" for name, number in VERSIONS.items()} <= set(constraints)
    assert "-c constraints.txt" in (ROOT / "Makefile").read_text()

import pytest

from training.processes import join_processes, processes_wanted


def test_without_a_launcher_there_is_one_process():
    accelerator = join_processes("no")
    assert accelerator.num_processes == 1


def test_a_count_without_ranks_is_refused(monkeypatch: pytest.MonkeyPatch):
    """Two processes that do not know of each other would fit twice into one folder."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ValueError, match=r"WORLD_SIZE is 2, and RANK and LOCAL_RANK do not say"):
        join_processes("no")


def test_processes_that_accelerate_does_not_see_are_refused(monkeypatch: pytest.MonkeyPatch):
    class Alone:
        def __init__(self, **settings: object) -> None:
            self.num_processes = 1

    monkeypatch.setattr("training.processes.Accelerator", Alone)
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=r"started 2 processes and accelerate sees 1.*torchrun"):
        join_processes("no")


@pytest.mark.parametrize("name", ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"])
def test_mpi_counts_too(name: str):
    assert processes_wanted({name: "3"}) == 3

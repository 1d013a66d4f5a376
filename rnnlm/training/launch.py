"""The launcher that has started this process, such as mpirun or srun, as its environment tells. Loads nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

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

"""Versions and machine of a training."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

from rnnlm import __version__
from rnnlm.nn.threads import threads


def environment() -> dict[str, Any]:
    """Versions and machine. Speed and the last digits of a result depend on them, besides the configuration."""
    blas = getattr(np.__config__, "CONFIG", {}).get("Build Dependencies", {}).get("blas", {})
    return {
        "rnnlm": __version__, "python": platform.python_version(), "numpy": np.__version__,
        "blas": f"{blas.get('name')} {blas.get('version')}", "machine": platform.machine(), "system": sys.platform,
        "processor": _processor(), "cores": os.cpu_count(), "threads": threads(),
    }  # fmt: skip


def _processor() -> str:
    """The processor's name: kernels of the BLAS are chosen by it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"

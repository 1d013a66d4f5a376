"""Pictures: Matplotlib where it is installed, and the file that a picture is written to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rnnlm.errors import DataError, UsageError
from rnnlm.files import is_stream, write_whole

plot_option = click.option(
    "--plot",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also draw a picture into a file: PNG, SVG or PDF, by its ending.",
)


def pyplot_for(path: Path) -> Any:
    """Matplotlib's pyplot, for a picture that will be written to a file.

    Call it before the work: it raises UsageError where Matplotlib is missing or the ending means no kind of picture,
    and DataError where the file cannot be written.
    """
    try:
        import matplotlib
    except ImportError:
        raise UsageError("--plot: matplotlib is not installed", "pip install 'rnnlm[plot]'") from None
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "rnnlm"  # so that equal pictures are equal files
    from matplotlib import pyplot

    if not is_stream(path):  # where it would be a picture of its own
        save(pyplot.figure(), path)
    return pyplot


def save(figure: Any, path: Path) -> None:
    """Write a figure to a file. Raises DataError and UsageError as `pyplot_for` does."""
    try:
        if is_stream(path):  # its name has no ending
            write_whole(path, lambda file: figure.savefig(file, format="png"))
            return
        figure.savefig(path, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}", "choose another place") from None
    except ValueError:
        known = ", ".join(sorted(figure.canvas.get_supported_filetypes()))
        raise UsageError(f"--plot {path}: no kind of picture has this ending", f"known: {known}") from None

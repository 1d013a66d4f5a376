"""Pictures: Matplotlib where it is installed, colours and fonts, and the file that a picture is written to."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from rnnlm.cli.output import tell
from rnnlm.cli.tables import cut, width
from rnnlm.errors import DataError, UsageError
from rnnlm.files import is_stream, write_whole

# Colours that colour-blind readers can tell apart (Okabe & Ito 2008), the dark ones first.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLE: Any = {
    "svg.hashsalt": "rnnlm",  # so that equal pictures are equal files
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
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
    from matplotlib import pyplot

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # fonts are looked for below
    pyplot.rcParams.update(STYLE)
    pyplot.rcParams["axes.prop_cycle"] = pyplot.cycler(color=PALETTE)

    if not is_stream(path):  # where it would be a picture of its own
        save(pyplot.figure(), path)
    return pyplot


def save(figure: Any, path: Path, shows: str = "") -> None:
    """Write a figure to a file, and say what it shows. A note says for which characters of its texts no font is there.

    Raises DataError and UsageError as `pyplot_for` does.
    """
    tell(choose_fonts(figure))
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # the note has said it
            if is_stream(path):  # its name has no ending
                write_whole(path, lambda file: figure.savefig(file, format="png"))
            else:
                figure.savefig(path, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}", "choose another place") from None
    except ValueError:
        known = ", ".join(sorted(figure.canvas.get_supported_filetypes()))
        raise UsageError(f"--plot {path}: no kind of picture has this ending", f"known: {known}") from None
    tell(shows and f"{path}: {shows}")


def label(text: str, limit: int = 40) -> str:
    """A text of the user's as Matplotlib shows it: one line of at most `limit` cells, without formulas."""
    return cut(text, limit).replace("$", r"\$")


def colour_bar(figure: Any, scale: Any, axes: Any, text: str, **layout: Any) -> None:
    """Draw the scale of colours beside axes, in small letters."""
    bar = figure.colorbar(scale, ax=axes, **layout)
    bar.set_label(text, fontsize=8)
    bar.ax.tick_params(labelsize=7)


# --- fonts ---


def choose_fonts(figure: Any) -> str:
    """Let the texts of a figure use the fonts that have their characters; -> a note about those that no font has."""
    from matplotlib.text import Text

    texts = figure.findobj(Text)
    characters = {c for text in texts for c in text.get_text() if not c.isspace()}
    families, missing = fonts_for(characters)
    for text in texts:
        text.set_fontfamily(families)
    if not missing:
        return ""
    shown = "".join(sorted(missing)[:8])
    packages = "fonts-noto-cjk" if all(width(c) == 2 for c in missing) else "fonts-noto-core and fonts-noto-cjk"
    return f"note: no font here has {shown}, drawn as boxes; install one, on Debian and Ubuntu {packages}"


def fonts_for(characters: Iterable[str]) -> tuple[list[str], set[str]]:
    """Families of installed fonts, Matplotlib's own first, and the characters that none of them has."""
    from matplotlib import font_manager

    families = ["DejaVu Sans"]
    missing = set(map(ord, characters)) - charmap(font_manager.findfont(families[0])).keys()
    for fonts in (known_fonts, new_fonts):
        for name, file in fonts() if missing else ():
            if name not in families and (found := missing & charmap(file).keys()):
                families.append(name)
                missing -= found
    return families, set(map(chr, missing))


def known_fonts() -> list[tuple[str, str]]:
    """Family and file of the fonts that Matplotlib knows, upright ones, of each family those of usual weight first."""
    from matplotlib.font_manager import fontManager

    fonts = [font for font in fontManager.ttflist if font.style == "normal"]
    fonts.sort(key=lambda font: (font.name, abs(int(font.weight) - 400), font.fname))
    return [(font.name, font.fname) for font in fonts if not font.name.startswith("Last Resort")]  # which has boxes


def new_fonts() -> list[tuple[str, str]]:
    """Family and file of all fonts once more, with those that were installed since Matplotlib last looked."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    for file in sorted(set(findSystemFonts()) - {font.fname for font in fontManager.ttflist}):
        with contextlib.suppress(OSError, RuntimeError):  # as in `charmap`
            fontManager.addfont(file)
    return known_fonts()


def charmap(file: str) -> Any:
    """The code points of a font file, as a dict; none of one that cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return FT2Font(file).get_charmap()
    except (OSError, RuntimeError):  # bitmaps, such as coloured emoji
        return {}

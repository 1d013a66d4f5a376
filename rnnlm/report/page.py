"""The page: a `Report` as one HTML file that asks nothing of anybody else.

What texts contain is never HTML: Jinja2 escapes every value, control characters and marks that turn the direction of
writing are shown as escapes, and the page's own policy forbids every script but the page's own and every request.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from importlib.resources import files
from typing import Any

from rnnlm import __version__
from rnnlm.errors import UsageError
from rnnlm.report import charts

LONGEST = 60  # characters of a word that are shown
HIDDEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}  # categories of characters that are shown as escapes
KEPT = set("\t\n\u200c\u200d")  # the two joiners belong to the spelling of Persian and Indian words


def environment() -> Any:
    """Jinja2 with the templates of the page. Raises UsageError where Jinja2 is not installed."""
    try:
        import jinja2
    except ImportError:
        raise UsageError(
            "jinja2 is not installed, which reports are written with", "pip install 'rnnlm[report]'"
        ) from None
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("rnnlm.report"),
        autoescape=True,
        finalize=shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["cut"] = cut
    made.globals |= {name: getattr(charts, name) for name in ("WIDTH", "HEIGHT", "LEFT", "RIGHT", "TOP", "BOTTOM")}
    return made


def render(report: Any) -> bytes:
    """The page of a `rnnlm.report.contents.Report`, in UTF-8. Raises UsageError where Jinja2 is not installed."""
    import markupsafe

    script = (files("rnnlm.report") / "templates" / "script.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = (
        environment()
        .get_template("page.html")
        .render(report=report, version=__version__, script=markupsafe.Markup(script), script_hash=f"sha256-{digest}")
    )
    return page.encode(errors="backslashreplace")


def shown(value: Any) -> Any:
    """Text with escapes in place of characters that cannot be seen; other values as they are."""
    if type(value) is not str or value.isprintable():  # markup is no str of its own
        return value
    return "".join(repr(c)[1:-1] if unicodedata.category(c) in HIDDEN and c not in KEPT else c for c in value)


def cut(text: str, longest: int = LONGEST) -> str:
    """Text as `shown`; of one that is too long the beginning, and its length."""
    return shown(text) if len(text) <= longest else f"{shown(text[:longest])}… ({len(text):,} characters)"

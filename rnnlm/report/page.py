"""The page: a `Report` as one HTML file that asks nothing of anybody else.

What texts contain is never HTML: Jinja2 escapes every value, control characters and marks that turn the direction of
writing are shown as escapes, and the page's own policy forbids every script but the page's own and every request.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from rnnlm import __version__
from rnnlm.errors import UsageError
from rnnlm.report import charts
from rnnlm.report.text import cut, shown


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

"""The code of docs/tutorial.md runs from top to bottom: the textbook's loop gives the numbers of the fast network."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"
PROSE = re.compile(r"(?:\A|^```\n).*?(?:^```python\n|\Z)", re.DOTALL | re.MULTILINE)


def test_the_code_of_the_tutorial_runs():
    code = PROSE.sub(lambda prose: "\n" * prose[0].count("\n"), PAGE.read_text(encoding="utf-8"))
    exec(compile(code, str(PAGE), "exec"), {})  # a line that fails is named by its number in the page

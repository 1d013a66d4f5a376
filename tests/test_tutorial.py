"""The code of docs/tutorial.md runs from top to bottom: the textbook's loop gives the numbers of the fast network."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"


def test_the_code_of_the_tutorial_runs():
    text = PAGE.read_text(encoding="utf-8")
    code = re.sub(r"(?:\A|(?<=\n```\n)).*?(?:^```python\n|\Z)", lambda m: "\n" * m[0].count("\n"), text, flags=re.S | re.M)
    exec(compile(code.replace("\n```\n", "\n\n"), str(PAGE), "exec"), {})  # a failing line has its number in the page

"""The Python of docs/adding-a-model.md runs."""

import re
from pathlib import Path

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "adding-a-model.md").read_text("utf-8")


def test_the_snippets_run():
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 5
    for block in blocks:
        # the suite's snippet names a package that readers have, and this test has not
        code = block.replace("mypackage.mymodel:MyModel", "popular")
        exec(compile(code, "docs/adding-a-model.md", "exec"), {"__name__": "snippet"})

"""The notebooks run from top to bottom, and are what their scripts say."""

import subprocess
import sys

import nbformat
import pytest

from tests.architecture.source_tree import ROOT

SCRIPTS = sorted((ROOT / "examples" / "notebooks").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_notebook_runs_and_is_that_of_its_script(script, tmp_path):
    if script.stem == "reproducing_beauty":
        pytest.importorskip("torch")
    command = [sys.executable, "examples/make_notebooks.py", "--out", str(tmp_path), script.stem]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    name = f"{script.stem}.ipynb"
    made, committed = (
        nbformat.read(folder / name, as_version=4) for folder in (tmp_path, ROOT / "examples")
    )
    assert [(cell.id, cell.source) for cell in made.cells] == [
        (cell.id, cell.source) for cell in committed.cells
    ], "run `make notebooks`"
    assert all(cell.outputs for cell in committed.cells if "print(" in cell.source)


def test_no_script_is_without_its_notebook():
    notebooks = {path.stem for path in (ROOT / "examples").glob("*.ipynb")}
    assert notebooks == {script.stem for script in SCRIPTS}

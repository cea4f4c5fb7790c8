"""Make the notebooks of `examples/` from the scripts in `examples/notebooks/`, and execute them.

`python examples/make_notebooks.py [--out FOLDER] [NAME ...]`; NAME is a script without `.py`.
"""

import argparse
import os
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
SOURCES = sorted((HERE / "notebooks").glob("*.py"))


def make(source: Path, folder: Path) -> Path:
    """Execute a script as a notebook and write it; its cells have ids that do not change."""
    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{source.stem}-{number}"[:64]
    with tempfile.TemporaryDirectory() as scratch:
        client = NotebookClient(
            notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": scratch}}
        )
        client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times
        if "outputs" in cell:  # warnings of other libraries name paths of this machine
            cell["outputs"] = [out for out in cell["outputs"] if out.get("name") != "stderr"]
    path = folder / f"{source.stem}.ipynb"
    nbformat.write(notebook, path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("names", nargs="*", default=[source.stem for source in SOURCES])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["IPYTHONDIR"] = os.environ["JUPYTER_CONFIG_DIR"] = home
        os.environ["TERM"] = "dumb"  # no colours in what is printed
        for source in SOURCES:
            if source.stem in arguments.names:
                print(make(source, arguments.out))


if __name__ == "__main__":
    main()

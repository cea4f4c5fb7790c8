"""`import plait` imports nothing heavy; how long it takes is measured in benchmarks."""

import json
import subprocess
import sys

HEAVY = {
    "alembic",
    "fastapi",
    "jieba",
    "numpy",
    "pandas",
    "polars",
    "pydantic",
    "rich",
    "scipy",
    "sklearn",
    "sqlalchemy",
    "tantivy",
    "torch",
    "typer",
    "uvicorn",
}
PROGRAM = "import json, sys, plait; print(json.dumps([sorted(sys.modules), plait.__version__]))"


def test_import_plait_loads_nothing_heavy():
    completed = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    loaded, version = json.loads(completed.stdout)
    assert not HEAVY & set(loaded)
    assert version


def test_opening_a_home_loads_no_code_of_fits_and_evaluations():
    """Every command of the program pays for what `plait.workspace` imports."""
    program = "import json, sys, plait.workspace, plait.cli.main; print(json.dumps([*sys.modules]))"
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    unused = {"scipy", "plait.evaluation", "plait.workspace.fit", "plait.training.pipeline_fit"}
    assert not unused & set(json.loads(completed.stdout))


def test_lazy_names_are_those_of_their_modules():
    import plait
    from plait.data.types import Event, Query
    from plait.workspace import open as open_workspace

    assert (plait.Event, plait.Query, plait.open) == (Event, Query, open_workspace)
    assert set(plait.__all__) <= set(dir(plait))

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


def test_import_is_lazy():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    loaded, version = json.loads(done.stdout)
    assert not HEAVY & set(loaded)
    assert version


def test_lazy_names_arrive():
    import plait
    from plait.data.types import Event, Query
    from plait.workspace import open as front_door

    assert (plait.Event, plait.Query, plait.open) == (Event, Query, front_door)
    assert set(plait.__all__) <= set(dir(plait))

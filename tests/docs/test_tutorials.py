"""The code of the tutorials and of the first pages a reader sees runs as it is printed."""

import pytest

from tests.architecture.source_tree import ROOT
from tests.docs.pages import (
    blocks,
    expected_outputs,
    printed,
    program,
    run_page,
    without_varying,
)

SMALL_DATASET = """
from datetime import datetime

import polars as pl
from plait import datasets

def small(name, load=datasets.load):
    frames = load(name)
    events = frames["events"].filter(pl.col("InvoiceDate") >= datetime(2011, 11, 20))
    items = frames["items"].join(events, on="StockCode", how="semi").head(150)
    return {"events": events.join(items, on="StockCode", how="semi"), "items": items}

datasets.load = small
"""
"""Three weeks and 150 items of the embedded data, to keep the tests short."""

SMALL_SHOP = f"""{SMALL_DATASET}
import plait

frames = datasets.load("online-retail")
events, items = frames["events"], frames["items"]
"""
"""For pages that begin with data of the reader's own."""

FITTED_SHOP = f"""{SMALL_SHOP}
workspace = plait.open("my-shop")
workspace.ingest(events=events, items=items)
"""


@pytest.mark.parametrize("name", ["shop-in-ten-minutes", "compare-models"])
def test_tutorial_runs(name, tmp_path):
    output = run_page(f"docs/tutorials/{name}.md", tmp_path)
    assert output.count("-- block ") >= 6


def test_guide_prints_what_it_shows(tmp_path):
    page = "docs/guide-shop.md"
    outputs = printed(run_page(page, tmp_path))
    expected = list(expected_outputs((ROOT / page).read_text(encoding="utf-8")))
    assert len(expected) >= 10
    for number, shown in expected:
        assert without_varying(outputs[number]) == without_varying(shown["lines"]), number


@pytest.mark.parametrize(
    ("page", "setup"),
    [
        ("README.md", SMALL_DATASET),
        ("docs/index.md", SMALL_SHOP),
        ("docs/evaluation.md", FITTED_SHOP),
        ("docs/python.md", SMALL_DATASET),
    ],
)
def test_python_blocks_of_a_page_run(page, setup, tmp_path):
    assert "-- block 1" in run_page(page, tmp_path, languages=("python",), setup=setup)


def test_python_blocks_of_the_training_page_run(tmp_path):
    pytest.importorskip("torch")
    assert "-- block 1" in run_page("docs/training.md", tmp_path, languages=("python",))


def test_program_skips_fragments_writes_files_and_replaces_the_port():
    text = (
        "<!-- not run: needs data -->\n```python\nraise SystemExit(1)\n```\n"
        "<!-- file: a.py -->\n```python\nx = 1\n```\n"
        "=== tab\n\n    ```sh\n    curl :8000\n    ```\n```json\n{}\n```\n"
    )
    assert [entry[:3] for entry in blocks(text)] == [
        ("python", "not run", "needs data"),
        ("python", "file", "a.py"),
        ("sh", None, None),
    ]
    source = program(text, "4711")
    assert "SystemExit" not in source
    assert "open('a.py', 'w').write('x = 1')" in source
    assert "_shell('curl :4711')" in source


def test_a_failing_block_fails_the_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```sh\nfalse\n```\n")
    with pytest.raises(AssertionError, match="block 1"):
        run_page(page, tmp_path)

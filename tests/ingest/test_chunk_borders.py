"""What a field is does not depend on which rows come first."""

import json

import polars as pl
import pytest

from plait.ingest import read_events

ROWS = 500


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch):
    for module in ("jsonlines", "dataframes", "delimited", "row_reader"):
        monkeypatch.setattr(f"plait.ingest.{module}.ROWS", ROWS)


def types_of(source, **options):
    """The types that the batches of a source bring, and how many items have the field x."""
    batches = list(read_events(source, "items", **options))
    types = {name: kind for batch in batches for (_, name), kind in batch.types.items()}
    return types, len(batches)


def as_sources(values, folder):
    rows = [{"item": f"i{n}", "x": value} for n, value in enumerate(values)]
    path = folder / "items.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return [
        rows,
        path,
        *(
            []
            if isinstance(values[-1], list)
            else [pl.DataFrame(rows, strict=False, infer_schema_length=None)]
        ),
    ]


@pytest.mark.parametrize(
    ("first", "later", "kind"),
    [
        (7, "word", "category"),
        ("x", ["x", "y"], "set"),
        (None, 5, "number"),
        ("2020-01-01", "soon", "category"),
    ],
)
def test_types_follow_from_the_whole_source(first, later, kind, tmp_path):
    values = [first] * (ROWS + 1) + [later] * (2 * ROWS)
    for source in as_sources(values, tmp_path):
        assert types_of(source)[0] == {"x": kind}
        assert types_of(source, types={("item", "x"): "text"})[0] == {}


def test_a_source_of_one_chunk_leaves_its_types_to_the_log(tmp_path):
    for source in as_sources([1] * 100, tmp_path):
        assert types_of(source)[0] == {}
    assert types_of(iter([{"item": "a", "x": 1}] * (ROWS + 1)))[0] == {}


def test_rows_of_csv_and_their_count(tmp_path):
    path = tmp_path / "items.csv"
    path.write_text("item,x\n" + "".join(f"i{n},{n}\n" for n in range(2 * ROWS)))
    types, count = types_of(path)
    assert types == {"x": "number"}
    assert count >= 2

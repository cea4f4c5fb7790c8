"""A bad field is dropped and reported, its row is stored, through every entry point."""

import orjson
import polars as pl
import pytest
from starlette.testclient import TestClient

import plait
from plait.errors import InputError
from plait.server.http.app import create_app
from plait.settings import Settings

ITEMS = [{"item": f"i{n}", "title": f"Lamp {n}", "price": n} for n in range(40)]
BAD = {"item": "bad", "title": "Lamp", "price": "on request", "weight": float("inf")}


@pytest.mark.parametrize("source", [list, pl.DataFrame])
def test_files_and_frames(source, tmp_path):
    with plait.open(tmp_path) as workspace:
        workspace.ingest(items=ITEMS)
        bad = {**BAD, "price": "on request"}
        result = workspace.ingest(items=source([bad])).by_kind["items"]
        assert (result.stored, result.rejected, result.lost_fields) == (1, 0, 2)
        assert workspace.get_item("bad")["fields"] == {"title": "Lamp"}
        problems = {(problem.row, problem.field, problem.value) for problem in result.problems}
        assert problems == {(1, "price", "on request"), (1, "weight", "inf")}
        lines = [orjson.loads(line) for line in result.rejects.read_bytes().splitlines()]
        assert {line["field"] for line in lines} == {"price", "weight"}


def test_ids_and_times_still_cost_the_row(tmp_path):
    rows = [
        {"user": "u", "item": "i", "time": "soon", "note": "x"},
        {"user": "u", "item": None, "time": "2024-01-01", "note": "x"},
        {"user": "u", "item": "i", "time": "2024-01-01", "note": "x"},
    ]
    with plait.open(tmp_path) as workspace:
        result = workspace.ingest(events=rows).by_kind["events"]
        assert (result.stored, result.rejected, result.lost_fields) == (1, 2, 0)


def test_posted_events(tmp_path):
    row = {"user": "u", "item": "i", "kind": "view"}
    with plait.open(tmp_path) as workspace:
        workspace.post([{**row, "fields": {"price": 5}}])
        app = create_app(Settings(home=tmp_path, key="key-of-the-tests"), workspace)
        response = TestClient(app).post(
            "/v1/events",
            json={"events": [{**row, "fields": {"price": "free", "place": "top"}}]},
            headers={"x-api-key": "key-of-the-tests"},
        )
        (status,) = response.json()["rows"]
        assert (status["status"], status["error"]) == ("stored", "")
        assert [(lost["field"], lost["value"]) for lost in status["lost"]] == [("price", "free")]
        (status,) = workspace.post([{**row, "fields": {"price": float("nan"), "w": float("inf")}}])[
            1
        ]
        assert [lost["field"] for lost in status["lost"]] == ["w"]


def test_one_item_that_is_put_is_refused_before_it_is_stored(tmp_path):
    with plait.open(tmp_path) as workspace:
        workspace.put_item("a", {"price": 5, "title": "Lamp"})
        version = workspace._log.version
        for change in (workspace.put_item, workspace.patch_item):
            with pytest.raises(InputError) as caught:
                change("a", {"price": "free", "title": "Lamp"})
            assert caught.value.field == "price"
        assert workspace._log.version == version


def test_lists_of_media(tmp_path):
    with plait.open(tmp_path) as workspace:
        rows = [{"item": "a", "images": ["1.jpg", "2.jpg"]}, {"item": "b", "images": "3.jpg"}]
        workspace.ingest(items=rows, map={"items": {"types": {"images": "media"}}})
        assert workspace.get_item("a")["fields"] == {"images": ["1.jpg", "2.jpg"]}
        assert workspace.get_item("b")["fields"] == {"images": "3.jpg"}
        workspace.put_item("c", {"pictures": ["https://shop.example/1.png"]})
        assert workspace._log.schema().types["item", "pictures"] == "media"


def test_html_is_read_as_text_and_stays_in_the_log(tmp_path):
    html = "<p>Holds <b>0.3 l</b> &ndash; washable</p>"
    with plait.open(tmp_path) as workspace:
        workspace.ingest(items=[{"item": "a", "description": html, "title": "Tea &amp; milk"}])
        fields = workspace.get_item("a")["fields"]
        assert fields == {"description": "Holds 0.3 l – washable", "title": "Tea & milk"}
        stored = [
            record.fields for record in workspace._log.entity_changes("item") if record.fields
        ]
    assert html in orjson.loads(stored[0])["description"]

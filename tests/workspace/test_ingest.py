import json
import stat

import pandas as pd
import polars as pl
import pytest

import plait
from plait.errors import InputError, MappingError, NotFoundError
from tests.workspace.workspace_fixtures import RECIPE

ITEMS = {"item": ["a", "b"], "title": ["a red lamp", "a blue mug"], "price": [3.5, 4.0]}
EVENTS = {
    "user": ["u", "u", "v"],
    "item": ["a", "b", "a"],
    "kind": ["view", "buy", "view"],
    "time": ["2024-01-01T10:00:00Z", "2024-01-02T10:00:00Z", "2024-01-03T10:00:00Z"],
}


@pytest.fixture
def shop(tmp_path):
    with plait.open(tmp_path / "home") as opened:
        yield opened


def rows(columns):
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


@pytest.mark.parametrize("shape", [pl.DataFrame, pd.DataFrame, rows])
def test_frames_and_dicts_are_taken_and_twice_is_once(shop, shape):
    first = shop.ingest(events=shape(EVENTS), items=shape(ITEMS))
    assert (first.stored, first.rejected, first.version) == (5, 0, 5)
    again = shop.ingest(events=shape(EVENTS), items=shape(ITEMS))
    assert (again.stored, again.version) == (0, 5)
    assert shop.get_item("a")["fields"]["title"] == "a red lamp"
    shop.fit(RECIPE)
    assert shop.recommend("v", k=5).ids == ["b"]


def test_files_are_taken_and_bad_rows_are_told(shop, tmp_path):
    path = tmp_path / "clicks.csv"
    path.write_text("user,item,time\nu,a,2024-01-01\nu,,2024-01-02\nv,b,never\n")
    calls = []
    receipt = shop.ingest(events=path, progress=lambda *call: calls.append(call))
    result = receipt.by_kind["events"]
    assert (result.stored, result.rejected) == (1, 2)
    assert result.rejects.parent == shop.settings.home / "rejects"
    lines = receipt.lines()
    assert lines[0] == "events from clicks.csv: 1 stored, 2 rejected"
    assert any("row 3" in line for line in lines)
    assert json.dumps(receipt.to_dict())
    assert calls


def test_the_running_engine_learns_of_what_was_ingested(shop):
    shop.ingest(items=rows(ITEMS), events=rows(EVENTS))
    shop.fit(RECIPE)
    shop.start()
    receipt = shop.ingest(events=[{"user": "w", "item": "a", "time": 1_700_000_000}])
    assert shop.version == receipt.version
    assert shop.recommend("w", k=5).ids == ["b"]


def test_nothing_and_nonsense_are_refused(shop):
    with pytest.raises(InputError, match="nothing to ingest"):
        shop.ingest()
    with pytest.raises(MappingError):
        shop.ingest(events=[{"colour": "red"}], items=rows(ITEMS))
    assert shop.info()["items"] == 0  # understood before anything is stored


def test_without_consent_nobody_is_stored(tmp_path):
    with plait.open(tmp_path, consent_required=True) as shop:
        click = {"kind": "view", "user": "u", "item": "a"}
        _, statuses = shop.post([click])
        assert statuses[0]["status"] == "rejected"
        assert "consent" in statuses[0]["error"]
        shop.put_user("u", {"consent": True})
        assert shop.post([click])[1][0]["status"] == "stored"
        with plait.open(tmp_path, consent_required=True) as other:
            assert other.post([click])[1][0]["status"] == "stored"
            other.put_user("u", {"consent": False})
        assert shop.post([click])[1][0]["status"] == "rejected"
        with pytest.raises(InputError):
            shop.put_user("v", {"country": "France"})


def test_pseudonyms_hide_who_it_was_and_everything_still_works(tmp_path):
    with plait.open(tmp_path, pseudonyms=True) as shop:
        shop.ingest(events=rows(EVENTS), items=rows(ITEMS))
        shop.post([{"kind": "view", "user": "w", "item": "a"}])
        shop.put_user("w", {"country": "France"})
        names = shop.host.state().users.ids
        assert len(names) == 3
        assert not {"u", "v", "w"} & set(names)
        assert shop.get_user("w") == {"id": "w", "fields": {"country": "France"}}
        shop.fit(RECIPE)
        answer = shop.recommend("w", k=5)
        assert answer.ids == ["b"]
        assert shop.why(answer.request_id)["user"] in names
        key = tmp_path / "pseudonym.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert b"w" not in [name.encode() for name in names]
    with plait.open(tmp_path, pseudonyms=True) as shop:
        assert shop.get_user("w")["fields"] == {"country": "France"}
        shop.erase_user("w")
        with pytest.raises(NotFoundError):
            shop.get_user("w")


def quoted(home):
    return b"".join(path.read_bytes() for path in (home / "rejects").glob("*"))


def test_erasing_a_user_reaches_the_rejects(shop, tmp_path):
    path = tmp_path / "clicks.csv"
    path.write_text("user,item,time\nW77,a,2024-01-01\nv,b,never W77\nv,b,whenever\n")
    shop.ingest(events=path)
    assert b"never W77" in quoted(shop.settings.home)
    shop.erase_user("W77")
    assert not shop.host.started  # the log alone knows who it is
    left = quoted(shop.settings.home)
    assert b"W77" not in left
    assert b"whenever" in left


def test_with_pseudonyms_rejects_hold_no_values(tmp_path):
    path = tmp_path / "clicks.csv"
    path.write_text("user,item,time\nv,b,never W77\n")
    with plait.open(tmp_path / "home", pseudonyms=True) as shop:
        shop.ingest(events=path)
        assert b"W77" not in quoted(shop.settings.home)
        assert b'"field":"time"' in quoted(shop.settings.home)

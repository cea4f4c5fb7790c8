"""What the receipt tells of ids that a spreadsheet changed, and of times in other formats."""

import polars as pl
import pytest

import plait
from plait.ingest import read_events
from plait.ingest.time_format_proposals import proposed_formats


def warnings_of(result):
    return {note.code: note for note in result.summary.warnings}


def test_numbers_that_a_spreadsheet_shortened(tmp_path):
    ids = ["4.00614E+12", "4,00615E+12", "4006140000001", "1E5", "B+12"]
    with plait.open(tmp_path) as shop:
        result = shop.ingest(items=[{"sku": name, "title": "Lamp"} for name in ids])
        note = warnings_of(result.by_kind["items"])["shortened-id"]
        assert (note.field, note.count) == ("sku", 2)


@pytest.mark.parametrize(
    ("entry", "event"),
    [
        ("00123", "123"),
        ("AB-1", "ab-1"),
        ("AB-1", "AB1"),
        ("77", "77.00"),
        ("77", "'77"),
        ("Caf\u00e9", "Cafe\u0301"),
    ],
)
def test_ids_that_the_catalogue_spells_otherwise(entry, event, tmp_path):
    bought = [{"user": "u", "item": name, "time": 1_700_000_000} for name in (event, "mug", "mug")]
    with plait.open(tmp_path) as shop:
        shop.ingest(items=[{"item": entry, "title": "Lamp"}, {"item": "mug", "title": "Mug"}])
        for is_dry in (True, False):
            result = shop.ingest(events=bought, dry_run=is_dry)
            note = warnings_of(result.by_kind["events"])["other-spelling"]
            assert (note.field, note.count) == ("item", 1)


@pytest.mark.parametrize(
    ("name", "code"), [("'00123", "marked-id"), ("SKU", "header-row"), ("id", "header-row")]
)
def test_ids_that_are_none(name, code, tmp_path):
    rows = [{"sku": name, "title": "Lamp"}, {"sku": "mug's", "title": "Mug"}]
    with plait.open(tmp_path) as shop:
        note = warnings_of(shop.ingest(items=rows).by_kind["items"])[code]
        assert (note.field, note.count) == ("sku", 1)


def test_several_items_in_one_cell(tmp_path):
    rows = b"user;skus;time\nu;A,B;2026-01-01\nv;A;2026-01-02\nw;B;2026-01-02\nw;1,5;2026-01-03\n"
    roles = {"item": "skus"}
    with plait.open(tmp_path) as shop:
        result = shop.ingest(events=rows, map={"events": roles}, dry_run=True).by_kind["events"]
        assert warnings_of(result)["joined-items"].count == 1
        mapping = {"events": {**roles, "explode": "skus", "split": {"skus": ","}}}
        assert shop.ingest(events=rows, map=mapping).by_kind["events"].stored == 6


def test_ids_that_are_in_no_catalogue_have_no_other_spelling(tmp_path):
    with plait.open(tmp_path) as shop:
        shop.ingest(items=[{"item": "123", "title": "Lamp"}])
        shop.ingest(events=[{"user": "u", "item": "0124", "time": 1_700_000_000}])
        result = shop.ingest(events=[{"user": "u", "item": "0124", "time": 1_700_000_000}])
        assert "other-spelling" not in warnings_of(result.by_kind["events"])


def test_ids_in_32_bits_that_were_rounded_are_refused():
    frame = pl.DataFrame({"item": [16_777_217.0, 12_345_678.0]}, schema={"item": pl.Float32})
    (batch,) = read_events(frame, "items")
    assert [event.item for event in batch.events] == ["12345678"]
    assert len(batch.rejects) == 1


@pytest.mark.parametrize(
    ("texts", "proposals"),
    [
        (["02/03/2026", "13/03/2026"], [["%d/%m/%Y"]]),
        (["02/03/2026", "03/13/2026"], [["%m/%d/%Y"]]),
        (["02/03/2026"], [["%d/%m/%Y", "%m/%d/%Y"]]),
        (["1.2.26", "31.12.26"], [["%d.%m.%y"]]),
        (["2026-1-5 9:05"], [["%Y-%m-%d %H:%M"]]),
        (["Jan 1, 2026, 10:00 AM", "Feb 13, 2026, 1:00 PM"], [["%b %d, %Y, %I:%M %p"]]),
        (["31.12.2026 10:00", "2026/1/15"], [["%d.%m.%Y %H:%M"], ["%Y/%m/%d"]]),
        (["2026年1月5日"], [["%Y年%m月%d日"]]),
        (["soon"], []),
        (["31.12.2026", "soon"], []),
    ],
)
def test_formats_that_read_times(texts, proposals):
    assert proposed_formats(texts) == proposals


def test_a_proposed_format_reads_the_file(tmp_path):
    rows = b"user,item,day\nu,i,13/03/2026\nv,i,02/03/2026\n"
    with plait.open(tmp_path) as shop:
        refused = shop.ingest(events=rows).by_kind["events"]
        note = warnings_of(refused)["unread-times"]
        assert (refused.rejected, note.field) == (2, "day")
        setting = note.message.rpartition("time_format = ")[2]
        mapping = {"events": {"time_format": setting.strip('"')}}
        assert shop.ingest(events=rows, map=mapping).by_kind["events"].stored == 2

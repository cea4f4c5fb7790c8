"""What an import says it understood, before and after rows are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import plait
from plait.errors import InputError, PlaitError

EVENTS = [
    {"user": "anna", "item": "mug", "time": "2026-11-01", "kind": "purchase"},
    {"user": "anna", "item": "POSTAGE", "time": "2026-11-01", "kind": "purchase"},
    {"user": "bob", "item": "tea", "time": "2026-11-05", "kind": "purchse"},
    {"user": "bob", "item": "POSTAGE", "time": "2026-11-03", "kind": "purchase"},
]
ITEMS = [{"item": "mug", "title": "Red mug", "price": 9.99}, {"item": "tea", "title": "Tea"}]


@pytest.fixture
def empty_home(tmp_path: Path) -> Path:
    return tmp_path / "empty"


@pytest.fixture
def shop(empty_home: Path) -> Any:
    with plait.open(empty_home) as opened:
        yield opened


def codes(shop: Any, **sources: Any) -> list[str]:
    return [note.code for note in shop.ingest(**sources, dry_run=True).warnings]


def views(count: int, **columns: Any) -> list[dict[str, Any]]:
    rows = [
        {"user": f"u{row % 3}", "item": f"i{row % 4}", "time": 1_700_000_000 + row * 86_400}
        for row in range(count)
    ]
    return [row | {name: value(index) for name, value in columns.items()}
            for index, row in enumerate(rows)]  # fmt: skip


def test_the_receipt_says_what_was_understood(shop: Any) -> None:
    report = shop.ingest(events=EVENTS, items=ITEMS)
    plain = report.to_dict()
    columns = {entry["column"]: entry for entry in plain["items"]["columns"]}
    assert columns["price"] == {
        "column": "price",
        "role": "field",
        "field": "price",
        "type": "number",
    }
    assert columns["item"]["role"] == "item"
    assert plain["items"]["new"] == {"items": 2, "users": 0, "kinds": []}
    events = plain["events"]
    assert [entry["role"] for entry in events["columns"]] == ["user", "item", "time", "kind"]
    assert events["times"]["first"].startswith("2026-11-01")
    assert events["times"]["last"].startswith("2026-11-05")
    assert events["new"] == {"items": 1, "users": 2, "kinds": ["purchase", "purchse"]}
    assert events["kinds"] == {"purchase": 3, "purchse": 1}
    assert events["uncatalogued"] == {
        "events": 2,
        "share": 0.5,
        "items": 1,
        "most_frequent": [{"id": "POSTAGE", "events": 2}],
    }
    assert [(note["code"], note["field"]) for note in events["warnings"]] == [
        ("misspelt-kind", "kind")
    ]
    assert any("POSTAGE 50%" in line for line in report.lines())


def test_without_a_catalogue_no_item_is_missing_in_it(shop: Any) -> None:
    assert shop.ingest(events=EVENTS).by_kind["events"].summary.uncatalogued is None


def test_columns_that_are_not_read_are_told(shop: Any) -> None:
    mapping = {"items": {"fields": {"*": False, "title": "title"}}}
    report = shop.ingest(items=ITEMS, map=mapping)
    columns = {column.column: column.role for column in report.by_kind["items"].summary.columns}
    assert columns == {"item": "item", "title": "field", "price": ""}


def test_a_dry_run_tells_the_same_and_stores_nothing(shop: Any, empty_home: Path) -> None:
    bad = {"user": "", "item": "mug", "time": "2026-11-01", "kind": "view"}
    rows = [*EVENTS, bad, EVENTS[0]]
    dry = shop.ingest(events=rows, items=ITEMS, dry_run=True)
    assert dry.to_dict()["dry_run"]
    assert (shop.info()["version"], shop.imports(), shop.field_types()["item"]) == (0, [], {})
    assert not (empty_home / "rejects").exists()
    stored = shop.ingest(events=rows, items=ITEMS)
    for kind in ("items", "events"):
        left, right = dry.to_dict()[kind], stored.to_dict()[kind]
        different = {name for name in left if left[name] != right[name]}
        assert different <= {"version", "rejects"}
    again = shop.ingest(events=rows, items=ITEMS, dry_run=True)
    assert (again.stored, again.by_kind["events"].duplicate) == (0, 5)


CATALOGUE = [
    {"item": "mug", "parent": "p1", "price": 3, "stock": 2},
    {"item": "cup", "parent": "p1", "price": 4, "stock": 0},
    {"item": "box", "parent": "p2", "price": 5, "stock": 1},
]


@pytest.mark.parametrize("is_started", [False, True])
def test_a_dry_run_tells_stock_variants_and_hidden_items(is_started: bool, shop: Any) -> None:
    if is_started:
        shop.start()
    shop.ingest(items=CATALOGUE[:2])
    sources = {
        "items": [{"item": "mug", "stock": 0}, CATALOGUE[2]],
        "events": [{"user": "anna", "item": name} for name in ("mug", "shipping", "tip")],
    }
    dry = shop.ingest(**sources, dry_run=True)
    stored = shop.ingest(**sources)
    assert dry.sellable == stored.sellable
    assert (dry.sellable.n_unavailable, dry.sellable.n_uncatalogued) == (2, 2)
    assert (dry.sellable.group_field, dry.sellable.n_products) == ("parent", 2)
    assert dry.lines()[1:] == stored.lines()[:-1]
    removed = shop.ingest(items=CATALOGUE[:1], sync=True, dry_run=True).sellable
    assert removed == shop.ingest(items=CATALOGUE[:1], sync=True, allow_loss=True).sellable


def test_a_dry_run_agrees_about_rows_that_are_equal_to_older_states(shop: Any) -> None:
    def price(*prices: int) -> list[dict[str, Any]]:
        return [{"item": "mug", "price": number} for number in prices]

    for prices in ([3], [4]):
        shop.ingest(items=price(*prices))
    for prices in ([3], [4], [3, 5], [5, 3, 4, 5], [4, 3], [9, 3, 9], [3, 9]):
        dry = shop.ingest(items=price(*prices), dry_run=True).by_kind["items"]
        stored = shop.ingest(items=price(*prices)).by_kind["items"]
        assert (dry.stored, dry.duplicate) == (stored.stored, stored.duplicate)


def test_a_dry_run_of_a_file_that_loses_much_says_so(shop: Any) -> None:
    shop.ingest(items=ITEMS)
    report = shop.ingest(items=[{"item": "mug", "title": ""}], dry_run=True)
    assert [note.code for note in report.warnings] == ["clears-much"]
    assert report.by_kind["items"].summary.cleared == {"title": 1}


def test_a_span_of_one_day_looks_wrong_in_the_first_import_alone(shop: Any) -> None:
    rows = views(20, time=lambda row: f"2026-11-01T{row % 20:02}:00:00")
    assert codes(shop, events=rows) == ["one-day-span"]
    shop.ingest(events=views(20))
    assert codes(shop, events=rows) == []


def test_a_time_of_day_in_a_column_of_its_own_looks_wrong(shop: Any) -> None:
    clock = {"Uhrzeit": lambda row: f"{row % 24:02}:15"}
    days = views(20, time=lambda row: f"2026-11-{1 + row:02}", **clock)
    moments = views(20, time=lambda row: f"2026-11-{1 + row:02}T{row:02}:15", **clock)
    assert codes(shop, events=days) == ["time-in-two-columns"]
    assert codes(shop, events=moments) == []
    mapping = {"events": {"join": {"moment": ["time", "Uhrzeit"]}, "time": "moment"}}
    report = shop.ingest(events=days, map=mapping, dry_run=True)
    assert [note.code for note in report.warnings] == []
    only_clock = views(20, date=lambda row: "2026-11-01", time=clock["Uhrzeit"])
    report = shop.ingest(events=only_clock, dry_run=True)
    assert report.by_kind["events"].rejected == 20
    assert [note.code for note in report.warnings] == ["time-in-two-columns"]


def test_times_in_1970_look_wrong(shop: Any) -> None:
    assert "times-in-1970" in codes(shop, events=views(20, time=lambda row: 20_220_408 + row * 100))


def test_an_id_column_in_which_all_differ_looks_wrong(shop: Any) -> None:
    report = shop.ingest(events=views(20, user=str), dry_run=True)
    (warning,) = report.warnings
    assert (warning.code, warning.field, warning.count) == ("all-values-differ", "user", 20)
    assert codes(shop, events=views(20)) == []


@pytest.mark.parametrize(
    ("kinds", "misspelt"),
    [
        (["purchse", "view"], ["purchse"]),
        (["veiw", "view"], ["veiw"]),
        (["add to cart", "order"], []),
        (["bestellung"] * 5 + ["bestelung"], ["bestelung"]),
        (["like", "hike", "bike"], ["hike", "bike"]),
        (["a", "b"], []),
    ],
)
def test_kinds_that_look_like_misspellings_are_told(
    shop: Any, kinds: list[str], misspelt: list[str]
) -> None:
    rows = views(len(kinds), kind=lambda row: kinds[row])
    notes = [note for note in shop.ingest(events=rows).warnings if note.code == "misspelt-kind"]
    assert [note.message.split("'")[1] for note in notes] == misspelt


def test_odd_kinds_and_unknown_requests_are_told(shop: Any) -> None:
    rows = views(3, kind=lambda _: "Kauf!!", request_id=lambda row: f"r{row % 2}")
    notes = {note.code: note for note in shop.ingest(events=rows).warnings}
    assert notes["odd-kind"].count == notes["unknown-request"].count == 3


def test_a_log_given_as_items_looks_wrong(shop: Any) -> None:
    rows = [{"item": f"i{row % 4}", "login": f"c{row}", "page": row} for row in range(40)]
    assert codes(shop, items=rows) == ["many-rows-an-id"]
    assert codes(shop, items=rows[:4]) == []


def test_a_column_that_a_file_lacks_stays_and_an_empty_cell_clears(
    shop: Any, tmp_path: Path
) -> None:
    file, prices = tmp_path / "items.csv", tmp_path / "prices.csv"
    rows = "".join(f"i{row},Mug {row},{row}\n" for row in range(20))
    file.write_text("item,title,price\n" + rows)
    shop.ingest(items=file)
    prices.write_text("item,price\ni1,8.99\ni2,\nnew,3\n")
    report = shop.ingest(items=prices)
    assert report.by_kind["items"].summary.cleared == {"price": 1}
    assert shop.get_item("i1")["fields"] == {"title": "Mug 1", "price": 8.99}
    assert shop.get_item("i2")["fields"] == {"title": "Mug 2"}
    assert shop.get_item("new")["fields"] == {"price": 3}
    assert shop.ingest(items=prices).stored == 0
    assert shop.ingest(items=file).stored == 2  # what the prices changed is as in the file again
    assert shop.get_item("i2")["fields"] == {"title": "Mug 2", "price": 2}


def test_json_tells_absent_from_null(shop: Any) -> None:
    rows = [{"id": f"i{row}", "a": "x", "b": "y", "tags": ["t"]} for row in range(20)]
    shop.ingest(items=rows)
    shop.ingest(items=[{"id": "i1", "a": None}, {"id": "i2", "b": "z"}])
    assert shop.get_item("i1")["fields"] == {"b": "y", "tags": ["t"]}
    assert shop.get_item("i2")["fields"] == {"a": "x", "b": "z", "tags": ["t"]}


def test_users_are_merged_too(shop: Any) -> None:
    shop.ingest(users=[{"user": f"u{row}", "city": "Rome", "age": 30} for row in range(20)])
    shop.ingest(users=[{"user": "u1", "city": "Oslo"}])
    assert shop.get_user("u1")["fields"] == {"city": "Oslo", "age": 30}


def test_replace_gives_whole_rows(shop: Any) -> None:
    shop.ingest(items=[{"item": f"i{row}", "title": "x", "price": 1} for row in range(20)])
    shop.ingest(items=[{"item": "i1", "title": "y"}], replace=True)
    assert shop.get_item("i1")["fields"] == {"title": "y"}


def test_a_mapping_that_says_put_or_patch_is_followed(shop: Any) -> None:
    rows = [{"item": f"i{row}", "title": "x", "price": 1} for row in range(20)]
    shop.ingest(items=rows)
    shop.ingest(items=[{"item": "i1", "title": "y"}], map={"items": {"kind_default": "put"}})
    shop.ingest(
        items=[{"item": "i2", "title": None, "price": 2}], map={"items": {"kind_default": "patch"}}
    )
    assert shop.get_item("i1")["fields"] == {"title": "y"}
    assert shop.get_item("i2")["fields"] == {"title": "x", "price": 2}


def test_sync_removes_what_the_export_no_longer_has(shop: Any) -> None:
    rows = [{"item": f"i{row}", "title": "x"} for row in range(20)]
    shop.ingest(items=rows, events=[{"user": "u", "item": "unlisted", "time": 1_700_000_000}])
    report = shop.ingest(items=rows[2:], sync=True)
    assert report.by_kind["items"].summary.removed == 2
    alive = shop.host.state().catalogue.alive.tolist()
    assert alive == [False, False, *[True] * 19]
    shop.undo()
    assert all(shop.host.state().catalogue.alive.tolist())
    with pytest.raises(InputError) as raised:
        shop.ingest(items=rows[3:], sync=True)
    assert "--allow-loss" in raised.value.hint
    assert (
        shop.ingest(items=rows[3:], sync=True, allow_loss=True).to_dict()["items"]["removed"] == 3
    )
    with pytest.raises(InputError):
        shop.ingest(events=EVENTS, sync=True)


def test_a_file_that_loses_more_than_a_tenth_stops_before_anything_is_stored(shop: Any) -> None:
    rows = [{"item": f"i{row}", "title": "x", "price": 1} for row in range(20)]
    shop.ingest(items=rows)
    version = shop.info()["version"]
    emptied = [{"item": f"i{row}", "title": ""} for row in range(3)]
    for options in ({}, {"replace": True}):
        with pytest.raises(InputError) as raised:
            shop.ingest(items=emptied, events=EVENTS, **options)
        assert raised.value.field in ("title", "price")
    assert shop.info()["version"] == version
    assert shop.ingest(items=emptied[:2]).stored == 2
    shop.ingest(items=emptied, allow_loss=True)
    assert [shop.get_item(f"i{row}")["fields"] for row in range(3)] == [{"price": 1}] * 3


def test_sync_stops_where_rows_cannot_be_read(shop: Any) -> None:
    rows = [{"item": f"i{row}", "title": "x"} for row in range(20)]
    shop.ingest(items=rows)
    with pytest.raises(InputError):
        shop.ingest(items=[*rows[1:], {"item": "", "title": "y"}], sync=True)


@pytest.mark.parametrize("given_ids", [False, True])
def test_undo_takes_an_import_back_and_the_same_rows_count_again(
    shop: Any, given_ids: bool
) -> None:
    def rows(user: str, item: str) -> list[dict[str, Any]]:
        ids = [{"id": f"{user}{row}"} if given_ids else {} for row in range(3)]
        times = [{"time": 1_700_000_000 + row} for row in range(3)]
        return [{"user": user, "item": item, **ids[row], **times[row]} for row in range(3)]

    shop.ingest(events=rows("anna", "mug"), items=ITEMS)
    shop.fit()
    before = shop.info()
    wrong = {"events": rows("bob", "shipping"), "items": [{"item": "mug", "title": "Wrong"}]}
    shop.ingest(**wrong)
    assert shop.title("mug") == "Wrong"
    assert shop.info()["interactions"] == 6
    record = shop.undo()
    assert sum(record.rows.values()) == 4
    after = shop.info()
    assert (after["interactions"], after["kinds"]) == (before["interactions"], before["kinds"])
    assert shop.title("mug") == "Red mug"
    assert [item.id for item in shop.recommend("anna", seen="keep").items].count("shipping") == 0
    again = shop.ingest(**wrong)
    assert (again.stored, shop.title("mug"), shop.info()["interactions"]) == (4, "Wrong", 6)
    assert shop.ingest(**wrong).stored == 0


def test_types_of_a_failed_import_do_not_stay(shop: Any) -> None:
    rows = [{"item": "a", "price": "about ten"}]
    report = shop.ingest(items=rows, map={"items": {"types": {"price": "number"}}})
    assert report.by_kind["items"].lost_fields == 1
    assert shop.field_types()["item"] == {}
    shop.ingest(items=rows)
    assert shop.get_item("a")["fields"] == {"price": "about ten"}


def test_posts_tell_misspelt_kinds_and_unknown_requests(shop: Any) -> None:
    row = {"user": "anna", "item": "mug"}
    posted = [row | {"kind": "purchse"}, row | {"kind": "view", "request_id": "nobody"}]
    _, (misspelt, unknown, plain) = shop.post([*posted, row | {"kind": "view"}])
    assert [entry["status"] for entry in (misspelt, unknown, plain)] == ["stored"] * 3
    assert [note["code"] for note in misspelt["notes"]] == ["misspelt-kind"]
    assert [note["field"] for note in unknown["notes"]] == ["request_id"]
    assert "notes" not in plain
    shop.ingest(items=ITEMS)
    shop.fit()
    request_id = shop.recommend("anna").request_id
    assert "notes" not in shop.post([row | {"kind": "click", "request_id": request_id}])[1][0]


@pytest.mark.parametrize("how", ["column", "default"])
def test_rows_that_delete_count_as_a_loss(shop, how):
    shop.ingest(items=[{"item": f"i{n}", "title": f"t{n}"} for n in range(20)])
    rows = [{"item": f"i{n}", "what": "delete"} for n in range(18)]
    mapping = {"column": {"kind": "what"}, "default": {"kind_default": "delete"}}[how]
    with pytest.raises(InputError):
        shop.ingest(items=rows, map={"items": mapping})
    assert shop.info()["items"] == 20
    shop.ingest(items=rows, map={"items": mapping}, allow_loss=True)
    assert shop.info()["items"] == 2
    shop.ingest(items=[{"item": "i18", "what": "delete"}], map={"items": mapping}, allow_loss=True)
    assert shop.info()["items"] == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda shop: shop.post(None),
        lambda shop: shop.post("rows"),
        lambda shop: shop.ingest(events=[], map=5),
        lambda shop: shop.list(fields=5),
    ],
)
def test_arguments_of_another_type_are_refused(shop, call):
    with pytest.raises(PlaitError):
        call(shop)

"""`plait ingest` with its options, `plait undo` and `plait schema`, as a shell runs them."""

import json
import sys

import pytest

import plait
from plait.cli.main import main

ITEMS = "item,title,code\n" + "".join(f"i{row},Mug {row},{row}\n" for row in range(20))


@pytest.fixture
def shop(monkeypatch, capsys, tmp_path):
    """Run `plait` in a home: exit status, stdout, stderr."""
    (tmp_path / "items.csv").write_text(ITEMS)
    (tmp_path / "events.csv").write_text("user,item,time\nu,i1,2026-01-01\nu,fee,2026-01-02\n")

    def run(command, *arguments):
        files = [tmp_path / name if str(name).endswith(".csv") else name for name in arguments]
        line = ["plait", command, "--home", tmp_path / "home", *files]
        monkeypatch.setattr(sys, "argv", list(map(str, line)))
        code = 0
        try:
            main()
        except SystemExit as leaving:
            code = leaving.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    run.folder = tmp_path
    return run


def info_of(shop):
    with plait.open(shop.folder / "home") as workspace:
        return workspace.info()


def test_ingest_tells_what_it_understood(shop):
    code, out, _ = shop("ingest", "--items", "items.csv", "--events", "events.csv")
    assert code == 0
    for part in ("code = code (", "2026-01-02", "new: 20 items", "fee 50%", "plait undo"):
        assert part in out


def test_dry_run_undo_and_schema(shop):
    code, out, _ = shop("ingest", "--items", "items.csv", "--dry-run", "--json")
    assert (code, json.loads(out)["dry_run"]) == (0, True)
    assert json.loads(shop("undo", "--list", "--json")[1]) == []
    assert shop("undo")[0] == 2
    import_id = json.loads(shop("ingest", "--items", "items.csv", "--json")[1])["import"]
    (listed,) = json.loads(shop("undo", "--list", "--json")[1])
    assert (listed["id"], listed["undone"]) == (import_id, False)
    assert listed["sources"] == [{"kind": "items", "source": "items.csv", "rows": 20}]
    assert json.loads(shop("schema", "--json")[1])["items"]["title"] == "text"
    code, out, _ = shop("schema", "set", "code", "text", "--json")
    assert (code, json.loads(out)["items"]["code"]) == (0, "text")
    code, _, err = shop("schema", "set", "title", "number")
    assert code == 2
    assert "title" in err
    assert shop("schema", "put", "title")[0] == 2
    undone = json.loads(shop("undo", import_id, "--json")[1])["undone"]
    assert (undone["id"], undone["undone"]) == (import_id, True)
    assert shop("undo", import_id)[0] == 2
    assert "taken back" in shop("undo", "--list")[1]
    assert json.loads(shop("schema", "--json")[1])["items"] == {}
    assert json.loads(shop("ingest", "--items", "items.csv", "--json")[1])["items"]["stored"] == 20


def test_a_partial_export_stops_and_names_the_option(shop):
    shop("ingest", "--items", "items.csv")
    (shop.folder / "part.csv").write_text("item,title\ni1,\ni2,\ni3,\n")
    for options in ((), ("--sync",), ("--replace",)):
        code, _, err = shop("ingest", "--items", "part.csv", *options)
        assert code == 2
        assert "--allow-loss" in err
    plain = json.loads(shop("ingest", "--items", "part.csv", "--allow-loss", "--json")[1])
    assert plain["items"]["cleared"] == {"title": 3}
    plain = json.loads(shop("ingest", "--items", "part.csv", "--sync", "--allow-loss", "--json")[1])
    assert plain["items"]["removed"] == 17


def test_an_undo_tells_which_rows_stay(shop):
    first = json.loads(shop("ingest", "--items", "items.csv", "--json")[1])["import"]
    (shop.folder / "items2.csv").write_text("item,title,code\ni1,Mug 1,1\nx,New,3\n")
    (shop.folder / "map.toml").write_text('[items]\nsource = "items"\n')
    mapping = shop.folder / "map.toml"
    later = json.loads(
        shop("ingest", "--items", "items2.csv", "--map", mapping, "--json")[1]
    )["import"]  # fmt: skip
    undone = json.loads(shop("undo", first, "--json")[1])["undone"]
    assert (undone["sources"][0]["rows"], undone["staying"]) == (19, {later: 1})
    assert json.loads(shop("list", "--json")[1])["total"] == 2


def test_another_type_of_a_field_tells_what_changes(shop):
    shop("ingest", "--items", "items.csv")
    shop("schema", "set", "code", "category")
    code, out, _ = shop("schema", "set", "code", "text")
    assert code == 0
    assert "category -> text" in out
    assert 'code == "value"' in out
    assert "already" in shop("schema", "set", "code", "text")[1]


def test_a_list_of_users_passes_over_header_and_missing_words(shop):
    shop("ingest", "--items", "items.csv", "--events", "events.csv")
    assert shop("fit", "--recipe", "shop")[0] == 0
    (shop.folder / "users.csv").write_text("Kundennr\nu\nNA\nstranger\n")
    code, out, err = shop("recommend", "--users", "users.csv", "-k", "1")
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()] == ["u", "stranger"]
    assert "'Kundennr'" in err
    assert "'NA'" in err


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        (("list", "--sort", "-title"), "order desc"),
        (("list", "--filter", 'title = "x"'), "=="),
        (("recommend", "--language", "french"), "fr"),
        (("recommend",), "--recipe"),
    ],
)
def test_a_wrong_question_names_what_to_write(command, hint, shop):
    shop("ingest", "--items", "items.csv")
    code, _, err = shop(*command)
    assert code == 2
    assert hint in err


def test_list_counts_under_both_names(shop):
    shop("ingest", "--items", "items.csv")
    for option in ("--count", "--counts"):
        counts = json.loads(shop("list", option, "title", "--json")[1])["counts"]
        assert len(counts["title"]) == 20


def test_a_field_and_a_kind_are_retired_and_restored(shop):
    shop("ingest", "--items", "items.csv", "--events", "events.csv")
    (kind,) = info_of(shop)["kinds"]
    for name, options in (("title", ()), (kind, ("--of", "kinds"))):
        assert shop("schema", "retire", name, *options)[0] == 0
    fields = json.loads(shop("schema", "--json")[1])
    assert "title" not in fields["items"]
    assert fields["retired"] == {"items": ["title"], "kinds": [kind]}
    assert f"kinds  {kind}  retired" in shop("schema")[1]
    assert shop("schema", "retire", "title")[0] == 2
    assert info_of(shop)["interactions"] == 0
    for name in ("title", kind):
        assert shop("schema", "restore", name)[0] == 0
    fields = json.loads(shop("schema", "--json")[1])
    assert (fields["items"]["title"], "retired" in fields) == ("text", False)
    assert info_of(shop)["interactions"] == 2


@pytest.mark.parametrize(
    "change",
    [("retire",), ("set", "a"), ("restore", "a", "b"), ("drop", "a"), ("retire", "nothing")],
)
def test_what_is_no_change_of_the_schema_is_refused(shop, change):
    shop("ingest", "--items", "items.csv")
    assert shop("schema", *change)[0] == 2

"""Options of recommend, search and similar, and `plait merge`, as a shell runs them."""

import json

import pytest

from plait.cli.query_options import QueryControls
from plait.errors import InputError
from tests.workspace.workspace_fixtures import LAMPS, MUGS, fitted


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A fitted shop in which user1 bought mug1."""
    home = tmp_path_factory.mktemp("shop")
    with fitted(home) as shop:
        shop.post(
            [
                {"kind": "purchase", "user": "user1", "item": "mug1"},
                {"kind": "purchase", "user": "user1", "item": "lamp9"},
                {"kind": "view", "session": "s1", "item": "lamp3"},
            ]
        )
    return home


def test_options_become_keywords():
    assert QueryControls().to_keywords() == {}
    assert QueryControls(seen=["keep"]).to_keywords() == {"seen": "keep"}
    assert QueryControls(seen=["purchase", "buy"]).to_keywords() == {
        "seen": {"exclude": ["purchase", "buy"], "days": None, "cooldown": []}
    }
    assert QueryControls(cooldown=["30: a == 'b:c'"]).to_keywords() == {
        "seen": {"exclude": [], "days": 0, "cooldown": [{"filter": "a == 'b:c'", "days": 30}]}
    }
    assert QueryControls(boost=["0.5:a"], pin=["2:x:y"], field=["*"]).to_keywords() == {
        "boosts": [{"filter": "a", "factor": 0.5}],
        "pins": [{"item": "x:y", "position": 2}],
        "fields": ["*"],
    }
    for wrong in ("1.5", "a: b", "2:", ":b", "2: "):
        with pytest.raises(InputError) as error:
            QueryControls(boost=[wrong]).to_keywords()
        assert error.value.field == "boost"


def test_recommend_with_controls(run, home):
    def ids(*options):
        code, out, err = run("recommend", "--home", home, "--json", "-k", 20, *options)
        assert code == 0, err
        return [item["id"] for item in json.loads(out)["items"]]

    bought = ids("--user", "user1", "--seen", "purchase")
    assert "mug1" not in bought
    assert "mug0" in bought
    lamps_last = ids("--boost", "0: category == 'lamps'")
    assert set(lamps_last[10:]) == set(LAMPS)
    assert ids("--pin", "1:mug9")[0] == "mug9"
    assert "lamp3" not in ids("--session", "s1")
    code, out, _ = run("recommend", "--home", home, "--field", "price", "--k", 1)
    assert code == 0
    assert "price" in out.splitlines()[0]
    code, _, err = run("recommend", "--home", home, "--field", "prize")
    assert (code, "'prize'" in err) == (2, True)


def test_many_users(run, home, tmp_path):
    users = tmp_path / "users.txt"
    users.write_text("\ufeffuser1\n\nuser2\r\nnobody\n", encoding="utf-8")
    code, out, _ = run("recommend", "--home", home, "--users", users, "-k", 2)
    assert code == 0
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[0] for row in rows] == ["user1", "user2", "nobody"]
    assert {len(row) for row in rows} == {3}
    code, out, _ = run("recommend", "--home", home, "--users", users, "-k", 2, "--json")
    assert [json.loads(line)["user"] for line in out.splitlines()] == ["user1", "user2", "nobody"]
    assert run("recommend", "--home", home, "--users", tmp_path / "none")[0] == 2


def test_similar_to_a_cart_by_purchases(run, home):
    options = ("--item", "mug1", "--item", "mug2", "--event-type", "purchase", "-k", 2, "--json")
    code, out, _ = run("similar", "--home", home, *options)
    assert code == 0
    items = json.loads(out)["items"]
    assert items[0]["id"] == "lamp9"
    assert items[0]["reasons"][0]["model"] == "companions"
    assert items[1]["id"] in MUGS


def test_merge_and_undo(run, home):
    assert run("merge", "--home", home, "session:s1", "user5")[0] == 0
    code, out, _ = run("recommend", "--home", home, "--user", "user5", "--json", "-k", 20)
    assert code == 0
    assert "lamp3" not in [item["id"] for item in json.loads(out)["items"]]
    assert run("merge", "--home", home, "session:s1", "user7")[0] == 2
    assert run("merge", "--home", home, "session:s1", "--undo")[0] == 0
    assert run("merge", "--home", home, "session:s1", "--undo")[0] == 2
    assert run("merge", "--home", home, "session:s1")[0] == 2
    assert run("merge", "--home", home, "session:s1", "user5", "--undo")[0] == 2

"""`plait list` and `plait recommend` in a shop of items alone."""

import json

import pytest

import plait


@pytest.fixture
def home(tmp_path):
    with plait.open(tmp_path / "home") as shop:
        shop.ingest(
            items=[
                {"item": f"i{n}", "title": f"[b]lamp {n}", "category": "lamps", "price": n}
                for n in range(12)
            ]
        )
    return tmp_path / "home"


def test_a_shop_without_a_fit_is_listed_page_by_page(run, home):
    options = ("list", "--home", home, "--sort", "price", "--order", "desc", "-k", 7)
    code, out, _ = run(*options, "--count", "category")
    assert code == 0
    assert "[b]lamp 11" in out
    assert "7 of 12 items" in out
    assert "lamps 12" in out
    cursor = out.split("--cursor ")[1].split()[0]
    code, out, _ = run(*options, "--cursor", cursor, "--json")
    page = json.loads(out)
    assert [item["id"] for item in page["items"]] == ["i4", "i3", "i2", "i1", "i0"]
    assert page["cursor"] is None


def test_a_wrong_order_is_an_error(run, home):
    code, _, err = run("list", "--home", home, "--order", "up")
    assert code == 2
    assert "order" in err


def test_recommend_lists_the_items_of_a_shop_without_events(run, home):
    code, _, err = run("recommend", "--home", home)
    assert code == 2
    assert "plait fit" in err
    assert run("fit", "--home", home)[0] == 0
    code, out, _ = run("recommend", "--home", home, "-k", 5)
    assert code == 0
    assert out.count("lamp ") == 5

"""Tests of "did you mean" in the answer to a search."""

import pytest

import plait


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    titles = {"a": "Decoration Garland", "b": "Running Shoes", "c": "Réglisse noire"}
    with plait.open(tmp_path_factory.mktemp("home")) as workspace:
        workspace.ingest(items=[{"item": i, "title": title} for i, title in titles.items()])
        workspace.fit("search")
        yield workspace


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Decoratoin garland", "decoration garland"),
        ("runing shoes", "running shoes"),
        ("running shoe", ""),
        ("garland", ""),
        ("xylophone", ""),
    ],
)
def test_typing_errors_of_a_search_are_named(shop, text, meant):
    response = shop.search(text)
    assert response.did_you_mean == meant
    assert response.to_dict().get("did_you_mean", "") == meant


def test_a_word_of_an_item_added_since_the_fit_is_named(shop):
    shop.put_item("d", {"title": "Cupboard"})
    assert shop.search("cupbord").did_you_mean == "cupboard"
    shop.delete_item("d")
    response = shop.search("cupbord")
    assert response.did_you_mean == ""
    assert response.ids == []

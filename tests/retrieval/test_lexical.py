"""Words: what BM25 gives by hand, by tantivy's index, and beside the index."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from plait.data.ragged import Ragged
from plait.errors import InputError
from plait.features.text import Analyzer
from plait.retrieval.lexical import Lexical, LexicalConfig
from plait.testing.queries import ask, changed, listed, scores, state_with
from plait.testing.synthetic_data import chinese, empty, make_dataset, two_topics

TITLES = {
    "a": "red mug",
    "b": "red red wine glass for the table",
    "c": "blue mug with handle",
    "d": "table",
    "e": "long " * 45 + "mug",
}


def lexical(dataset, **settings):
    return Lexical(LexicalConfig(**settings), name="lexical").fit(dataset)


def titled(titles, **more):
    return make_dataset([], items={one: {"title": title, **more} for one, title in titles.items()})


def found(stage, catalogue, text, *items, live=None):
    return scores(stage, ask(catalogue, texts=[text], live=live), catalogue, *items)[0]


def brought(stage, catalogue, text, k=10, **changes):
    queries = replace(ask(catalogue, texts=[text]), **changes)
    return listed(stage.retrieve(queries, k), catalogue)[0]


def bm25(titles, text, boost):
    """Robertson & Zaragoza with k1 1.2 and b .75, one field; lengths that tantivy keeps exactly."""
    documents = {one: Analyzer().terms(title) for one, title in titles.items()}
    mean = sum(map(len, documents.values())) / len(documents)
    total = dict.fromkeys(titles, 0.0)
    for term in set(Analyzer().terms(text)):
        having = sum(term in one for one in documents.values())
        idf = math.log(1 + (len(documents) - having + 0.5) / (having + 0.5))
        for name, terms in documents.items():
            often = Counter(terms)[term]
            total[name] += (
                boost * idf * often * 2.2 / (often + 1.2 * (0.25 + 0.75 * len(terms) / mean))
            )
    return list(total.values())


@pytest.mark.parametrize(
    "text", ["mug", "red mug", "table", "red red", "mugs for tables", "handle blue"]
)
def test_scores_equal_a_hand_computation(text):
    dataset = titled(TITLES)
    right = bm25(TITLES, text, boost=3.0)
    assert found(
        lexical(dataset, title_boost=3.0), dataset.catalogue, text, *TITLES
    ) == pytest.approx(right, rel=1e-5)


def test_the_body_counts_beside_the_title():
    dataset = make_dataset(
        [], items={"a": {"title": "cup", "brand": "mug house"}, "b": {"title": "mug", "brand": "x"}}
    )
    in_body, in_title = found(lexical(dataset, title_boost=5.0), dataset.catalogue, "mug", "a", "b")
    assert 0 < in_body < in_title


def test_delta_scores_are_those_the_index_would_give_with_frozen_statistics():
    late = {
        "f": "red mug",
        "g": "a table for the red wine",
        "h": "long " * 70 + "mug",
        "i": "nothing",
    }
    dataset = titled(TITLES)
    stage = lexical(dataset)
    catalogue = changed(
        dataset.catalogue, dataset.version, {one: {"title": title} for one, title in late.items()}
    )
    live = state_with(stage, dataset, catalogue)
    for text in ("mug", "red mug", "table wine"):
        old = found(stage, catalogue, text, "a", "b", live=live)
        new = found(stage, catalogue, text, "f", "g", "h", "i", live=live)
        assert new[0] == pytest.approx(old[0], rel=1e-5)  # the same words as "a"
        assert new[3] == 0
        mean = sum(len(Analyzer().terms(one)) for one in TITLES.values()) / len(TITLES)
        right = [by_frozen(title, text, mean) for title in late.values()]
        assert new == pytest.approx(right, rel=1e-5)


def by_frozen(title, text, mean):
    """BM25 of one title under the statistics of TITLES; 71 terms are told as 68."""
    terms = Analyzer().terms(title)
    total = 0.0
    for term in set(Analyzer().terms(text)):
        having = sum(term in Analyzer().terms(one) for one in TITLES.values())
        idf = math.log(1 + (len(TITLES) - having + 0.5) / (having + 0.5))
        often, length = Counter(terms)[term], {71: 68}.get(len(terms), len(terms))
        total += 2 * idf * often * 2.2 / (often + 1.2 * (0.25 + 0.75 * length / mean))
    return total


@pytest.mark.parametrize("length", [39, 40, 41, 43, 57, 59, 71, 95, 200, 1000])
def test_long_documents_are_as_long_in_the_delta_as_in_the_index(length):
    text = "mug " + "filler " * (length - 1)
    dataset = titled({**TITLES, "old": text})
    stage = lexical(dataset)
    catalogue = changed(dataset.catalogue, dataset.version, {"new": {"title": text}})
    live = state_with(stage, dataset, catalogue)
    old, new = found(stage, catalogue, "mug filler", "old", "new", live=live)
    assert new == pytest.approx(old, rel=1e-5)


def test_new_changed_and_deleted_items_are_found_as_they_are_now():
    dataset = titled(TITLES)
    stage = lexical(dataset)
    catalogue = changed(
        dataset.catalogue,
        dataset.version,
        {"new": {"title": "red kettle"}, "a": {"title": "green bowl"}, "d": None},
    )
    live = state_with(stage, dataset, catalogue)
    assert brought(stage, catalogue, "kettle", live=live) == ["new"]
    assert brought(stage, catalogue, "bowl", live=live) == ["a"]
    assert "a" not in brought(stage, catalogue, "red mug", live=live)
    assert set(brought(stage, catalogue, "red", live=live)) == {"new", "b"}
    assert np.isnan(found(stage, catalogue, "table", "d", live=live)).all()
    assert found(stage, catalogue, "red mug", "a", live=live).tolist() == [0]


def test_a_price_that_changes_indexes_nothing():
    dataset = titled(TITLES, price=1.0)
    stage = lexical(dataset)
    prices = {one: {"price": 2.0} for one in TITLES}
    catalogue = changed(dataset.catalogue, dataset.version, prices, patch=True)
    assert len(stage.update(catalogue, dataset.version, None)) == 0


def test_chinese_words_find_chinese_titles():
    dataset = chinese()
    stage = lexical(dataset)
    assert set(brought(stage, dataset.catalogue, "红色")) == {"商品1", "商品2"}
    assert set(brought(stage, dataset.catalogue, "茶杯")) == {"商品1", "商品3"}
    assert brought(stage, dataset.catalogue, "红色茶杯")[0] == "商品1"
    assert brought(stage, dataset.catalogue, "手机") == ["商品5"]
    assert brought(stage, dataset.catalogue, "iphone") == ["商品5"]


def test_a_letter_that_is_wrong_is_forgiven_unless_told_otherwise():
    dataset = two_topics()
    right = brought(lexical(dataset), dataset.catalogue, "kettle")
    assert set(brought(lexical(dataset), dataset.catalogue, "kettel")) == set(right)
    assert brought(lexical(dataset, fuzzy=False), dataset.catalogue, "kettel") == []
    assert brought(lexical(dataset), dataset.catalogue, "pxx") == []  # too short to guess


def test_words_match_by_their_stem():
    dataset = titled({"a": "running shoes"})
    assert brought(lexical(dataset), dataset.catalogue, "shoe runs") == ["a"]
    assert brought(lexical(dataset, language="", fuzzy=False), dataset.catalogue, "shoe runs") == []


def test_without_text_nothing_is_brought_and_nothing_known():
    dataset = two_topics()
    stage = lexical(dataset)
    for text in (None, "", "?!"):
        assert brought(stage, dataset.catalogue, text) == []
        assert np.isnan(found(stage, dataset.catalogue, text, "garden-1")).all()
    assert found(stage, dataset.catalogue, "zebra", "garden-1").tolist() == [0]


def test_a_shop_without_items_finds_nothing():
    dataset = empty()
    stage = lexical(dataset)
    assert brought(stage, dataset.catalogue, "mug") == []
    catalogue = changed(
        dataset.catalogue.with_columns({"title": "text"}), 0, {"first": {"title": "red mug"}}
    )
    live = state_with(stage, dataset, catalogue)
    assert brought(stage, catalogue, "mug", live=live) == ["first"]
    assert found(stage, catalogue, "mug", "first", live=live)[0] > 0


def test_what_is_ruled_out_makes_room_for_what_lies_deeper():
    titles = {f"item-{one}": "mug" + " more" * (one // 3) for one in range(60)}
    dataset = titled(titles)
    stage = lexical(dataset)
    last = dataset.catalogue.numbers([f"item-{one}" for one in range(55, 60)])
    mask = np.zeros((1, 60), np.bool_)
    mask[0, last] = True
    assert set(brought(stage, dataset.catalogue, "mug", 3, mask=mask)) <= {
        f"item-{one}" for one in range(55, 60)
    }
    assert len(brought(stage, dataset.catalogue, "mug", 3, mask=mask)) == 3
    blocked = Ragged.from_rows([list(range(50))])
    assert len(brought(stage, dataset.catalogue, "mug", 20, blocked=blocked)) == 10
    both = brought(
        stage,
        dataset.catalogue,
        "mug",
        20,
        mask=mask,
        blocked=Ragged.from_rows([last[:2].tolist()]),
    )
    assert set(both) == {"item-57", "item-58", "item-59"}


def test_what_stands_first_is_what_scores_highest():
    dataset = titled(TITLES)
    stage = lexical(dataset)
    names = brought(stage, dataset.catalogue, "red mug table")
    worth = found(stage, dataset.catalogue, "red mug table", *names)
    assert set(names) == set(TITLES)
    assert (np.diff(worth) <= 0).all()


def test_a_field_that_no_item_has_is_no_slip_that_goes_unsaid():
    with pytest.raises(InputError, match="there is no field 'titel'"):
        lexical(titled(TITLES), fields=("title", "titel"))

"""Tests of full-text search: BM25 by hand, in the index and beside it."""

import math
from dataclasses import replace

import numpy as np
import pytest

from plait.data.ragged import Ragged
from plait.errors import InputError
from plait.retrieval.lexical import Lexical, LexicalConfig
from plait.retrieval.stems import Stemmers
from plait.testing.catalogue_changes import changed, state_with
from plait.testing.queries import ask, listed, scores
from plait.testing.synthetic_data import chinese, empty, make_dataset, two_topics

TITLES = {
    "a": "red mug",
    "b": "red red wine glass for the table",
    "c": "blue mug with handle",
    "d": "table",
    "e": "long " * 45 + "mug",
}

STEMMERS = Stemmers(("english",))


def lexical(dataset, **settings):
    return Lexical(LexicalConfig(**settings), name="lexical").fit(dataset)


def titled(titles, **fields):
    items = {item_id: {"title": title, **fields} for item_id, title in titles.items()}
    return make_dataset([], items=items)


def text_scores(stage, catalogue, text, *item_ids, live=None):
    return scores(stage, ask(catalogue, texts=[text], live=live), catalogue, *item_ids)[0]


def retrieved(stage, catalogue, text, k=10, **changes):
    queries = replace(ask(catalogue, texts=[text]), **changes)
    return listed(stage.retrieve(queries, k), catalogue)[0]


def stems(title):
    return [stem for word in title.split() for stem in STEMMERS.stems(word)]


def bm25(titles, text, scored=None, k1=0.6, b=0.6):
    """BM25 of one field with the statistics of `titles`, for the titles in `scored`."""
    documents = [stems(title) for title in titles.values()]
    mean = sum(map(len, documents)) / len(documents)
    totals = []
    for title in (scored or titles).values():
        terms, total = stems(title), 0.0
        for term in set(stems(text)):
            count = sum(term in document for document in documents)
            idf = math.log(1 + (len(documents) - count + 0.5) / (count + 0.5))
            frequency = terms.count(term) / (1 - b + b * len(terms) / mean)
            total += idf * frequency * (k1 + 1) / (frequency + k1)
        totals.append(total)
    return totals


@pytest.mark.parametrize(
    "text", ["mug", "red mug", "table", "red red", "mugs for table", "handle blue"]
)
def test_scores_equal_bm25_computed_by_hand(text):
    dataset = titled(TITLES)
    for settings in ({}, {"k1": 1.2, "b": 0.75}):
        stage = lexical(dataset, **settings)
        computed = text_scores(stage, dataset.catalogue, text, *TITLES)
        assert computed == pytest.approx(bm25(TITLES, text, **settings), rel=1e-5)


def test_words_in_the_body_count_less_than_in_the_title():
    dataset = make_dataset(
        [], items={"a": {"title": "cup", "brand": "mug house"}, "b": {"title": "mug", "brand": "x"}}
    )
    stage = lexical(dataset, title_boost=5.0)
    in_body, in_title = text_scores(stage, dataset.catalogue, "mug", "a", "b")
    assert 0 < in_body < in_title


def test_updated_items_are_scored_with_the_statistics_of_the_fit():
    new_titles = {
        "f": "red mug",
        "g": "a table for the red wine",
        "h": "long " * 70 + "mug",
        "i": "nothing",
    }
    dataset = titled(TITLES)
    stage = lexical(dataset)
    new_items = {item_id: {"title": title} for item_id, title in new_titles.items()}
    catalogue = changed(dataset.catalogue, dataset.version, new_items)
    live = state_with(stage, dataset, catalogue)
    for text in ("mug", "red mug", "table wine"):
        old = text_scores(stage, catalogue, text, "a", "b", live=live)
        new = text_scores(stage, catalogue, text, "f", "g", "h", "i", live=live)
        assert new[0] == pytest.approx(old[0], rel=1e-5)  # the same words as "a"
        assert new[3] == 0
        assert new == pytest.approx(bm25(TITLES, text, new_titles), rel=1e-5)


def test_new_changed_and_deleted_items_match_by_their_current_fields():
    dataset = titled(TITLES)
    stage = lexical(dataset)
    catalogue = changed(
        dataset.catalogue,
        dataset.version,
        {"new": {"title": "red kettle"}, "a": {"title": "green bowl"}, "d": None},
    )
    live = state_with(stage, dataset, catalogue)
    assert retrieved(stage, catalogue, "kettle", live=live) == ["new"]
    assert retrieved(stage, catalogue, "bowl", live=live) == ["a"]
    assert "a" not in retrieved(stage, catalogue, "red mug", live=live)
    assert set(retrieved(stage, catalogue, "red", live=live)) == {"new", "b"}
    assert np.isnan(text_scores(stage, catalogue, "table", "d", live=live)).all()
    assert text_scores(stage, catalogue, "red mug", "a", live=live).tolist() == [0]


def test_update_skips_items_whose_read_fields_did_not_change():
    dataset = titled(TITLES, price=1.0)
    stage = lexical(dataset)
    prices = {item_id: {"price": 2.0} for item_id in TITLES}
    catalogue = changed(dataset.catalogue, dataset.version, prices, patch=True)
    assert len(stage.update(catalogue, dataset.version, None).item_numbers) == 0


def test_chinese_words_match_chinese_titles():
    dataset = chinese()
    stage = lexical(dataset)
    assert set(retrieved(stage, dataset.catalogue, "红色")) == {"商品1", "商品2"}
    assert set(retrieved(stage, dataset.catalogue, "茶杯")) == {"商品1", "商品3"}
    assert retrieved(stage, dataset.catalogue, "红色茶杯")[0] == "商品1"
    assert retrieved(stage, dataset.catalogue, "手机") == ["商品5"]
    assert retrieved(stage, dataset.catalogue, "iphone") == ["商品5"]


def test_fuzzy_terms_match_words_that_differ_by_one_letter():
    dataset = two_topics()
    exact = retrieved(lexical(dataset), dataset.catalogue, "kettle")
    assert set(retrieved(lexical(dataset), dataset.catalogue, "kettel")) == set(exact)
    assert retrieved(lexical(dataset, fuzzy=False), dataset.catalogue, "kettel") == []
    assert retrieved(lexical(dataset), dataset.catalogue, "pxx") == []  # too short


def test_words_match_by_their_stem():
    dataset = titled({"a": "running shoes"})
    assert retrieved(lexical(dataset), dataset.catalogue, "shoe runs") == ["a"]
    assert (
        retrieved(lexical(dataset, language="", fuzzy=False), dataset.catalogue, "shoe runs") == []
    )


def test_without_text_nothing_is_retrieved_and_scores_are_nan():
    dataset = two_topics()
    stage = lexical(dataset)
    for text in (None, "", "?!"):
        assert retrieved(stage, dataset.catalogue, text) == []
        assert np.isnan(text_scores(stage, dataset.catalogue, text, "garden-1")).all()
    assert text_scores(stage, dataset.catalogue, "zebra", "garden-1").tolist() == [0]


def test_empty_catalogue_retrieves_nothing_until_an_item_is_added():
    dataset = empty()
    stage = lexical(dataset)
    assert retrieved(stage, dataset.catalogue, "mug") == []
    catalogue = changed(
        dataset.catalogue.with_columns({"title": "text"}), 0, {"first": {"title": "red mug"}}
    )
    live = state_with(stage, dataset, catalogue)
    assert retrieved(stage, catalogue, "mug", live=live) == ["first"]
    assert text_scores(stage, catalogue, "mug", "first", live=live)[0] > 0


def test_excluded_items_are_replaced_by_deeper_matches():
    titles = {f"item-{number}": "mug" + " more" * (number // 3) for number in range(60)}
    dataset = titled(titles)
    stage = lexical(dataset)
    last_ids = [f"item-{number}" for number in range(55, 60)]
    last = dataset.catalogue.numbers(last_ids)
    mask = np.zeros((1, 60), np.bool_)
    mask[0, last] = True
    masked = retrieved(stage, dataset.catalogue, "mug", 3, mask=mask)
    assert len(masked) == 3
    assert set(masked) <= set(last_ids)
    blocked = Ragged.from_rows([list(range(50))])
    assert len(retrieved(stage, dataset.catalogue, "mug", 20, blocked=blocked)) == 10
    blocked = Ragged.from_rows([last[:2].tolist()])
    both = retrieved(stage, dataset.catalogue, "mug", 20, mask=mask, blocked=blocked)
    assert set(both) == {"item-57", "item-58", "item-59"}


def test_retrieved_items_are_ordered_by_score():
    dataset = titled(TITLES)
    stage = lexical(dataset)
    item_ids = retrieved(stage, dataset.catalogue, "red mug table")
    ordered = text_scores(stage, dataset.catalogue, "red mug table", *item_ids)
    assert set(item_ids) == set(TITLES)
    assert (np.diff(ordered) <= 0).all()


def test_unknown_field_is_an_error():
    with pytest.raises(InputError) as caught:
        lexical(titled(TITLES), fields=("title", "titel"))
    assert caught.value.field == "fields"

"""Tests of completion: prefixes, the words before, errors, live items."""

import pytest

from plait.retrieval.lexical import Lexical, LexicalConfig
from plait.testing.catalogue_changes import changed, state_with
from plait.testing.queries import ask
from plait.testing.synthetic_data import make_dataset

TITLES = {
    "a": "red mug",
    "b": "red mugs set",
    "c": "blue music box",
    "d": "mushroom lamp",
    "e": "red museum poster",
    "f": "Küchenmesser",
}


@pytest.fixture(scope="module")
def fitted():
    dataset = make_dataset([], items={item_id: {"title": t} for item_id, t in TITLES.items()})
    stage = Lexical(LexicalConfig(language="english"), name="lexical").fit(dataset)
    return stage, dataset


def completions(stage, catalogue, text, k=10, live=None):
    queries = ask(catalogue, texts=[text], live=live)
    return [(entry.text, entry.count) for entry in stage.complete(queries, k)[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mu", [("mug", 2), ("museum", 1), ("mushroom", 1), ("music", 1)]),
        ("red mu", [("red mug", 2), ("red museum", 1)]),
        ("blue mu", [("blue music", 1)]),
        ("bleu mu", [("bleu music", 1)]),
        ("msuh", [("mushroom", 1)]),
        ("küch", [("kuchenmesser", 1)]),
        ("xyz", []),
        ("red ", []),
        ("", []),
        ("?!", []),
        ("red *", []),
    ],
)
def test_last_word_is_completed_by_words_of_items(fitted, text, expected):
    stage, dataset = fitted
    assert completions(stage, dataset.catalogue, text) == expected
    assert completions(stage, dataset.catalogue, text, k=1) == expected[:1]


def test_words_of_items_added_since_the_fit_complete_and_of_deleted_ones_do_not(fitted):
    stage, dataset = fitted
    changes = {"new": {"title": "red muffin tin"}, "e": None}
    catalogue = changed(dataset.catalogue, dataset.version, changes)
    live = state_with(stage, dataset, catalogue)
    texts = [text for text, _ in completions(stage, catalogue, "red mu", live=live)]
    assert texts == ["red mug", "red muffin"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kuch", ["Küchenmesser"]),
        ("red mü", ["red mug", "red Müesli"]),
        ("po", ["poster"]),  # the title shouts
        ("wi", ["WiFi"]),
        ("क", ["किताब"]),
    ],
)
def test_words_are_shown_as_items_write_them(text, expected):
    titles = ["Küchenmesser aus Stahl", "red Müesli", "Red mug", "red mug", "RED POSTER"]
    titles += ["WiFi router", "किताब"]
    items = {str(number): {"title": title} for number, title in enumerate(titles)}
    dataset = make_dataset([], items=items)
    stage = Lexical(LexicalConfig(language=""), name="lexical").fit(dataset)
    live = state_with(stage, dataset, dataset.catalogue)
    shown = [shown for shown, _ in completions(stage, dataset.catalogue, text, live=live)]
    assert shown == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("чйник", ["чайник"]),
        ("чайнки", ["чайник"]),
        ("чайййн", []),
        ("mushroon", ["mushroom"]),
        ("wushr", ["mushroom"]),
        ("ushro", ["mushroom"]),
        ("mmush", ["mushroom"]),
        ("z" * 10_000, []),
        ("mushz" * 2_000, []),
    ],
)
def test_beginnings_with_one_error_are_completed_in_every_script(text, expected):
    items = {"a": {"title": "чайник"}, "b": {"title": "mushroom lamp"}}
    dataset = make_dataset([], items=items)
    stage = Lexical(LexicalConfig(language=""), name="lexical").fit(dataset)
    assert [shown for shown, _ in completions(stage, dataset.catalogue, text)] == expected


def test_words_that_lost_their_items_leave_their_places_to_others():
    titles = {f"{word}-{at}": word for word in ("mug", "music", "muslin") for at in range(3)}
    titles |= {"last": "mustard"}
    dataset = make_dataset([], items={item_id: {"title": t} for item_id, t in titles.items()})
    stage = Lexical(LexicalConfig(language=""), name="lexical").fit(dataset)
    changes = {item_id: None for item_id, title in titles.items() if title in ("mug", "music")}
    catalogue = changed(dataset.catalogue, dataset.version, changes)
    live = state_with(stage, dataset, catalogue)
    assert completions(stage, catalogue, "mu", k=2, live=live) == [("muslin", 3), ("mustard", 1)]

"""Tests of what stands for a word of a query: spellings, compounds, typing errors, live items."""

import random

import pytest

from plait.retrieval.lexical import Lexical, LexicalConfig
from plait.testing.catalogue_changes import changed, state_with
from plait.testing.queries import ask, listed
from plait.testing.synthetic_data import make_dataset


def fitted(titles, **settings):
    dataset = make_dataset([], items={item_id: {"title": t} for item_id, t in titles.items()})
    return Lexical(LexicalConfig(**settings), name="lexical").fit(dataset), dataset


def search(stage, catalogue, text, live=None):
    queries = ask(catalogue, texts=[text], live=live)
    return listed(stage.retrieve(queries, 20), catalogue)[0]


SPELLINGS = {
    "a": "Wi-Fi Router",
    "b": "WiFi Stick",
    "c": "USB Drive 16 GB",
    "d": "microSD Card 128GB",
    "e": "Red Bull Can",
    "f": "KitKat Bar",
    "g": "Model WH-1000XM4",
    "h": "C++ Primer",
    "i": "C Programming Notes",
    "j": "Board 2 in. x 4 in. x 8 ft.",
    "k": "Nespresso Capsules",
    "l": "Lego™ Set",
    "m": "soft\u00adware Guide",
    "n": "iPhone 12 Case",
}


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("wifi", "ab"),
        ("wi-fi", "ab"),
        ("wi fi", "ab"),
        ("16gb", "c"),
        ("128 gb", "d"),
        ("redbull", "e"),
        ("kit kat", "f"),
        ("wh1000xm4", "g"),
        ("1000xm4", "g"),
        ("c++", "h"),
        ("2x4", "j"),
        ("8ft board", "j"),
        ("nespr", "k"),
        ("lego", "l"),
        ("software", "m"),
        ("iphone12", "n"),
        ("feet", "j"),
        ("inches", "j"),
        ("gigabytes", "cd"),
    ],
)
def test_each_spelling_finds_its_items_first(text, first):
    stage, dataset = fitted(SPELLINGS, language="english")
    assert set(search(stage, dataset.catalogue, text)[: len(first)]) == set(first)


def test_letters_of_a_code_are_no_words():
    stage, dataset = fitted({"a": "MOD-REG-12 jacket", "b": "Regal shelf"}, fuzzy=False)
    assert search(stage, dataset.catalogue, "reg") == []
    assert search(stage, dataset.catalogue, "mod-reg-12") == ["a"]


@pytest.mark.parametrize(
    ("item_id", "text", "is_first"),
    [
        ("B00-ABC1", "b00abc1", True),
        ("B00-ABC1", "B00-ABC1", True),
        ("85123A", "85123a", True),
        ("4711815", "4711815", True),
        ("12", "12", False),
        ("mug", "mug", False),
    ],
)
def test_a_typed_item_id_wins_if_it_is_no_word_or_number(item_id, text, is_first):
    stage, dataset = fitted({"other": f"{text} 12 mug holder mug", item_id: "red lamp"})
    assert (search(stage, dataset.catalogue, text)[0] == item_id) is is_first
    assert search(stage, dataset.catalogue, "lamp") == [item_id]


def test_compounds_are_found_by_their_last_part_below_the_word_itself():
    titles = {"a": "Küchenmesser Stahl", "b": "Messer", "c": "Regenjacke", "d": "Tasse rot"}
    stage, dataset = fitted(titles, language="german")
    assert search(stage, dataset.catalogue, "Messer") == ["b", "a"]
    assert search(stage, dataset.catalogue, "Jacken") == ["c"]
    assert search(stage, dataset.catalogue, "Tassen") == ["d"]
    stage, dataset = fitted({"a": "Maschine für Kaffee"}, language="german")
    assert search(stage, dataset.catalogue, "Kaffeemaschinen") == ["a"]


def test_exact_matches_are_above_corrected_ones():
    titles = {
        "a": "lamps lamps lamps",
        "b": "a very long title that has one lamp in it",
        "c": "damp",
    }
    stage, dataset = fitted(titles, language="english")
    assert search(stage, dataset.catalogue, "lamp") == ["a", "b"]
    stage, dataset = fitted({"a": "tasse " + "lang " * 20, "b": "kassen"}, language="german")
    assert search(stage, dataset.catalogue, "tassen") == ["a", "b"]


WORDS = ["decoration", "painting", "lighting", "wedding", "shade", "security", "universal", "lamp"]


def one_error(word, draw):
    kind, at = draw.choice("dtsi"), draw.randrange(len(word))
    if kind == "d":
        return word[:at] + word[at + 1 :]
    if kind == "t" and at + 1 < len(word):
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + draw.choice("qxz") + word[at + (kind != "i") :]


@pytest.mark.parametrize("is_live", [False, True])
def test_every_single_error_finds_its_item(is_live):
    titles = {word: f"{word} garland" for word in WORDS}
    stage, dataset = fitted({"z": "nothing"} if is_live else titles, language="english")
    catalogue, live = dataset.catalogue, None
    if is_live:
        items = {item_id: {"title": title} for item_id, title in titles.items()}
        catalogue = changed(catalogue, dataset.version, items)
        live = state_with(stage, dataset, catalogue)
    draw = random.Random(7)
    queries = [(word, one_error(word, draw)) for word in WORDS for _ in range(20)]
    long_words = [word for word in WORDS if len(word) >= 8]
    queries += [(w, one_error(one_error(w, draw), draw)) for w in long_words for _ in range(10)]
    missed = [(w, q) for w, q in queries if w not in search(stage, catalogue, q, live)]
    assert missed == []


def test_two_letters_are_too_many_for_a_short_word():
    stage, dataset = fitted({"a": "Greek Yogurt Maker"}, language="english")
    assert search(stage, dataset.catalogue, "greece") == []


def test_live_changes_answer_as_a_new_fit_does():
    titles = {"a": "red lamp", "b": "blue kettle", "c": "green bowl", "d": "kettles"}
    stage, dataset = fitted(titles, language="english")
    now = {"a": "red vase", "b": "blue kettle", "e": "greem bottle"}
    changes = {item_id: {"title": title} for item_id, title in now.items()}
    catalogue = changed(dataset.catalogue, dataset.version, {**changes, "c": None, "d": None})
    live = state_with(stage, dataset, catalogue)
    refitted, other = fitted(now, language="english")
    for text in (
        "lamp",
        "lamps",
        "vase",
        "vsae",
        "kettel",
        "green",
        "bowl",
        "bowls",
        "bottl",
        "red",
    ):
        before, after = (
            search(stage, catalogue, text, live),
            search(refitted, other.catalogue, text),
        )
        assert set(before) == set(after), text


def test_two_errors_need_a_word_of_seven_letters():
    stage, dataset = fitted({"a": "the thing", "b": "mushrooms"}, language="english")
    assert search(stage, dataset.catalogue, "nothing") == []
    assert search(stage, dataset.catalogue, "thinh") == ["a"]
    assert search(stage, dataset.catalogue, "mushrroosm") == ["b"]


@pytest.mark.parametrize("language", ["arabic", "english"])
def test_arabic_words_are_found_with_and_without_their_article(language):
    titles = {"a": "حديقة", "b": "دراجة", "c": "القهوة", "d": "مصباح"}
    stage, dataset = fitted(titles, language=language, fuzzy=False)
    for text, item in (("الحديقة", "a"), ("بالدراجة", "b"), ("قهوة", "c"), ("للمصباح", "d")):
        assert search(stage, dataset.catalogue, text) == [item]


def test_irregular_plurals_find_their_singulars_and_the_other_way_round():
    titles = {"a": "kitchen knife", "b": "wall shelves", "c": "coat for women", "d": "lamp"}
    stage, dataset = fitted(titles, language="english", fuzzy=False)
    for text, item in (("knives", "a"), ("knife", "a"), ("shelf", "b"), ("woman's coat", "c")):
        assert search(stage, dataset.catalogue, text) == [item]

"""Sentences say what the log says: each rule on a small shop, then all of them by the checker."""

import re
import tomllib
from pathlib import Path

import pytest
from benchmarks.reasons import check, made_shop

import plait
from plait.errors import InputError
from plait.pipeline.reason_templates import LANGUAGES
from plait.ranking.explanation import sentences
from plait.testing.reason_checker import LogFacts, Question, false_claims

DAY = 86_400
START = 1_700_000_000
ITEMS = [
    {"item": "SKU-1", "title": "Red <b>mug</b>\u202e", "brand": "OPI", "parent": "MOD-KLE-08"},
    {"item": "SKU-2", "title": "Tea pot", "brand": "OPI", "parent": "MOD-POT-02"},
    {"item": "SKU-3", "title": "Desk lamp", "brand": "n/a", "parent": "MOD-LAM-01"},
    {"item": "SKU-4", "title": "Rain jacket", "brand": "n/a", "parent": "MOD-JAC-01"},
    {"item": "SKU-5", "title": "Blue mug", "brand": "LUM", "parent": "MOD-KLE-09"},
    {"item": "SKU-6", "title": None, "brand": "LUM", "parent": "MOD-KLE-09"},
]


def event(user, item, kind, day):
    return {"user": user, "item": f"SKU-{item}", "kind": kind, "time": START + day * DAY}


def events():
    rows = [event(f"b{n}", item, "purchase", n) for n in range(4) for item in (1, 2)]
    rows += [event(f"v{n}", item, "view", n) for n in range(4) for item in (1, 3)]
    rows += [event(f"m{n}", 5, "view", n) for n in range(3)]
    rows += [event(f"m{n}", 1, "purchase", n + 1) for n in range(3)]
    rows += [event("single", item, "purchase", 5) for item in (1, 4)]
    rows += [event("anna", 2, "view", 1), event("anna", 3, "purchase", 2)]
    rows += [event("ben", 3, "purchase", day) for day in range(4)]
    rows += [event("ben", 1, "view", day) for day in range(4)]
    rows += [event("cleo", 6, "purchase", 1)]
    return rows


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with plait.open(tmp_path_factory.mktemp("true-reasons")) as workspace:
        workspace.ingest(items=ITEMS, events=events())
        workspace.fit("default")
        yield workspace


def reasons_of(answer, number):
    return next(item.reasons for item in answer.items if item.id == f"SKU-{number}")


def keys(answer, number):
    return {reason["key"] for reason in reasons_of(answer, number)}


def test_together_needs_three_users_who_did_the_same(shop):
    answer = shop.similar("SKU-1", k=10)
    assert "bought_together" in keys(answer, 2)
    assert "viewed_together" in keys(answer, 3)
    assert "chosen_together" in keys(answer, 5)  # viewed by those who bought the other
    assert not any(key.endswith("_together") for key in keys(answer, 4))  # one customer


def test_bought_and_viewed_are_told_apart(shop):
    reasons = [r for i in shop.recommend("anna", k=10).items for r in i.reasons if r["because"]]
    by_source = {reason["because"]: reason["action"] for reason in reasons if reason["action"]}
    assert by_source.items() <= {"SKU-2": "viewed", "SKU-3": "bought"}.items()
    assert by_source
    session = shop.recommend(history=["SKU-2"], k=10)
    assert not any(reason["action"] for item in session.items for reason in item.reasons)


def test_again_and_again_takes_several_times(shop):
    ben, anna = (shop.recommend(user, k=10, seen="keep") for user in ("ben", "anna"))
    (often,) = (r for r in reasons_of(ben, 3) if r["key"] == "bought_often")
    assert (often["count"], often["action"]) == (4, "bought")
    assert "viewed_often" in keys(ben, 1)
    assert "bought_before" in keys(anna, 3)


def test_item_without_title_is_not_named_by_its_code(shop):
    texts = [r["text"] for i in shop.recommend("cleo", k=10).items for r in i.reasons]
    texts += [r["text"] for i in shop.similar("SKU-6", k=10).items for r in i.reasons]
    assert texts
    assert not any("SKU" in text or "MOD" in text for text in texts)


def test_field_that_may_speak_is_a_setting(shop):
    facts = [r["fact"] for i in shop.similar("SKU-1", k=10).items for r in i.reasons]
    assert {"field": "brand", "value": "OPI"} in facts
    assert all(fact is None or fact["field"] == "brand" for fact in facts)


def test_sentence_is_safe_and_names_only_words_that_occur(shop):
    answer = shop.search("mug\x00 <script>alert(1)</script> \u202ezeppelin", k=10)
    for item in answer.items:
        texts = [reason["text"] for reason in item.reasons]
        assert len(texts) == len(set(texts))
        for text in texts:
            assert not set(text) & set("<>\x00\u202e")
            assert len(text) <= 120
            assert "zeppelin" not in text
    assert {tuple(r["words"]) for r in reasons_of(answer, 1)} >= {("mug",)}


@pytest.mark.parametrize("language", ["de", "fr-CA", "ES", "zh_Hans"])
def test_language_of_the_request(shop, language):
    english = shop.similar("SKU-1", k=3)
    other = shop.similar("SKU-1", k=3, language=language)
    assert english.ids == other.ids
    table = tomllib.loads(Path(sentences.__file__).with_name("sentences.toml").read_text("utf-8"))
    own = table[re.split("[-_]", language)[0].lower()]
    for item, translated in zip(english.items, other.items, strict=True):
        for first, second in zip(item.reasons, translated.reasons, strict=True):
            assert (first["key"], first["because"]) == (second["key"], second["because"])
            start = own[second["key"]].partition("{")[0]
            assert second["text"].startswith(start)
            assert second["text"] != first["text"]


def test_unknown_language_is_refused(shop):
    with pytest.raises(InputError) as failure:
        shop.recommend(language="xx")
    assert failure.value.field == "language"


def test_continuation_keeps_the_language(shop):
    first = shop.similar("SKU-1", k=1, language="de")
    more = shop.next(first.request_id, 1)
    texts = {reason["text"] for item in more.items for reason in item.reasons}
    english = {r["text"] for i in shop.similar("SKU-1", k=2).items for r in i.reasons}
    assert texts
    assert not texts & english


def test_every_language_has_every_sentence():
    table = tomllib.loads(Path(sentences.__file__).with_name("sentences.toml").read_text("utf-8"))
    assert set(LANGUAGES) == set(table) - {"fields"}
    for language in LANGUAGES:
        assert table[language].keys() == table["en"].keys()
        for key in table["en"]:
            placeholders = [
                set(re.findall(r"{(\w+)}", sentences.sentence(name, key, 3)))
                for name in ("en", language)
            ]
            assert placeholders[0] == placeholders[1]


@pytest.mark.parametrize(
    ("language", "count", "expected"),
    [
        ("en", 1, "You bought this {count} time"),
        ("en", 3, "You bought this {count} times"),
        ("es", 1, "Lo compraste {count} vez"),
        ("es", 3, "Lo compraste {count} veces"),
        ("fr", 3, "Vous l’avez acheté {count} fois"),
        ("zh", 3, "您已买过{count}次"),
    ],
)
def test_plural_forms(language, count, expected):
    assert sentences.sentence(language, "bought_often", count) == expected


def test_no_sentence_is_false_in_a_shop_with_untidy_fields(tmp_path):
    with plait.open(tmp_path) as workspace:
        workspace.ingest(**made_shop(n_items=120, n_users=150))
        n_reasons, problems = check(workspace, tmp_path, 1_500, "search")
    assert n_reasons >= 1_500
    assert not problems


@pytest.mark.parametrize(
    "text",
    [
        "Because you bought “Tea pot”",
        "Because you viewed “Desk lamp”",
        "Often bought together with “Desk lamp”",
        "You bought this before",
        "You bought this 2 times",
        "You come back to this",
        "Similar to “Desk lamp” (brand: OPI)",
        "Matches “zeppelin”",
        "Because you bought “SKU-3”",
        "Sold out soon",
        "Because you bought “Desk lamp”" + " " * 120,
    ],
)
def test_checker_finds_a_false_sentence(text):
    facts = LogFacts(
        {"anna": [("SKU-3", "purchase", 5), ("SKU-2", "view", 6)]},
        {("SKU-3", "purchase"): {"anna"}, ("SKU-4", ""): {"anna"}},
        {entry["item"]: {k: v for k, v in entry.items() if k != "item" and v} for entry in ITEMS},
    )
    question = Question(user="anna", items=("SKU-3",), text="zeppelin")
    assert false_claims(facts, question, "SKU-4", [{"text": text}])
    assert false_claims(facts, question, "SKU-4", [{"text": "Others chose this too"}])
    true_text = "Because you bought “Desk lamp”"
    assert not false_claims(facts, question, "SKU-4", [{"text": true_text}])
    assert false_claims(facts, question, "SKU-4", [{"text": true_text}] * 2)


def test_what_no_catalogue_names_is_no_reason(tmp_path):
    pairs = [(f"u{n}", item) for n in range(12) for item in ("ship", f"i{n % 4}", f"i{n % 3}")]
    events = [
        {"user": user, "item": item, "kind": "purchase", "time": 1_700_000_000 + n}
        for n, (user, item) in enumerate(pairs)
    ]
    with plait.open(tmp_path) as shop:
        shop.ingest(
            events=events, items=[{"item": f"i{n}", "title": f"Thing {n}"} for n in range(6)]
        )
        shop.fit()
        for user in ("u1", "u2", "u3"):
            for item in shop.recommend(user, k=6).items:
                assert all(reason["because"] != "ship" for reason in item.reasons)
        similar = shop.similar(["i1", "ship"], k=4, event_types=["purchase"])
        assert all(reason["because"] != "ship" for item in similar.items for reason in item.reasons)

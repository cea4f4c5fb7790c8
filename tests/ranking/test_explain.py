"""Every shown item says why it is there, strongest reason first."""

import json
from dataclasses import replace

import numpy as np
import pytest

from plait.pipeline.registry import stage_class
from plait.pipeline.stage import Scorer
from plait.ranking.explanation.explain import Explain, ExplainConfig
from tests.ranking.candidate_fixtures import ask, candidates, live, ragged

NAN = float("nan")
MODELS = [
    stage_class(name)(name=name)
    for name in ("popular", "repeat", "neighbours", "linear", "content", "factors", "lexical")
]


def explained(items, queries, **config):
    items = items.with_columns(
        order=np.where(items.item_numbers >= 0, np.arange(items.shape[1]), -1).astype(np.int32)
    )
    step = Explain(ExplainConfig(**config), name="explain").with_models(MODELS)
    return step.apply(queries, items).column("reasons")


def because(items, **numbers):
    named = {
        f"{name}.because": np.array(item_numbers, np.int32)
        for name, item_numbers in numbers.items()
    }
    return items.with_columns(**named)


def text(model, number=0, source=-1, queries=None, **config):
    """The sentence for one item that one model retrieved."""
    items = candidates([number], **{f"{model}__score": [[1.0]], f"{model}__rank": [[0]]})
    items = because(items, **{model: [[source]]})
    queries = ask(live=live()) if queries is None else replace(queries, live=live())
    return explained(items, queries, **config)[0, 0][0]["text"]


@pytest.mark.parametrize(
    ("model", "source", "expected"),
    [
        ("popular", -1, "Popular right now"),
        ("repeat", 0, "You buy this regularly"),
        ("neighbours", 2, "Because you took Red lamp"),
        ("neighbours", 7, "Because you took i7"),
        ("neighbours", 0, "You buy this regularly"),
        ("linear", -1, "Similar items are often bought with items of your history"),
        ("content", 1, "Similar to Blue Mug: both category mugs"),
        ("content", 2, "Similar to Red lamp: both tags red"),
        ("content", 5, "Similar to straße"),
        ("content", -1, "Similar to items of your history"),
        ("factors", -1, "Found by factors"),
        ("factors", 1, "Because you took Blue Mug: both category mugs"),
        ("factors", 5, "Because you took straße"),
        ("lexical", -1, "Found by lexical"),
    ],
)
def test_sentence_of_each_model(model, source, expected):
    assert text(model, 0, source) == expected


def test_sentences_of_queries_with_text_items_or_context():
    words = ask(texts=("red mug",))
    assert text("lexical", queries=words) == "Matches your words 'red mug'"
    assert text("content", queries=words) == "Matches 'red mug'"
    anchor = ask(items=ragged([1]))
    assert text("neighbours", 0, 1, anchor) == "Often bought together with Blue Mug"
    assert text("neighbours", 0, -1, anchor) == "Similar items are often bought with Blue Mug"
    assert text("factors", 0, 1, anchor) == "Goes with Blue Mug"
    for context in ({"country": "France"}, {"user": {"country": "France"}}):
        asked = ask(contexts=(context,))
        assert text("popular", queries=asked, context_field="country") == "Popular in France"
        assert text("popular", queries=asked) == "Popular right now"


def test_templates_and_title_field_of_the_recipe():
    templates = {"popular": "{item} is hot ({model})", "linear": "{because} goes with {item} {x}"}
    assert text("popular", 0, templates=templates) == "Red mug is hot (popular)"
    assert text("linear", 0, 2, templates=templates) == "Red lamp goes with Red mug {x}"
    assert text("linear", 0, 2, title="brand") == "Because you took OPI"


def test_reasons_are_complete_and_ordered_by_share():
    items = candidates(
        [0, 3],
        popular__score=[[0.1, NAN]],
        neighbours__score=[[2, 3]],
        content__score=[[0.3, 0.9]],
        lexical__score=[[NAN, NAN]],
        popular__rank=[[4, -1]],
        neighbours__rank=[[-1, 2]],
        content__rank=[[0, -1]],
        lexical__rank=[[-1, -1]],
        popular__share=[[0.2, 0.5]],
        neighbours__share=[[0.7, 0.1]],
        content__share=[[-0.1, -0.2]],
        lexical__share=[[0, 0]],
    )
    items = because(items, neighbours=[[1, 2]], content=[[1, 2]])
    first, second = explained(items, ask((1, 2), live=live()))[0]
    assert [reason["model"] for reason in first] == ["neighbours", "popular", "content"]
    assert first[0] == {
        "model": "neighbours",
        "rank": None,
        "because": "i1",
        "fact": {"field": "category", "value": "mugs"},
        "text": "Because you took Blue Mug",
    }
    assert first[1]["rank"] == 5
    assert [reason["model"] for reason in second] == ["neighbours"]
    assert second[0]["fact"] == {"field": "category", "value": "lamps"}
    json.dumps([first, second])
    (strongest,) = explained(items, ask(live=live()), max_reasons=1)[0, 0]
    assert strongest["model"] == "neighbours"


def test_item_that_is_not_shown_has_no_reasons():
    items = candidates([0, 1], popular__score=[[1, 2]], order=[[0, -1]])
    items = items.with_columns(order=np.array([[0, -1]], np.int32))
    reasons = Explain(name="explain").apply(ask(live=live()), items).column("reasons")
    assert reasons[0, 1] is None
    assert reasons[0, 0] == []


def test_pin_is_the_first_reason():
    items = candidates(
        [0], popular__score=[[1]], popular__rank=[[0]], popular__share=[[0.5]], pins__rank=[[0]]
    )
    reasons = explained(items, ask(live=live()))[0, 0]
    assert [reason["text"] for reason in reasons] == ["Chosen by the editors", "Popular right now"]


def test_without_a_catalogue_items_are_named_by_number():
    items = because(candidates([0], linear__score=[[1]], linear__rank=[[0]]), linear=[[2]])
    reason = explained(items, ask())[0, 0][0]
    assert reason["because"] is None
    assert reason["text"] == "Because you took item 2"


def test_explain_scores_nothing():
    assert not isinstance(Explain(), Scorer)

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
        ("popular", -1, "May be of interest"),
        ("repeat", 0, "You know this"),
        ("neighbours", 2, "Because of “Red lamp”"),
        ("neighbours", 7, "Because of what you looked for"),
        ("neighbours", 0, "You know this"),
        ("linear", -1, "Fits your history"),
        ("content", 1, "Similar to “Blue Mug” (category: mugs)"),
        ("content", 2, "Similar to “Red lamp” (tags: red)"),
        ("content", 5, "Because of “straße”"),
        ("content", -1, "Fits your history"),
        ("factors", -1, "Fits your history"),
        ("factors", 1, "Because of “Blue Mug” (category: mugs)"),
        ("factors", 5, "Because of “straße”"),
        ("lexical", -1, "May be of interest"),
    ],
)
def test_sentence_of_each_model_where_the_log_says_nothing(model, source, expected):
    assert text(model, 0, source, ask((0, 1, 2, 5, 7))) == expected


def test_sentences_of_queries_with_text_or_items():
    words = ask(texts=("red mug zzz",))
    assert text("lexical", queries=words) == "Matches “Red mug”"
    assert text("content", queries=words) == "Matches “Red mug”"
    assert text("lexical", queries=ask(texts=("zzz",))) == "Fits your search"
    anchor = ask(items=ragged([1]))
    assert text("neighbours", 0, 1, anchor) == "Similar to “Blue Mug” (category: mugs)"
    assert text("neighbours", 2, 1, anchor) == "May go with “Blue Mug”"
    assert text("neighbours", 0, -1, anchor) == "May go with “Blue Mug”"
    assert text("factors", 0, 1, anchor) == "Similar to “Blue Mug” (category: mugs)"


def test_templates_and_title_field_of_the_recipe():
    templates = {"popular": "{item} is hot ({model})", "linear": "{because} goes with {item}"}
    assert text("popular", 0, templates=templates) == "Red mug is hot (popular)"
    assert text("linear", 0, 2, templates=templates) == "Red lamp goes with Red mug"
    assert text("linear", 0, 2, ask((2,)), title="brand") == "Because of “OPI”"


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
    assert [reason["model"] for reason in first] == ["neighbours", "content"]
    assert first[0] == {
        "model": "neighbours",
        "rank": None,
        "because": "i1",
        "fact": {"field": "category", "value": "mugs"},
        "text": "Because of “Blue Mug”",
        "key": "because_known",
        "action": None,
        "words": [],
        "count": None,
    }
    assert first[1]["rank"] == 1
    assert [reason["model"] for reason in second] == ["neighbours"]
    assert second[0]["fact"] == {"field": "category", "value": "lamps"}
    json.dumps([first, second])
    (strongest,) = explained(items, ask((1, 2), live=live()), max_reasons=1)[0, 0]
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
    assert [reason["text"] for reason in reasons] == ["Chosen by the editors"]


def test_without_a_catalogue_items_are_named_by_number():
    items = because(candidates([0], linear__score=[[1]], linear__rank=[[0]]), linear=[[2]])
    reason = explained(items, ask((2,)))[0, 0][0]
    assert reason["because"] is None
    assert reason["text"] == "Because of “item 2”"


def test_explain_scores_nothing():
    assert not isinstance(Explain(), Scorer)

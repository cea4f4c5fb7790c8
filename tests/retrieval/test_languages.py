"""Tests of search in twelve languages: plurals, compounds, typing errors, accents, scripts."""

import re
import tomllib
import unicodedata
from pathlib import Path

import pytest

from plait.retrieval.lexical import Lexical, LexicalConfig
from plait.testing.queries import ask, listed
from plait.testing.synthetic_data import make_dataset

CATALOGUES = tomllib.loads(Path(__file__).with_name("catalogues.toml").read_text("utf-8"))
N_QUERIES = 50
MIN_SHARE = 0.95


def generated_queries(titles):
    """Words that one title alone has: in capitals, without accents, without a letter, swapped."""
    words = [re.findall(r"[^\s\d,.-]+", title) for title in titles]
    for place, own in enumerate(words):
        others = {word.lower() for other in words[:place] + words[place + 1 :] for word in other}
        for word in own:
            if len(word) < 2 or word.lower() in others:
                continue
            yield place, word.upper()
            yield place, f"  {word}!"
            yield (
                place,
                "".join(unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode()),
            )
            if len(word) >= 7:
                yield place, word[: len(word) // 2] + word[len(word) // 2 + 1 :]
                yield place, word[:2] + word[3] + word[2] + word[4:]


def queries(catalogue):
    written = [(place, text) for place, texts in enumerate(catalogue.values()) for text in texts]
    generated = [(place, text) for place, text in generated_queries(list(catalogue)) if text]
    generated += [(n, " ".join(reversed(title.split()))) for n, title in enumerate(catalogue)]
    step = max(1, len(generated) // max(1, N_QUERIES - len(written)))
    return (written + generated[::step])[:N_QUERIES]


@pytest.mark.parametrize("language", CATALOGUES)
def test_people_find_the_meant_item_first(language):
    titles = list(CATALOGUES[language])
    items = {f"item-{place}": {"title": title} for place, title in enumerate(titles)}
    dataset = make_dataset([], items=items)
    stage = Lexical(LexicalConfig(), name="lexical").fit(dataset)
    asked = queries(CATALOGUES[language])
    missed = []
    for place, text in asked:
        lists = stage.retrieve(ask(dataset.catalogue, texts=[text]), 1)
        first = listed(lists, dataset.catalogue)[0]
        if first != [f"item-{place}"]:
            missed.append((text, titles[place], first))
    assert len(asked) == N_QUERIES
    assert len(missed) <= (1 - MIN_SHARE) * len(asked), missed

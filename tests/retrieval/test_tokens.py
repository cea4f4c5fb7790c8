"""Tests of what a word is: folding, hyphens, codes, numbers with units, scripts without spaces."""

import pytest

from plait.features.text_folding import fold
from plait.retrieval.tokens import tokenize


def written(text):
    return [word for token in tokenize(text) for word in token.words]


def beside(text):
    return {word for token in tokenize(text) for word in (token.joined, *token.pieces) if word}


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Crème BRÛLÉE", "creme brulee"),
        ("Straße Ølflaske Łódź", "strasse olflaske lodz"),
        ("İstanbul ılık", "istanbul ilik"),
        ("Ёлка йод", "елка йод"),
        ("قَهْوَة أرز", "قهوه ارز"),
        ("שָׁלוֹם", "שלום"),
        ("हिन्दी", "हिन्दी"),
        ("ＡＢＣ　１２", "abc 12"),
        ("soft\u00adware\ufeff a\u200bb", "software a b"),
        ("Lego™", "lego "),
        ("が", "が"),
    ],
)
def test_fold_equates_spellings(text, folded):
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("text", "words", "others"),
    [
        ("Wi-Fi Router", ["wi", "fi", "router"], {"wifi"}),
        ("Men's T-Shirt", ["men", "shirt"], {"tshirt"}),
        ("WH-1000XM4", ["wh1000xm4"], {"1000xm4"}),
        ("MOD-REG-12", ["modreg12"], set()),
        ("GPT-3", ["gpt", "3"], {"gpt3"}),
        ("16gb", ["16", "gigabyte"], {"16gigabyte"}),
        ("16 GB", ["16", "gigabyte"], {"16gigabyte"}),
        ("60-Watt", ["60", "watt"], {"60watt"}),
        ("1/2 in.", ["0.5", "inch"], {"0.5inch"}),
        ("½ inch", ["0.5", "inch"], {"0.5inch"}),
        ("1-1/2", ["1.5"], set()),
        ("1,299.00 or 1.299,00", ["1299", "or", "1299"], set()),
        ("12/24/2020", ["12", "24", "2020"], set()),
        ("2x4", ["2", "4"], {"2x4"}),
        ("2 in. x 4 in.", ["2", "inch", "4", "inch"], {"2inch", "4inch", "2x4"}),
        ("5-in-1 or 2 in 1", ["5", "in", "1", "or", "2", "in", "1"], {"in1"}),
        ("C++ and C#", ["c", "and", "c"], {"c++", "c#"}),
        ("हिन्दी किताब", ["हिन्दी", "किताब"], set()),
        ("红色茶杯", ["红色", "茶杯"], {"红", "色", "茶", "杯"}),
        ("カップ", ["カップ"], {"カッ", "ップ"}),
        ("x" * 300 + " y", ["y"], set()),
        ("?! … 🎁", [], set()),
        ("", [], set()),
    ],
)
def test_tokens_of_a_text(text, words, others):
    assert written(text) == words
    assert beside(text) == others


@pytest.mark.parametrize(
    "text", ["\ud800 a", "a" * 100_000, "1/" * 5_000, "-" * 10_000, "\x00\x1b[2J"]
)
def test_hostile_texts_are_split_without_an_error(text):
    assert isinstance(tokenize(text), list)

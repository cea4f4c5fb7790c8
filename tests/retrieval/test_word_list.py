"""Tests of words within an edit distance, against the plain recurrence."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plait.retrieval.word_list import WordList

LETTERS = st.text("abcdeé", min_size=1, max_size=9)


def distance(first, second):
    """The distance of Damerau and Levenshtein with adjacent transpositions, letter by letter."""
    table = [[row + column for column in range(len(second) + 1)] for row in range(len(first) + 1)]
    for row in range(1, len(first) + 1):
        for column in range(1, len(second) + 1):
            a, b = first[:row], second[:column]
            best = min(
                table[row - 1][column] + 1,
                table[row][column - 1] + 1,
                table[row - 1][column - 1] + (a[-1] != b[-1]),
            )
            if len(a) > 1 and len(b) > 1 and a[-2:] == b[-1] + b[-2]:
                best = min(best, table[row - 2][column - 2] + 1)
            table[row][column] = best
    return table[-1][-1]


@given(st.lists(LETTERS, unique=True, max_size=12), LETTERS, st.integers(1, 2))
def test_near_words_equal_those_of_the_plain_recurrence(words, word, bound):
    expected = [
        (place, distance(word, other))
        for place, other in enumerate(words)
        if distance(word, other) <= bound
    ]
    assert WordList(words).near(word, bound) == expected


@given(st.lists(LETTERS, unique=True, max_size=12), st.text("abcé", min_size=1, max_size=3))
def test_words_by_prefix_and_suffix(words, part):
    assert WordList(words).with_prefix(part) == sorted(
        word for word in words if word.startswith(part) and word != part
    )
    assert set(WordList(words).with_suffix(part)) == {
        word for word in words if word.endswith(part) and word != part
    }


@given(st.dictionaries(LETTERS, st.integers(1, 5), max_size=12), st.text("abcé", max_size=3))
def test_most_frequent_words_with_a_prefix(counts, prefix):
    words = WordList(list(counts), np.array(list(counts.values()), np.int32))
    expected = sorted(
        (word for word in counts if word.startswith(prefix)), key=lambda word: (-counts[word], word)
    )
    assert words.most_frequent(prefix, 3) == expected[:3]
    following = {word[len(prefix)] for word in expected if word != prefix}
    assert words.next_letters(prefix) == sorted(following)

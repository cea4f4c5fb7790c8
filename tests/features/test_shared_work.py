"""Tests of what stages share within one refresh."""

import threading

from plait.features.shared_work import shared, shared_work
from plait.features.text import Analyzer


def lengths(calls, purpose="length"):
    def derive(text):
        calls.append(text)
        return len(text)

    return shared(purpose, ["a", "bb", "a"], derive)


def test_each_key_is_derived_once_for_a_purpose_within_a_block():
    calls = []
    with shared_work():
        assert lengths(calls) == [1, 2, 1]
        assert lengths(calls) == [1, 2, 1]
        assert calls == ["a", "bb"]
        assert lengths(calls, "other") == [1, 2, 1]
    assert calls == ["a", "bb"] * 2


def test_nothing_is_remembered_outside_a_block_or_in_another_thread():
    calls = []
    lengths(calls)
    lengths(calls)
    assert calls == ["a", "bb", "a"] * 2
    with shared_work():
        lengths([])
        other = []
        thread = threading.Thread(target=lengths, args=(other,))
        thread.start()
        thread.join()
    assert other == ["a", "bb", "a"]


def test_terms_of_a_language_are_not_those_of_another():
    with shared_work():
        assert Analyzer("english").terms_of_texts(["Mugs"]) == [["mug"]]
        assert Analyzer("").terms_of_texts(["Mugs"]) == [["mugs"]]

"""A cache of functions of a text keeps many short texts and few long ones."""

from plait.utils.text_cache import LONG_PLACES, text_cache


def counted(places, longest):
    calls = []

    @text_cache(places, longest)
    def length(text):
        calls.append(text)
        return len(text)

    return length, calls


def test_short_texts_have_as_many_places_as_stated():
    length, calls = counted(places=100, longest=5)
    texts = [f"{n:05}" for n in range(100)]
    assert [length(text) for text in texts * 2] == [5] * 200
    assert calls == texts


def test_long_texts_are_kept_for_a_moment_only():
    length, calls = counted(places=100, longest=5)
    texts = [f"{n:06}" for n in range(LONG_PLACES + 1)]
    for text in (texts[0], texts[0], *texts, texts[0]):
        assert length(text) == 6
    assert calls == [*texts, texts[0]]

"""What is read first: the docstring of `plait.open`, and an answer at the prompt."""

import doctest

import plait
from plait.workspace import RankedItem, Response


def test_the_example_of_open_is_true(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [example] = doctest.DocTestFinder(recurse=False).find(plait.open, "open", globs={})
    assert example.examples
    output = []
    result = doctest.DocTestRunner(verbose=False).run(example, out=output.append)
    assert not result.failed, "".join(output)


def test_an_answer_is_short_at_the_prompt():
    reasons = [{"model": "content", "text": "a long sentence"}] * 5
    shown = [RankedItem(f"item-{n}", 2.0 - n / 3, reasons) for n in range(12)]
    text = repr(Response("0123456789abcdef", "bundle", 7, "worker", shown))
    assert text.startswith("<Response 01234567: 'item-0' 2, 'item-1' 1.667, ")
    assert text.endswith("'item-9' -1, 2 more>")
    assert "sentence" not in text


def test_answers_that_have_little_to_say():
    unknown = Response("r", "b", 1, "w", [RankedItem("who", None)], ["stale"])
    assert repr(unknown) == "<Response r: 'who' unknown degraded=['stale']>"
    assert repr(Response("r", "b", 1, "w")) == "<Response r: no items>"

"""The text of an error speaks of arguments in Python; its parts speak of options."""

import pytest

from plait.errors import InputError


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        ("give another --test-days", "wrong (give another test_days)"),
        ("--protocol ratings", 'wrong (protocol="ratings")'),
        ("use --protocol leave-one-out", 'wrong (use protocol="leave-one-out")'),
        ("--row fused --row popular", 'wrong (row="fused" row="popular")'),
        ("plait fit --home DIR", "wrong (plait fit --home DIR)"),
        ("", "wrong"),
    ],
)
def test_options_are_arguments_in_the_text_of_an_exception(hint, text):
    problem = InputError("wrong", hint=hint)
    assert str(problem) == text
    assert problem.hint == hint

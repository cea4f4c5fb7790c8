"""The options that `plait evaluate` and `plait tune` share."""

import pytest
from typer.main import get_command

from plait.cli.evaluation_options import EvaluationOptions
from plait.cli.main import app
from plait.errors import ProtocolError


def option_names(command):
    return [parameter.name for parameter in get_command(app).commands[command].params]


def test_evaluate_lists_its_options_in_order():
    shared = "test_days windows seen refit test_users cold events fold_in test_events map"
    rest = "test_share draw goal negative train validation test candidates track group group_by"
    rest += " fusion_methods ablate k seed seeds"
    expected = f"home protocol recipe bundle judgements {shared} {rest} json html png"
    assert option_names("evaluate") == expected.split()


def test_tune_lists_its_options_in_order():
    shared = "test_days windows seen test_users cold events fold_in test_events map"
    rest = "test_share draw goal negative train validation test candidates track group_by k seed"
    expected = f"home recipe trials metric protocol only out {shared} {rest}"
    assert option_names("tune") == expected.split()


def test_to_keywords_holds_what_was_set_with_cutoffs_and_seed():
    options = EvaluationOptions(test_days=0.0, goal=["buy"], negative=[], k="10,5,10")
    assert options.to_keywords() == {"test_days": 0.0, "goal": ["buy"], "k": (5, 10), "seed": 0}


def test_to_keywords_rejects_cutoffs_that_are_not_integers():
    with pytest.raises(ProtocolError) as caught:
        EvaluationOptions(k="5;10").to_keywords()
    assert caught.value.field == "k"

"""A recipe whose settings cannot be: one line that names the setting, status 2, nothing done."""

import sys

import pytest

from plait.cli.main import main
from tests.workspace.workspace_fixtures import fill


@pytest.mark.parametrize(
    ("strand", "said"),
    [
        ("neighbours = { window = -1 }", "neighbours.window is -1, not greater than or equal to 0"),
        ("factors = { alpha = nan }", "factors.alpha is nan, not a finite number"),
        (
            "graph = { training = { max_grad_norm = -1 } }",
            "graph.training.max_grad_norm is -1, not greater than or equal to 0",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_one_line(tmp_path, monkeypatch, capsys, strand, said):
    home, recipe = tmp_path / "home", tmp_path / "mine.toml"
    fill(home)
    recipe.write_text(f"[models]\n{strand}\n[steps.fuse]\n[steps.policy]\n")
    given = ["plait", "fit", "--home", str(home), "--recipe", str(recipe)]
    monkeypatch.setattr(sys, "argv", given)
    with pytest.raises(SystemExit) as it:
        main()
    assert (it.value.code, *capsys.readouterr()) == (2, "", f"plait: {said}\n")
    assert not (home / "bundles").exists()

"""A recipe with an impossible setting: one line that names the setting, and exit status 2."""

import sys

import pytest

from plait.cli.main import main
from tests.workspace.workspace_fixtures import fill


@pytest.mark.parametrize(
    ("model", "setting"),
    [
        ("neighbours = { window = -1 }", "neighbours.window is -1"),
        ("factors = { alpha = nan }", "factors.alpha is nan"),
        ("graph = { training = { max_grad_norm = -1 } }", "graph.training.max_grad_norm is -1"),
    ],
)
def test_fit_names_the_setting_that_is_out_of_range(tmp_path, monkeypatch, capsys, model, setting):
    home, recipe = tmp_path / "home", tmp_path / "mine.toml"
    fill(home)
    recipe.write_text(f"[models]\n{model}\n[steps.fuse]\n[steps.policy]\n")
    command = ["plait", "fit", "--home", str(home), "--recipe", str(recipe)]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as leaving:
        main()
    out, err = capsys.readouterr()
    assert (leaving.value.code, out) == (2, "")
    assert err.startswith(f"plait: {setting}, ")
    assert err.count("\n") == 1
    assert not (home / "bundles").exists()

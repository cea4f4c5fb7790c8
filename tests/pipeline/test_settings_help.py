"""The docstring of a config shows every setting with default, bounds and text."""

import dataclasses
import pydoc

import pytest

from plait.models.item_item.linear import LinearConfig
from plait.pipeline.registry import load_all_stages
from plait.pipeline.settings_help import setting_texts


def test_help_of_a_config_shows_texts_defaults_and_bounds():
    text = pydoc.plain(pydoc.render_doc(LinearConfig))
    assert "Settings of `linear`." in text
    assert "l2: 200.0 (above 0)" in text
    assert "window: 20" in text  # of the class that it derives from
    shown = " ".join(text.replace("|", " ").split())
    assert setting_texts(LinearConfig)["l2"]
    assert all(setting_texts(LinearConfig)[name][:60] in shown for name in ("l2", "window"))


@pytest.mark.parametrize("name", sorted(load_all_stages()))
def test_every_setting_of_every_stage_has_a_text(name):
    config = load_all_stages()[name].Config
    without = [setting for setting, text in setting_texts(config).items() if not text]
    assert without == []
    assert all(f"    {entry.name}: " in config.__doc__ for entry in dataclasses.fields(config))

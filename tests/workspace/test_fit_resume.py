"""An interrupted fit of a home goes on when it is run again, and leaves nothing behind."""

import os
import signal

import pytest

import plait
from plait.pipeline.recipe import Recipe
from tests.workspace.workspace_fixtures import RECIPE, fill

DEEP = Recipe.of(
    {
        **RECIPE.to_dict(),
        "name": "deep",
        "models": {
            "popular": {},
            "sequence": {
                "embedding_dim": 16,
                "dropout": 0.1,
                "training": {"epochs": 15, "batch_size": 4, "learning_rate": 0.01, "patience": 0},
            },
        },
    }
)


class Interrupts:
    """Sends Ctrl-C at the `at`-th word of the training loop."""

    def __init__(self, at):
        self.at, self.heard = at, []

    def __call__(self, what, done, total):
        if what.startswith("sequence · loss"):
            self.heard.append((what, done, total))
            if len(self.heard) == self.at:
                os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("at", [1, 2])
def test_ctrl_c_and_again(tmp_path, at):
    for name in ("whole", "halves"):
        fill(tmp_path / name)
    with plait.open(tmp_path / "whole") as shop:
        shop.fit(DEEP)
        expected = [item.score for item in shop.recommend(user="user1", k=5).items]
    work = tmp_path / "halves" / "work"
    with plait.open(tmp_path / "halves") as shop:
        stops = Interrupts(at)
        with pytest.raises(KeyboardInterrupt):
            shop.fit(DEEP, progress=stops)
        assert list(work.glob("fit-*/first/sequence/checkpoint.safetensors"))
        goes_on = Interrupts(0)
        shop.fit(DEEP, progress=goes_on)
        assert goes_on.heard[0][1] > stops.heard[0][1] or at == 1
        scores = [item.score for item in shop.recommend(user="user1", k=5).items]
    assert scores == expected
    assert not list(work.glob("fit-*"))


def test_another_recipe_begins_anew(tmp_path):
    fill(tmp_path)
    with plait.open(tmp_path) as shop:
        with pytest.raises(KeyboardInterrupt):
            shop.fit(DEEP, progress=Interrupts(1))
        shop.fit(DEEP, seed=1)
        shop.fit(RECIPE)
        (left,) = (tmp_path / "work").glob("fit-*")
        os.utime(left, (0, 0))
        shop.fit(RECIPE)
    assert not list((tmp_path / "work").glob("fit-*"))


def test_evaluation_neither_keeps_places_nor_touches_bundles(tmp_path):
    fill(tmp_path)
    with plait.open(tmp_path) as shop:
        shop.fit(RECIPE)
        before = sorted((tmp_path / "bundles").rglob("*"))
        report = shop.evaluate("leave-one-out", [DEEP])
    assert sorted((tmp_path / "bundles").rglob("*")) == before
    assert not list((tmp_path / "work").glob("*"))
    assert "sequence" in {row["model"] for row in report.to_dict()["results"]}

"""Processes that were started together make one bundle of one home."""

import json
import os
import socket
import subprocess
import sys

import pytest

import plait
from plait.pipeline.recipe import Recipe
from tests.workspace.test_fit_resume import DEEP
from tests.workspace.workspace_fixtures import fill

FITS = """
import json, sys
import plait
from plait.pipeline.recipe import Recipe
heard = []
with plait.open(sys.argv[1]) as shop:
    bundle = shop.fit(Recipe.of(json.loads(sys.argv[2])), progress=lambda *said: heard.append(said))
    found = shop.recommend(user="user1", k=5).ids
print(json.dumps([bundle, found, len(heard)]))
"""


def crew(*command, size=2):
    """What `size` processes that know of each other print, and how they end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true"}
    environment |= {"WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size), "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(size)
    ]
    return [(*process.communicate(timeout=300), process.returncode) for process in started]


@pytest.mark.alone
def test_two_processes_make_one_bundle(tmp_path):
    still = {**DEEP.models["sequence"], "dropout": 0.0}  # each process draws its own dropout
    recipe = Recipe.of({**DEEP.to_dict(), "models": {**DEEP.models, "sequence": still}})
    for name in ("alone", "together"):
        fill(tmp_path / name)
    with plait.open(tmp_path / "alone") as shop:
        shop.fit(recipe)
        expected = shop.recommend(user="user1", k=5).ids
    arguments = (str(tmp_path / "together"), json.dumps(recipe.to_dict()))
    ended = crew("-c", FITS, *arguments)
    assert [code for _, _, code in ended] == [0, 0], [stderr for _, stderr, _ in ended]
    first, second = (json.loads(out) for out, _, _ in ended)
    assert first[:2] == second[:2]
    assert first[1][0] == expected[0] == "mug4"  # what comes behind mug0 to mug3
    assert first[2] > 0 == second[2]
    assert len(list((tmp_path / "together" / "bundles").glob("[!.]*-*"))) == 1
    assert not list((tmp_path / "together" / "work").glob("fit-*"))


@pytest.mark.parametrize("command", [["evaluate", "--protocol", "leave-one-out"], ["tune"]])
def test_what_one_process_does_is_refused_to_several(tmp_path, command):
    fill(tmp_path / "home")
    arguments = ("-m", "plait", *command, "--home", str(tmp_path / "home"))
    for out, stderr, code in crew(*arguments):
        assert code == 2
        assert "runs in one process, but 2 were started" in stderr
        assert out == ""

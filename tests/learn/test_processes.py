"""Runs in processes of their own: killed at any moment, and several at a time."""

import os
import signal
import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from tests.learn.runs import run, same, weights

KILLED = """
import sys
from pathlib import Path
from safetensors.torch import save_file
from tests.learn.runs import objective, run
def told(module, batch):
    print("step", flush=True)
    return objective(module, batch)
module, _ = run(Path(sys.argv[1]), goal=told, checkpoint_seconds=0.0)
save_file(module.state_dict(), sys.argv[2])
"""

SHARED = """
import sys
from safetensors.torch import save_file
from tests.learn.runs import points, run
module, outcome = run(epochs=3, dropout=0.0, arrays=points(48))
save_file(module.state_dict(), sys.argv[1])
"""


def program(text, *given, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", text, *map(str, given)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


@pytest.mark.alone
def test_killed_again_and_again_equals_left_alone(tmp_path):
    alone, _ = run()
    kept, done = tmp_path / "kept", tmp_path / "done.safetensors"
    for steps in (3, 8, 5):
        going = program(KILLED, kept, done)
        for _ in range(steps):
            going.stdout.readline()
        going.send_signal(signal.SIGKILL)
        going.communicate()
        assert (kept / "checkpoint.safetensors").exists()
        assert not done.exists()
    last = program(KILLED, kept, done)
    told, _ = last.communicate()
    assert last.returncode == 0
    assert 0 < told.count("step") < 4 * 7
    assert same(load_file(done), weights(alone))


@pytest.mark.alone
def test_two_processes_share_every_batch(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    started = [
        program(
            SHARED,
            tmp_path / f"{rank}.safetensors",
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            MASTER_PORT=port,
            ACCELERATE_USE_CPU="true",
            **common,
        )
        for rank in (0, 1)
    ]
    for one in started:
        one.communicate()
        assert one.returncode == 0
    first, second = (load_file(tmp_path / f"{rank}.safetensors") for rank in (0, 1))
    assert same(first, second)
    from tests.learn.runs import points

    single, _ = run(epochs=3, dropout=0.0, arrays=points(48))
    for name, found in weights(single).items():
        torch.testing.assert_close(first[name], found, rtol=1e-4, atol=1e-5)

"""Runs in processes of their own: killed at any moment, and several at a time."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from tests.training.training_runs import counted, run, same, uneven, weighed, weights

KILLED = """
import sys
from pathlib import Path
from safetensors.torch import save_file
from tests.training.training_runs import objective, run
def told(module, batch):
    print("step", flush=True)
    return objective(module, batch)
module, _ = run(Path(sys.argv[1]), goal=told, checkpoint_seconds=0.0)
save_file(module.state_dict(), sys.argv[2])
"""

SHARED = """
import json
import sys
from dataclasses import replace
from pathlib import Path
from safetensors.torch import save_file
from plait.pipeline.fit_context import FitContext, Held
from plait.training.config import Training
from plait.splitting.splits import leave_one_out
from plait.models.sequential.sequence import Sequence, SequenceConfig
from plait.testing.synthetic_data import market
from tests.training.training_runs import counted, run, uneven, weighed

rank, folder = sys.argv[1], Path(sys.argv[2])
class Listens:
    heard = []
    def begin(self, run, settings):
        self.heard.append("begin")
    def report(self, epoch, values):
        self.heard.append(epoch)
    def end(self):
        self.heard.append("end")

split = leave_one_out(market(), "validation")
held = Held(replace(split.queries, blocked=split.queries.seen), split.targets)
training = Training(epochs=40, batch_size=4, learning_rate=0.02, patience=2)
lines = []
context = FitContext(
    3, held, folder / "work", lambda *one: lines.append(one), (Listens(),), "sequence"
)
stage = Sequence(SequenceConfig(dim=8, training=training), name="sequence")
stage = stage.train(split.train, context)
stage.save(folder / f"stage-{rank}")
told = {"epochs": stage._epochs, "heard": Listens.heard, "lines": len(lines)}
(folder / f"told-{rank}.json").write_text(json.dumps(told))

task = {"arrays": uneven(), "goal": weighed, "targets": counted}
module, _ = run(epochs=3, dropout=0.0, batch_size=8, gradient_accumulation_steps=7, **task)
save_file(module.state_dict(), folder / f"line-{rank}.safetensors")
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


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """The folder in which two processes that share their batches left what they have."""
    folder = tmp_path_factory.mktemp("together")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    common |= {"MASTER_PORT": port, "CUDA_VISIBLE_DEVICES": ""}
    started = []
    for rank in ("0", "1"):
        (folder / f"stage-{rank}").mkdir()
        mine = {"RANK": rank, "LOCAL_RANK": rank, **common}
        started.append(program(SHARED, rank, folder, **mine))
    for one in started:
        one.communicate(timeout=300)
    assert [one.returncode for one in started] == [0, 0]
    return folder


@pytest.mark.alone
def test_two_processes_share_every_batch_and_each_target_counts_the_same(together):
    first, second = (load_file(together / f"line-{rank}.safetensors") for rank in (0, 1))
    assert same(first, second)
    large, _ = run(
        epochs=3, dropout=0.0, batch_size=49, arrays=uneven(), goal=weighed, targets=counted
    )
    for name, found in weights(large).items():
        torch.testing.assert_close(first[name], found, rtol=1e-4, atol=1e-5)


@pytest.mark.alone
def test_a_stage_that_two_processes_train_is_one(together):
    first, second = (json.loads((together / f"told-{rank}.json").read_text()) for rank in (0, 1))
    files = sorted(one.name for one in (together / "stage-0").iterdir())
    assert "network.safetensors" in files
    for name in files:
        pair = [(together / f"stage-{rank}" / name).read_bytes() for rank in (0, 1)]
        assert pair[0] == pair[1], name
    assert first["epochs"] == second["epochs"]
    best, last = first["epochs"], len(first["heard"]) - 2
    assert last == best + 2 < 40  # stopped by patience, at once
    assert first["heard"] == ["begin", *range(1, last + 1), "end"]
    assert second["heard"] == []
    assert first["lines"] > 0 == second["lines"]


@pytest.mark.alone
def test_one_of_two_processes_writes(together):
    written = sorted(one.name for one in (together / "work").iterdir())
    assert written == ["checkpoint.safetensors", "rows.safetensors"]

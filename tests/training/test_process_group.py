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

from tests.training.training_runs import (
    is_same,
    run,
    target_count,
    weighted_objective,
    weighted_points,
    weights,
)

KILLED = """
import sys
from pathlib import Path
from safetensors.torch import save_file
from tests.training.training_runs import objective, run
def announced(module, batch):
    print("step", flush=True)
    return objective(module, batch)
module, _ = run(Path(sys.argv[1]), loss=announced, checkpoint_seconds=0.0)
save_file(module.state_dict(), sys.argv[2])
"""

SHARED = """
import json
import sys
from dataclasses import replace
from pathlib import Path
from safetensors.torch import save_file
from plait.models.sequential.sequential_recommender import Sequence, SequenceConfig
from plait.pipeline.fit_context import FitContext, ValidationSet
from plait.splitting.splits import leave_one_out
from plait.testing.synthetic_data import market
from plait.training.config import TrainingConfig
from tests.training.training_runs import (
    RecordingTracker, run, target_count, weighted_objective, weighted_points
)

rank, folder = sys.argv[1], Path(sys.argv[2])
split = leave_one_out(market(), "validation")
validation = ValidationSet(replace(split.queries, blocked=split.queries.seen), split.targets)
training = TrainingConfig(epochs=40, batch_size=4, learning_rate=0.02, patience=2)
lines, tracker = [], RecordingTracker()
context = FitContext(
    3, validation, folder / "work", lambda *line: lines.append(line), (tracker,), "sequence"
)
stage = Sequence(SequenceConfig(embedding_dim=8, training=training), name="sequence")
stage = stage.train(split.train, context)
stage.save(folder / f"stage-{rank}")
calls = [call[0] if isinstance(call, tuple) else call for call in tracker.calls]
report = {"epochs": stage._epochs, "calls": calls, "lines": len(lines)}
(folder / f"report-{rank}.json").write_text(json.dumps(report))

task = {"arrays": weighted_points(), "loss": weighted_objective, "count_targets": target_count}
module, _ = run(epochs=3, dropout=0.0, batch_size=8, gradient_accumulation_steps=7, **task)
save_file(module.state_dict(), folder / f"line-{rank}.safetensors")
"""


def start(program, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


@pytest.mark.alone
def test_a_run_killed_repeatedly_ends_like_one_never_interrupted(tmp_path):
    uninterrupted, _ = run()
    folder, result = tmp_path / "run", tmp_path / "result.safetensors"
    for steps in (3, 8, 5):
        process = start(KILLED, folder, result)
        for _ in range(steps):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert (folder / "checkpoint.safetensors").exists()
        assert not result.exists()
    last = start(KILLED, folder, result)
    output, _ = last.communicate()
    assert last.returncode == 0
    assert 0 < output.count("step") < 4 * 7
    assert is_same(load_file(result), weights(uninterrupted))


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory):
    """The folder in which two processes that share their batches left their results."""
    folder = tmp_path_factory.mktemp("shared")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    common |= {"MASTER_PORT": port, "CUDA_VISIBLE_DEVICES": ""}
    processes = []
    for rank in ("0", "1"):
        (folder / f"stage-{rank}").mkdir()
        environment = {"RANK": rank, "LOCAL_RANK": rank, **common}
        processes.append(start(SHARED, rank, folder, **environment))
    for process in processes:
        process.communicate(timeout=300)
    assert [process.returncode for process in processes] == [0, 0]
    return folder


@pytest.mark.alone
def test_two_processes_that_share_batches_learn_as_one_with_a_large_batch(shared_folder):
    first, second = (load_file(shared_folder / f"line-{rank}.safetensors") for rank in (0, 1))
    assert is_same(first, second)
    large, _ = run(
        epochs=3,
        dropout=0.0,
        batch_size=49,
        arrays=weighted_points(),
        loss=weighted_objective,
        count_targets=target_count,
    )
    for name, expected in weights(large).items():
        torch.testing.assert_close(first[name], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.alone
def test_a_stage_trained_by_two_processes_is_equal_in_both(shared_folder):
    first, second = (
        json.loads((shared_folder / f"report-{rank}.json").read_text()) for rank in (0, 1)
    )
    names = sorted(path.name for path in (shared_folder / "stage-0").iterdir())
    assert names
    for name in names:
        contents = [(shared_folder / f"stage-{rank}" / name).read_bytes() for rank in (0, 1)]
        assert contents[0] == contents[1], name
    assert first["epochs"] == second["epochs"]
    best, last = first["epochs"], len(first["calls"]) - 2
    assert last == best + 2 < 40  # both stop by patience, in the same epoch
    assert first["calls"] == ["begin", *range(1, last + 1), "end"]
    assert second["calls"] == []
    assert first["lines"] > 0 == second["lines"]


@pytest.mark.alone
def test_only_one_of_two_processes_writes(shared_folder):
    names = sorted(path.name for path in (shared_folder / "work").iterdir())
    assert names == ["checkpoint.safetensors", "rows.safetensors"]

"""Several processes train one graph: all have the same edges, and a share of every batch."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from plait.models.graph.graph_recommender import Graph, GraphConfig
from plait.testing.synthetic_data import late_arrivals
from plait.training.config import TrainingConfig

SHARED = """
import sys
import numpy as np
from tests.models.test_graph_processes import fitted
for use_triples in (False, True):
    stage = fitted(use_triples)
    path = f"{sys.argv[1]}-{use_triples}.npz"
    np.savez(path, items=stage._model.items, messages=stage._model.messages)
"""


def fitted(use_triples):
    training = TrainingConfig(epochs=3, batch_size=20, learning_rate=0.02, patience=0, device="cpu")
    config = GraphConfig(embedding_dim=8, dropout=0.0, use_triples=use_triples, training=training)
    return Graph(config, name="graph").fit(late_arrivals())


def start(rank, port, path):
    environment = {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", SHARED, str(path)]
    return subprocess.Popen(command, env={**os.environ, **environment})


@pytest.mark.alone
def test_two_processes_learn_the_same_vectors_as_one(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = [start(rank, port, tmp_path / str(rank)) for rank in (0, 1)]
    assert [process.wait() for process in processes] == [0, 0]
    for use_triples in (False, True):
        first, second = (np.load(tmp_path / f"{rank}-{use_triples}.npz") for rank in (0, 1))
        single = fitted(use_triples)
        for name, expected in (
            ("items", single._model.items),
            ("messages", single._model.messages),
        ):
            np.testing.assert_array_equal(first[name], second[name])
            np.testing.assert_allclose(first[name], expected, rtol=1e-3, atol=1e-4)

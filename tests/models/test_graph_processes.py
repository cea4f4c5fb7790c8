"""Several processes train one graph: each has the same edges, and its share of every batch."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from plait.models.graph.graph import Graph, GraphConfig
from plait.testing.synthetic_data import late_arrivals
from plait.training.config import TrainingConfig

SHARED = """
import sys
import numpy as np
from tests.models.test_graph_processes import fitted
for name in ("without", "with"):
    stage = fitted(name == "with")
    np.savez(f"{sys.argv[1]}-{name}.npz", items=stage._items, lent=stage._lent)
"""


def fitted(knowledge):
    training = TrainingConfig(epochs=3, batch_size=20, learning_rate=0.02, patience=0, device="cpu")
    told = GraphConfig(embedding_dim=8, dropout=0.0, use_triples=knowledge, training=training)
    return Graph(told, name="graph").fit(late_arrivals())


def started(rank, port, path):
    given = {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen([sys.executable, "-c", SHARED, str(path)], env={**os.environ, **given})


@pytest.mark.alone
def test_two_processes_learn_one_graph_and_the_one_that_a_single_one_learns(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    going = [started(rank, port, tmp_path / str(rank)) for rank in (0, 1)]
    assert [one.wait() for one in going] == [0, 0]
    for name in ("without", "with"):
        first, second = (np.load(tmp_path / f"{rank}-{name}.npz") for rank in (0, 1))
        alone = fitted(name == "with")
        for part, own in (("items", alone._items), ("lent", alone._lent)):
            np.testing.assert_array_equal(first[part], second[part])
            np.testing.assert_allclose(first[part], own, rtol=1e-3, atol=1e-4)

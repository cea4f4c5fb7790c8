"""The parts of benchmarks/chaos.py, which imports its neighbours as a script does."""

import importlib
import sys

from tests.architecture.source_tree import ROOT


def benchmark_module(name):
    """A module of the folder `benchmarks`, such as "faults.ledger"."""
    folder = str(ROOT / "benchmarks")
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(folder)

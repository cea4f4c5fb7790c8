"""Runs of small data sets, written to files and read again."""

from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.results.run_store import read_run, write_report
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe

ROWS = random_rows(users=60, events=1200)
DATA = world(ROWS)


def clock():
    """Users who walk around a circle of items: what follows is known."""
    return world(
        [
            (f"u{user}", f"i{(user + step) % 30:02}", step + user / 100)
            for user in range(60)
            for step in range(8)
        ]
    )


def run(folder, called, data=DATA, toy=None, **options):
    """The run of an evaluation that was written to a file and read again."""
    report = evaluate(data, [toy or recipe("Counts")], Protocol(**options))
    path = folder / f"{called}.json"
    write_report(path, report)
    return read_run(path)

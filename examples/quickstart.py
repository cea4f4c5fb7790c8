"""A shop in a few lines: ingest, evaluate, fit, query, post an event, query again.

Run it with `python examples/quickstart.py`; it takes about two minutes and leaves nothing behind.
"""

import tempfile

import plait
from plait import datasets


def main() -> None:
    with tempfile.TemporaryDirectory() as home, plait.open(home) as workspace:
        imported = workspace.ingest(**datasets.load("online-retail"))  # frames, files or dicts
        print(*imported.lines(), sep="\n")

        report = workspace.evaluate("time", test_days=28)  # fits in memory, beside the live models
        for result in report.results:
            print(f"{result.model:>16}  recall@10 {result.metrics['recall@10'].value:.4f}")

        workspace.fit()
        before = workspace.recommend(user="17850", k=5)
        print(before.to_frame())
        print(workspace.search("red mug", user="17850", k=5).to_frame())
        print(workspace.similar(before.ids[0], k=5).to_frame())

        workspace.post([{"kind": "purchase", "user": "17850", "item": before.ids[0]}])
        after = workspace.recommend(user="17850", k=5)  # the purchase counts already
        print(after.to_frame())
        print(workspace.why(after.request_id)["items"][0])


if __name__ == "__main__":
    main()

"""A shop in a few lines: load, measure, fit, ask, click, ask again.

Run it with `python examples/quickstart.py`; it takes about two minutes and keeps nothing.
"""

import tempfile

import plait
from plait import datasets


def main() -> None:
    with tempfile.TemporaryDirectory() as home, plait.open(home) as shop:
        receipt = shop.ingest(**datasets.load("online-retail"))  # frames, files or dicts
        print("\n".join(receipt.lines()))

        report = shop.evaluate("time", test_days=28)  # fits in memory, touches nothing live
        for row in report.results:
            print(f"{row.model:>16}  recall@10 {row.metrics['recall@10'].value:.4f}")

        shop.fit()
        before = shop.recommend(user="17850", k=5)
        print(before.to_frame())
        print(shop.search("red mug", user="17850", k=5).to_frame())
        print(shop.similar(before.ids[0], k=5).to_frame())

        shop.post([{"kind": "purchase", "user": "17850", "item": before.ids[0]}])
        after = shop.recommend(user="17850", k=5)  # knows of it already
        print(after.to_frame())
        print(shop.why(after.request_id)["items"][0])


if __name__ == "__main__":
    main()

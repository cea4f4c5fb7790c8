"""From ratings to the table of a paper, on MovieLens latest-small or any folder of its form.

Run it with `python examples/paper_table.py FOLDER [USERS]`; FOLDER holds ratings.csv and
movies.csv, and USERS draws so many users, for a quick run.
"""

import sys
import tempfile
from pathlib import Path

import pandas as pd
import polars as pl

import plait
from plait import models


def rbp(items: list[str], targets: set[str], p: float = 0.8) -> float:
    """Rank-biased precision, as a metric of one's own."""
    return (1 - p) * sum(p**rank for rank, item in enumerate(items) if item in targets)


def main(folder: Path, scratch: Path, users: int | None) -> None:
    ratings, movies = pd.read_csv(folder / "ratings.csv"), pd.read_csv(folder / "movies.csv")
    data = plait.Dataset.of(ratings, items=movies)
    data = (data.sample(users=users, seed=0) if users else data).kcore(5)
    train, validation, test = data.split_last(2)
    print(data)

    rated = train.to_frame().group_by("item").agg(pl.col("value").mean(), pl.len())
    best_rated = rated.filter(pl.col("len") >= 20).top_k(100, by="value")["item"].to_list()
    genres = movies["genres"].str.get_dummies("|")
    curve = plait.Curve()
    fitted = {
        "EASE": models.EASE(l2=200).fit(train),
        "iALS": models.IALS(factors=64, alpha=20).fit(train, weight="value", seed=1),
        "SASRec": models.SASRec(dim=32, epochs=10).fit(
            train, validation=validation, seed=1, device="cpu", trackers=[curve]
        ),
        "best rated": models.Given(dict.fromkeys(data.user_ids, best_rated)).fit(train),
        "genres": models.Vectors(movies["movieId"], genres).fit(train),
    }
    print(curve.to_frame())

    print(fitted["EASE"].scores([(user, 50) for user in test.user_ids[:2]]))
    print(fitted["iALS"].similar([1], k=3))
    print(fitted["iALS"].item_vectors.vectors.shape)
    fitted["iALS"].save(scratch / "ials")
    updated = models.load(scratch / "ials").update(validation)
    print(f"warm start: {updated.warm_started}")

    lists = {name: model.recommend(test, k=20) for name, model in fitted.items()}
    table = plait.score(lists, test, k=(10, 20), metrics=["ndcg", "recall", rbp], seen=train)
    print(table)
    print(table.per_user("EASE").head(3))
    print(*table.compare("SASRec", "EASE"), sep="\n")
    print(table.to_latex())

    fusion = plait.fuse(fitted, validation=validation)
    print(fusion.weights)
    print(fusion.ablate(test, k=10, metrics="ndcg"))

    result = plait.grid(models.EASE, {"l2": [50, 200, 800]}, train, validation, metric="ndcg@10")
    print(result.frame.drop("seconds"))

    members = {"EASE": fitted["EASE"], "SASRec": fitted["SASRec"]}
    served = plait.fuse(members, validation=validation)
    with plait.open(scratch / "shop", recipe=served) as shop:
        shop.ingest(events=data.to_frame(), items=movies)
        shop.fit()
        print(shop.recommend(user=test.user_ids[0], k=5).to_frame())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch_folder:
        n_users = int(sys.argv[2]) if len(sys.argv) > 2 else None
        main(Path(sys.argv[1]), Path(scratch_folder), n_users)

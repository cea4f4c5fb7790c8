"""Lists and predicted ratings of LensKit or Surprise, in their own environment.

    python parity_peer.py lenskit|surprise WORLD.npz OUT.npz

OUT holds a table for each model, float64 [N, 3]: user, item, score.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

L2, NEIGHBOURS, K = 200.0, 100, 20


def lenskit_tables(world: Mapping[str, Any]) -> dict[str, Any]:
    """EASE and item neighbours on ones, with the settings of `parity.py`."""
    import pandas as pd
    from lenskit.data import ItemList, RecQuery, from_interactions_df
    from lenskit.knn import EASEScorer, ItemKNNScorer

    pairs = {"user_id": world["train_users"], "item_id": world["train_items"]}
    data = from_interactions_df(pd.DataFrame(pairs))
    every = np.unique(world["train_items"])
    n_items = int(world["n_items"])
    scorers = {
        "EASE": EASEScorer(regularization=L2),
        "ItemKNN": ItemKNNScorer(max_nbrs=NEIGHBOURS, save_nbrs=NEIGHBOURS, feedback="implicit"),
        "ItemKNN, all neighbours": ItemKNNScorer(
            max_nbrs=n_items, save_nbrs=n_items, feedback="implicit"
        ),
    }
    tables = {}
    for name, scorer in scorers.items():
        scorer.train(data)
        rows = []
        for user in np.unique(world["test_users"]).tolist():
            seen = world["train_items"][world["train_users"] == user]
            query = RecQuery(user_id=user, user_items=ItemList(item_ids=seen))
            items = ItemList(item_ids=np.setdiff1d(every, seen))
            scored = scorer(query, items)
            scores = np.nan_to_num(np.asarray(scored.scores("numpy")), nan=-np.inf)
            best = np.argsort(-scores, kind="stable")[:K]
            best = best[np.isfinite(scores[best])]
            ids = np.asarray(scored.ids())[best]
            rows += [(user, item, score) for item, score in zip(ids, scores[best], strict=True)]
        tables[name] = np.array(rows, float).reshape(-1, 3)
    return tables


def surprise_tables(world: Mapping[str, Any]) -> dict[str, Any]:
    """SVD++ with the defaults of the library."""
    import pandas as pd
    from surprise import Dataset, Reader, SVDpp

    frame = pd.DataFrame({name: world[f"train_{name}"] for name in ("users", "items", "values")})
    scale = (float(frame["values"].min()), float(frame["values"].max()))
    train = Dataset.load_from_df(frame, Reader(rating_scale=scale)).build_full_trainset()
    model = SVDpp(random_state=0, cache_ratings=True).fit(train)
    pairs = zip(world["test_users"].tolist(), world["test_items"].tolist(), strict=True)
    return {"SVDpp": np.array([(u, i, model.predict(u, i).est) for u, i in pairs])}


def main() -> None:
    """Write the tables of a library."""
    library, source, target = sys.argv[1:]
    with np.load(source) as arrays:
        world = dict(arrays)
    tables = {"lenskit": lenskit_tables, "surprise": surprise_tables}[library](world)
    np.savez(target, **tables)


if __name__ == "__main__":
    main()

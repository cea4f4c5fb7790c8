# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Coming from RecTools, RecBole, LensKit, implicit or Surprise
#
# | there | here |
# |---|---|
# | RecTools `Dataset.construct(df)` | `plait.Dataset.of(df)` |
# | RecTools `EASEModel(regularization=500).fit(dataset)` | `models.EASE(l2=500).fit(data)` |
# | RecTools `model.recommend(users, dataset, k=10, filter_viewed=True)` | `fitted.recommend(users, k=10)`; `seen="keep"` keeps viewed items |
# | RecTools `model.recommend(..., items_to_recommend=ids)` | `fitted.recommend(users, items=ids)` |
# | RecTools `model.recommend_to_items(items, dataset, k=10)` | `fitted.similar(items, k=10)` |
# | RecTools `calc_metrics(metrics, reco, interactions, prev)` | `plait.score(lists, test, k=10, metrics=["ndcg@rectools", "map@rectools"], seen=train)` |
# | RecTools `TimeRangeSplitter`, `LastNSplitter` | `data.split_time(...)`, `data.split_last(1, size=n)` |
# | RecBole `run_recbole(model="SASRec", dataset="ml-100k")` | `models.SASRec().fit(train, validation=validation)`, then `plait.score` |
# | RecBole `user_inter_num_interval: "[5,inf)"` | `data.kcore(5)` |
# | RecBole `eval_args: {split: {LS: valid_and_test}}` | `train, validation, test = data.split_last(2)` |
# | RecBole `HyperTuning` | `plait.grid`, `plait.search` |
# | LensKit `from_interactions_df(df)` | `plait.Dataset.of(df)` |
# | LensKit `topn_pipeline(ItemKNNScorer(...))`, `pipeline.train(data)` | `models.ItemKNN(k=100).fit(train)` |
# | LensKit `recommend(pipeline, users, n)` | `fitted.recommend(users, k=n)` |
# | LensKit `RunAnalysis` | `plait.score`; intervals and paired comparisons are in the table |
# | implicit: a sparse matrix of users and items | `coo = matrix.tocoo()`, then `plait.Dataset.from_arrays(coo.row, coo.col, values=coo.data)` |
# | implicit `AlternatingLeastSquares(factors=64).fit(matrix)` | `models.IALS(factors=64).fit(train)`, which runs implicit |
# | implicit `model.recommend(ids, matrix[ids], N=10)` | `fitted.recommend(users, k=10)`, with external ids |
# | implicit `ids, scores = model.recommend(users, matrix[users])` | `plait.score(dict(zip(users, ids)), test)` measures them |
# | implicit `model.similar_items(item)` | `fitted.similar([item])` |
# | Surprise `Dataset.load_from_df(df, reader)` | `plait.Dataset.of(df)`; the rating is the value |
# | Surprise `SVDpp().fit(trainset)`, `algo.test(pairs)` | `models.SVDpp().fit(train).scores(pairs)`, column `rating` |
# | Surprise `top_n[user] = [(item, estimate), ...]` | `plait.score({"theirs": top_n}, test)` |
# | Surprise `GridSearchCV(SVDpp, grid, measures=["rmse"])` | `plait.grid(models.SVDpp, grid, train, validation, metric="rmse")` |
# | RecTools, Surprise `cross_validate` | `workspace.evaluate("time", recipes, windows=3)`, or a loop over `data.split_random(0.2, seed=...)` |
#
# What differs: ids are external ids everywhere, in and out. Lists are frames. A fitted model is another object than the model.
# `recall` divides by the number of targets, as in RecBole, RecTools and LensKit; `plait evaluate` on the command line reports
# `recall@min`. [Scores](../docs/python.md#scores) has all definitions.

# %%
import numpy as np
import polars as pl

import plait
from plait import models

# %% [markdown]
# ## A frame as other libraries have it
# Ratings of 300 users, who prefer one of two kinds of items.

# %%
random = np.random.default_rng(0)
users = np.repeat(np.arange(300), 12)
items = random.integers(0, 40, len(users)) * 2 + (users % 2) * (random.random(len(users)) < 0.8)
ratings = pl.DataFrame(
    {
        "user_id": users,
        "item_id": items,
        "rating": np.where(items % 2 == users % 2, 5.0, 2.0),
        "timestamp": 1_700_000_000 + random.permutation(len(users)),
    }
).unique(["user_id", "item_id"])
data = plait.Dataset.of(ratings)
data

# %% [markdown]
# ## RecTools, LensKit, implicit: fit, recommend, similar, measure

# %%
train, test = data.split_random(0.2, by="user", seed=0)
fitted = models.EASE(l2=50).fit(train)
lists = fitted.recommend(test, k=10)
lists.head(3)

# %%
fitted.similar(["0"], k=3)

# %% [markdown]
# The lists of another library go into the same table. Here they are made by hand, with the columns that RecTools has.

# %%
best_rated = ratings.group_by("item_id").agg(pl.col("rating").mean()).top_k(10, by="rating")
other = (
    ratings.select(pl.col("user_id").unique())
    .join(best_rated, how="cross")
    .with_columns(pl.col("rating").rank("ordinal", descending=True).over("user_id").alias("rank"))
)
names = ["ndcg", "ndcg@rectools", "recall"]
print(plait.score({"EASE": lists, "other": other}, test, k=10, metrics=names, seen=train))

# %% [markdown]
# ## Surprise: predicted ratings

# %%
rated = models.SVDpp(factors=4).fit(train, seed=1)
held_out = test.to_frame()
predicted = rated.scores(held_out)["rating"]
((predicted - held_out["value"]) ** 2).mean() ** 0.5

# %% [markdown]
# ## RecBole: the last two interactions, and a search

# %%
train, validation, test = data.split_last(2)
plait.grid(models.ItemKNN, {"k": [5, 20, 80]}, train, validation, metric="recall@10").frame

# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Reproducing Amazon Beauty
#
# The 5-core of Amazon Beauty 2014, leave-one-out, all items ranked, seen items left out: the setting of S3-Rec, BSARec and many others.
# [The benchmarks](../docs/benchmarks.md) have the figures and what other libraries reach.
#
# `folder` is that of the data, which Plait may not ship: `interactions.parquet` with user_id, item_id and position, the oldest being 0.
# Without it a sample of Online Retail stands in, so that the notebook runs everywhere; its figures are no reproduction.

# %% tags=["parameters"]
folder = None  # such as "data/amazon-beauty"
epochs = 2  # 40 for the figures of the benchmarks

# %%
from pathlib import Path

import polars as pl

import plait
from plait import datasets, models

if folder is None:
    events = datasets.load("online-retail")["events"]
    data = plait.Dataset.of(events).sample(users=400, seed=4).kcore(5)
else:
    rows = pl.read_parquet(Path(folder) / "interactions.parquet").sort("user_id", "position")
    data = plait.Dataset.from_arrays(rows["user_id"], rows["item_id"], rows["position"])
data

# %% [markdown]
# ## The split of the papers
# The last interaction of each user is the test, the one before it the validation. Figures are reported for models that were fitted
# without the validation part; some papers add it before the test.

# %%
train, validation, test = data.split_last(2)

# %%
network = models.SASRec(dim=64, layers=2, heads=2, max_length=50, dropout=0.5, epochs=epochs)
fitted = {
    "EASE": models.EASE(l2=200).fit(train),
    "order": models.Linear(l2=200).fit(train),
    "SASRec": network.fit(train, validation=validation, seed=0),
}

# %%
lists = {name: model.recommend(test, k=20) for name, model in fitted.items()}
table = plait.score(lists, test, k=(5, 10, 20), metrics=["recall", "ndcg"], seen=train)
print(table.to_markdown())

# %%
for difference in table.compare("SASRec", "EASE"):
    print(difference)

# %% [markdown]
# ## And fused

# %%
fusion = plait.fuse(fitted, validation=validation)
fusion.weights

# %%
print(fusion.ablate(test, k=10, metrics="ndcg"))

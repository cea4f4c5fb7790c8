# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Fusion
#
# One ranking from those of several fitted models: a weighted sum of comparable scores, whose weights are learned on validation data by
# length of history. No model is fitted again.

# %%
import plait
from plait import datasets, models

frames = datasets.load("online-retail")
data = plait.Dataset.of(events=frames["events"], items=frames["items"])
train, validation, test = data.sample(users=400, seed=3).kcore(5).split_last(2)

fitted = {
    "EASE": models.EASE(l2=200).fit(train),
    "order": models.Linear(l2=200).fit(train),
    "content": models.Content().fit(train),
    "popular": models.Popular().fit(train),
}
fusion = plait.fuse(fitted, validation=validation)
fusion

# %% [markdown]
# ## Weights
# A row for each band of history lengths. Bands with few users are joined.

# %%
fusion.weights

# %% [markdown]
# ## Lists
# A fusion recommends as a fitted model does.

# %%
fusion.recommend(test, k=3).head(6)

# %%
fusion.similar(["22752"], k=3)

# %% [markdown]
# ## What each model contributes
# The fusion, the fusions without one model each, and every model alone. The weights of what is left are learned again.

# %%
table = fusion.ablate(test, k=10, metrics="ndcg")
print(table)

# %%
for name in fitted:
    print(*table.compare("fused", f"without:{name}"))

# %% [markdown]
# ## Fixed weights, and other methods

# %%
equal = plait.fuse(fitted, weights=dict.fromkeys(fitted, 1.0))
ranks = plait.fuse(fitted, validation=validation, settings={"method": "rrf"})
lists = {
    "learned": fusion.recommend(test, k=10),
    "equal": equal.recommend(test, k=10),
    "ranks": ranks.recommend(test, k=10),
}
print(plait.score(lists, test, k=10, metrics="ndcg", seen=train))

# %% [markdown]
# ## Served
# A fusion is a recipe: the home fits these models on its own log and keeps the weights.

# %%
with plait.open(None, recipe=fusion) as workspace:
    workspace.ingest(events=frames["events"].head(4_000), items=frames["items"])
    workspace.fit()
    print(workspace.recommend(user="17850", k=3).to_frame())

# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A model of your own
#
# A model is a stage: a class with a config, `fit`, and scores. The same class works in Python, in recipes and in a served home.
# [Adding a model](../docs/adding-a-model.md) has the whole contract.

# %%
from dataclasses import dataclass

import numpy as np

import plait
from plait import datasets, models
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.search_space import Range, tunable

frames = datasets.load("online-retail")
data = plait.Dataset.of(events=frames["events"], items=frames["items"])
train, validation, test = data.sample(users=500, seed=2).kcore(5).split_last(2)

# %% [markdown]
# ## The stage
# `DenseScorer` does everything but the scores of all items for a batch of queries. Users and items are numbers, which index arrays.
# This model recommends what was bought by many users who share items with the user: two steps on the graph of users and items.


# %%
@dataclass(frozen=True)
class TwoStepsConfig:
    damping: float = tunable(0.5, Range(0.0, 1.0))
    """The exponent by which popular items count less."""


class TwoSteps(DenseScorer):
    Config = TwoStepsConfig

    def fit(self, dataset, *, seed=0):
        fitted = self.clone()
        events = dataset.interactions
        taken = np.zeros((dataset.n_users, dataset.n_items), np.float32)
        taken[events.users, events.items] = 1
        popularity = np.maximum(taken.sum(axis=0), 1) ** self.config.damping
        fitted.paths = (taken.T @ taken) / popularity
        return fitted

    def score_all(self, queries):
        scores = np.full((len(queries), len(self.paths)), np.nan, np.float32)
        for row in range(len(queries)):
            history = queries.history.ragged[row]
            if len(history):  # a user without a history has no scores: NaN
                scores[row] = self.paths[history].sum(axis=0)
        return scores


# %% [markdown]
# ## The model
# `models.FromStage` makes a model of the class: keyword settings, `fit`, `recommend`, `scores`, `similar` and `clone`. Its path is
# what a recipe names; for a class of a file `my_models.py` it is `"my_models:TwoSteps"`.

# %%
fitted = {
    "two steps": models.FromStage(TwoSteps).fit(train),
    "EASE": models.EASE(l2=200).fit(train),
}
lists = {name: model.recommend(test, k=10) for name, model in fitted.items()}
print(plait.score(lists, test, k=10, seen=train))

# %% [markdown]
# ## Its settings, and its part in a fusion

# %%
plait.grid(models.FromStage(TwoSteps), {"damping": [0.0, 0.5, 1.0]}, train, validation).frame

# %%
plait.fuse(fitted, validation=validation).weights

# %% [markdown]
# ## In a recipe
# A table with the path of the class. `plait.testing.conformance` checks that the class keeps the contract.

# %%
recipe = {
    "name": "mine",
    "models": {"twosteps": {"stage": "__main__:TwoSteps", "damping": 0.5}, "popular": {}},
    "steps": {"fuse": {}, "rules": {}, "policy": {}},
}
with plait.open(None) as workspace:
    workspace.ingest(events=frames["events"].head(5_000), items=frames["items"])
    report = workspace.evaluate("leave-one-out", recipe)
print(report)

# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From a frame to the table of a paper
#
# Interactions in a frame, models, lists, a table with intervals, LaTeX. The data are a sample of Online Retail, which comes with
# Plait. `examples/paper_table.py` does the same with MovieLens.

# %%
import plait
from plait import datasets, models

frames = datasets.load("online-retail")
frames["events"].head(3)

# %% [markdown]
# ## Data
# `Dataset.of` takes polars, pandas and pyarrow frames, paths, dictionaries and rows. Columns are recognised by their names, as by
# `plait ingest`; `mapping=` names those that are not.

# %%
data = plait.Dataset.of(events=frames["events"], items=frames["items"])
data = data.sample(users=600, seed=1).kcore(5)
data

# %%
train, validation, test = data.split_last(2)

# %% [markdown]
# ## Models
# Settings are keywords, and `fit` returns another object. The settings are those of the papers.

# %%
fitted = {
    "EASE": models.EASE(l2=200).fit(train),
    "neighbours": models.ItemKNN(k=100).fit(train),
    "popular": models.Popular().fit(train),
}
lists = {name: model.recommend(test, k=20) for name, model in fitted.items()}
lists["EASE"].head(3)

# %%
fitted["EASE"].scores([(user, "22752") for user in test.user_ids[:3]])

# %%
fitted["neighbours"].similar(["22752"], k=3)

# %% [markdown]
# ## The table
# Lists of any library are measured alike: frames with user, item and rank or score. A metric of your own is a function of a list
# and the set of targets.


# %%
def rank_biased_precision(items, targets, p=0.8):
    return (1 - p) * sum(p**rank for rank, item in enumerate(items) if item in targets)


metrics = ["ndcg", "recall", rank_biased_precision]
table = plait.score(lists, test, k=(10, 20), metrics=metrics, seen=train)
print(table)

# %%
print(table.to_latex())

# %%
table.per_user("EASE").head(3)

# %% [markdown]
# A difference is judged on the same users, with an interval:

# %%
for difference in table.compare("EASE", "popular"):
    print(difference)

# %% [markdown]
# ## Settings
# `plait.grid` tries combinations on the validation part; the test part stays unseen.

# %%
result = plait.grid(models.EASE, {"l2": [20.0, 200.0, 2000.0]}, train, validation)
result.frame

# %%
result.best

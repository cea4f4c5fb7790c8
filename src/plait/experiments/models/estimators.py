"""The models by the names of their papers, with keyword settings: EASE, IALS and others."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from plait.data import dataset as arrays
from plait.errors import InputError
from plait.experiments.models.estimator import Estimator
from plait.features.text import word_fields

__all__ = [
    "BM25",
    "BPR",
    "EASE",
    "IALS",
    "Content",
    "ItemKNN",
    "Linear",
    "Popular",
    "SVDpp",
]


class EASE(Estimator):
    """EASE exactly as published (Steck, WWW 2019): all weights, no order, no recency.

    An entry of the matrix is 1, under `fit(weight="value")` the sum of the user's values.

    Args:
        l2: The strength of the ridge.
        max_items: How many items, the most popular ones, take part.

    Example:
        >>> import plait
        >>> from plait import models
        >>> baskets = {"ann": "lamp bulb", "bob": "lamp bulb mug", "eve": "mug cup", "joe": "lamp"}
        >>> pairs = [(user, item) for user in baskets for item in baskets[user].split()]
        >>> train = plait.Dataset.from_arrays(*zip(*pairs))
        >>> models.EASE(l2=1.0).fit(train).recommend(["joe"], k=1)["item"].to_list()
        ['bulb']
    """

    stage_name = "ease"
    weight_settings = types.MappingProxyType({"use_weights": True})

    def __init__(self, *, l2: float = 200.0, max_items: int = 25_000) -> None:
        self._store(locals())


class Linear(Estimator):
    """Plait's variant of EASE: ordered pairs, recent events weigh more, no negative weights.

    Args:
        l2: The strength of the ridge.
        basket_decay: The weight of a basket of the history, relative to the one after it.
        top_k: How many weights are kept for each item.

    Example:
        >>> import plait
        >>> from plait import models
        >>> baskets = {"ann": "lamp bulb", "bob": "lamp bulb mug", "eve": "mug cup", "joe": "lamp"}
        >>> pairs = [(user, item) for user in baskets for item in baskets[user].split()]
        >>> train = plait.Dataset.from_arrays(*zip(*pairs))
        >>> models.Linear(l2=1.0).fit(train).recommend(["joe"], k=1)["item"].to_list()
        ['bulb']
    """

    stage_name = "linear"

    def __init__(self, *, l2: float = 200.0, basket_decay: float = 0.65, top_k: int = 300) -> None:
        self._store(locals())


class ItemKNN(Estimator):
    """Item neighbours by cosine (Deshpande & Karypis, 2004); n repeats count log2(1 + n).

    Order and age of events play no part. Under `fit(weight="value")` an entry of the matrix is the
    sum of the user's values.

    Args:
        k: How many neighbours of each item count.

    Example:
        >>> import plait
        >>> from plait import models
        >>> baskets = {"ann": "lamp bulb", "bob": "lamp bulb mug", "eve": "mug cup", "joe": "lamp"}
        >>> pairs = [(user, item) for user in baskets for item in baskets[user].split()]
        >>> train = plait.Dataset.from_arrays(*zip(*pairs))
        >>> models.ItemKNN(k=10).fit(train).recommend(["joe"], k=1)["item"].to_list()
        ['bulb']
    """

    stage_name = "neighbours"
    weight_settings = types.MappingProxyType({"use_weights": True})
    argument_names = types.MappingProxyType({"top_k": "k"})

    def __init__(self, *, k: int = 100) -> None:
        self._store(locals())

    def _settings(self) -> Mapping[str, Any]:
        return {
            "top_k": self.get_params()["k"],
            "window": 1_000_000,
            "discount": 1.0,
            "backward": 1.0,
            "basket_norm": 0.0,
            "damp_long_histories": False,
            "source_popularity_exponent": 0.5,
            "target_popularity_exponent": 0.5,
            "basket_decay": 1.0,
            "max_baskets": 0,
        }


class _ImplicitFactors(Estimator):
    """Settings that the factorisations of implicit feedback share."""

    stage_name = "factors"
    method: ClassVar[str] = ""

    def _settings(self) -> Mapping[str, Any]:
        whole_history = {"basket_decay": 1.0, "max_baskets": 0, "confidence": "item"}
        return {"method": self.method, **whole_history, **self.get_params()}


class IALS(_ImplicitFactors):
    """Implicit ALS (Hu, Koren & Volinsky, ICDM 2008) by the library implicit, with its defaults.

    Each item of a user has the confidence `alpha`, under `fit(weight="value")` alpha times the sum
    of the values. Users are solved from their history with the fitted item vectors, so unknown
    users are served.

    Args:
        factors: Dimensions of a vector; 0: 256.
        l2: The ridge; implicit calls it regularization. 0: 10.
        alpha: The confidence of an event; items without one have confidence 1.
        iterations: Rounds; 0: 12.

    Example:
        >>> import plait
        >>> from plait import models
        >>> baskets = {"ann": "lamp bulb", "bob": "lamp bulb mug", "eve": "mug cup", "joe": "lamp"}
        >>> pairs = [(user, item) for user in baskets for item in baskets[user].split()]
        >>> train = plait.Dataset.from_arrays(*zip(*pairs))
        >>> models.IALS(factors=2).fit(train).recommend(["joe"], k=1)["item"].to_list()
        ['bulb']
    """

    method = "ials"
    weight_settings = types.MappingProxyType({"confidence": "weight"})

    def __init__(
        self, *, factors: int = 100, l2: float = 0.01, alpha: float = 1.0, iterations: int = 15
    ) -> None:
        self._store(locals())


class BPR(_ImplicitFactors):
    """BPR by the library implicit (Rendle et al., UAI 2009); users are solved from their history.

    Args:
        factors: Dimensions of a vector; 0: 64.
        l2: The ridge; implicit calls it regularization. 0: 0.01.
        learning_rate: The learning rate.
        iterations: Epochs; 0: 60.

    Example:
        >>> import plait
        >>> from plait import models
        >>> baskets = {"ann": "lamp bulb", "bob": "lamp bulb mug", "eve": "mug cup", "joe": "lamp"}
        >>> pairs = [(user, item) for user in baskets for item in baskets[user].split()]
        >>> train = plait.Dataset.from_arrays(*zip(*pairs))
        >>> len(models.BPR(factors=2).fit(train).recommend(k=2).filter(user="joe"))
        2
    """

    method = "bpr"

    def __init__(
        self,
        *,
        factors: int = 100,
        l2: float = 0.01,
        learning_rate: float = 0.01,
        iterations: int = 100,
    ) -> None:
        self._store(locals())


class SVDpp(Estimator):
    """SVD++ (Koren, KDD 2008) learned by Gibbs sampling instead of gradients: predicts ratings.

    Args:
        factors: Dimensions in each sample.
        iterations: Samples.
        burn_in: Samples that are dropped.

    Example:
        >>> import plait
        >>> from plait import models
        >>> users = [f"u{n % 8}" for n in range(40)]
        >>> items = [f"i{n // 8}" for n in range(40)]
        >>> stars = [5 if n % 2 else 1 for n in range(40)]
        >>> train = plait.Dataset.from_arrays(users, items, values=stars)
        >>> fitted = models.SVDpp(iterations=60, burn_in=20).fit(train)
        >>> fitted.scores([("u1", "i3")])["rating"][0] > fitted.scores([("u2", "i3")])["rating"][0]
        True
    """

    stage_name = "factors"

    def __init__(self, *, factors: int = 10, iterations: int = 200, burn_in: int = 40) -> None:
        self._store(locals())

    def _settings(self) -> Mapping[str, Any]:
        return {"method": "svdpp", **self.get_params()}

    def check_data(self, train: arrays.Dataset) -> None:
        super().check_data(train)
        if np.isnan(train.interactions.values).all():
            message = "SVDpp predicts ratings, and no interaction of train has a value"
            raise InputError(message, hint="name a column rating or value", field="train")


class Popular(Estimator):
    """The most popular items by counts that cannot be bought, which are not plain counts.

    Users of one item count half, many new users of a day and busy days are damped. Every user gets
    the same items, less what was seen. Under `fit(weight="value")` a user counts for an item by the
    largest value of the newest day.

    Args:
        half_life_days: After how many days the weight of an interaction halves; 0: never.

    Example:
        >>> import plait
        >>> from plait import models
        >>> baskets = {"ann": "lamp bulb", "bob": "lamp bulb mug", "eve": "mug cup", "joe": "lamp"}
        >>> pairs = [(user, item) for user in baskets for item in baskets[user].split()]
        >>> train = plait.Dataset.from_arrays(*zip(*pairs))
        >>> models.Popular().fit(train).recommend(["a stranger"], k=1)["item"].to_list()
        ['lamp']
    """

    stage_name = "popular"
    weight_settings = types.MappingProxyType({})

    def __init__(self, *, half_life_days: float = 0.0) -> None:
        self._store(locals())


class _ReadsFields(Estimator):
    """A model of the fields of items."""

    def check_data(self, train: arrays.Dataset) -> None:
        columns = train.catalogue.columns
        chosen = self.get_params()["fields"]
        unknown = [name for name in chosen if name not in columns]
        if word_fields(train.catalogue, chosen) and not unknown:
            return
        missing = repr(unknown[0]) if unknown else "of type text, category or set"
        raise InputError(
            f"{type(self).__name__} reads fields of items, and there is no field {missing}",
            hint=f"fields are {', '.join(columns) or 'none: pass items= to Dataset.of'}",
            field="fields" if unknown else "train",
        )


class Content(_ReadsFields):
    """Items of similar content: cosine of TF-IDF vectors of their fields.

    A user is the sum of the items of the history, under `fit(weight="value")` times their values.

    Args:
        fields: Fields to read; empty: all of type text, category and set.
        language: The stemmer's language; "auto": detected; "": none.

    Example:
        >>> import plait
        >>> from plait import models
        >>> titles = {"lamp": "red lamp", "bulb": "lamp bulb", "mug": "tea mug", "cup": "tea cup"}
        >>> items = [{"item": item, "title": title} for item, title in titles.items()]
        >>> train = plait.Dataset.of({"user": ["ann"], "item": ["lamp"]}, items=items)
        >>> models.Content().fit(train).similar(["mug"], k=1)["similar"].to_list()
        ['cup']
    """

    stage_name = "content"
    weight_settings = types.MappingProxyType({})

    def __init__(self, *, fields: Sequence[str] = (), language: str = "auto") -> None:
        self._store(locals())


class BM25(_ReadsFields):
    """Full-text search by BM25 (Robertson & Zaragoza, 2009): `search` texts; nothing for users.

    Args:
        fields: Fields to read; empty: all of type text, category and set.
        language: The stemmer's language; "auto": detected; "": none.
        title_boost: The weight of a word in the title, relative to one elsewhere.

    Example:
        >>> import plait
        >>> from plait import models
        >>> titles = {"lamp": "red lamp", "bulb": "lamp bulb", "mug": "tea mug", "cup": "tea cup"}
        >>> items = [{"item": item, "title": title} for item, title in titles.items()]
        >>> train = plait.Dataset.of({"user": ["ann"], "item": ["lamp"]}, items=items)
        >>> models.BM25().fit(train).search(["tea"], k=5)["item"].sort().to_list()
        ['cup', 'mug']
    """

    stage_name = "lexical"

    def __init__(
        self, *, fields: Sequence[str] = (), language: str = "auto", title_boost: float = 2.0
    ) -> None:
        self._store(locals())

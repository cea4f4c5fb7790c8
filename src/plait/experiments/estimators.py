"""The models by the names of their papers, with keyword settings: EASE, IALS, SASRec and others."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from plait.experiments.estimator import Estimator

__all__ = [
    "BM25",
    "BPR",
    "EASE",
    "HSTU",
    "IALS",
    "BERT4Rec",
    "Content",
    "GRU4Rec",
    "ItemKNN",
    "LightGCN",
    "Linear",
    "Popular",
    "SASRec",
    "SVDpp",
]


class EASE(Estimator):
    """EASE exactly as published (Steck, WWW 2019): all weights, no order, no recency.

    An entry of the matrix is 1, under `fit(weight="value")` the sum of the user's values.

    Args:
        l2: The strength of the ridge.
        max_items: How many items, the most popular ones, take part.
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
    """

    stage_name = "linear"

    def __init__(self, *, l2: float = 200.0, basket_decay: float = 0.65, top_k: int = 300) -> None:
        self._store(locals())


class ItemKNN(Estimator):
    """Item neighbours by cosine (Deshpande & Karypis, 2004); n repeats count log2(1 + n).

    Order and age of events play no part.

    Args:
        k: How many neighbours of each item count.
    """

    stage_name = "neighbours"

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
        factors: Dimensions of a vector.
        l2: The ridge; implicit calls it regularization.
        alpha: The confidence of an event; items without one have confidence 1.
        iterations: Rounds.
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
        factors: Dimensions of a vector.
        l2: The ridge; implicit calls it regularization.
        learning_rate: The learning rate.
        iterations: Epochs.
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
    """

    stage_name = "factors"

    def __init__(self, *, factors: int = 10, iterations: int = 200, burn_in: int = 40) -> None:
        self._store(locals())

    def _settings(self) -> Mapping[str, Any]:
        return {"method": "svdpp", **self.get_params()}


class _SequenceNetwork(Estimator):
    """A network over the order of a history. Needs the extra `deep`.

    Args:
        dim: The size of a vector.
        layers: The number of layers.
        heads: Heads of attention; they divide `dim`. Recurrent networks have none.
        max_length: How many of the newest events are read.
        dropout: The share of values that are dropped in training.
        loss: "softmax" over all items, "sampled" over negatives that a batch shares, "bce" over one
            negative of each position (from random vectors, without averaged weights; not BERT4Rec),
            or "auto": softmax for up to 50,000 items.
        item_features: Whether the fields of items contribute to their vectors.
        epochs: The most passes over the data.
        batch_size: Histories in a batch.
        learning_rate: The largest learning rate.
        patience: Validations without improvement after which training stops; 0: never.
        device: "auto" takes an accelerator if there is one; or "cpu", "cuda", "cuda:1", "mps".
    """

    stage_name = "sequence"
    network: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        settings = (_SequenceNetwork.__doc__ or "").partition("    Args:")
        cls.__doc__ = f"{cls.__doc__}\n\n{''.join(settings[1:])}"

    def __init__(
        self,
        *,
        dim: int = 64,
        layers: int = 2,
        heads: int = 2,
        max_length: int = 50,
        dropout: float = 0.5,
        loss: str = "auto",
        item_features: bool = False,
        epochs: int = 40,
        batch_size: int = 256,
        learning_rate: float = 2e-3,
        patience: int = 3,
        device: str = "auto",
    ) -> None:
        self._store(locals())

    def _settings(self) -> Mapping[str, Any]:
        settings = self.get_params()
        training = ("epochs", "batch_size", "learning_rate", "patience", "device")
        is_published = settings["loss"] == "bce"
        return {
            "network": self.network,
            "embedding_dim": settings["dim"],
            "num_layers": settings["layers"],
            "num_heads": settings["heads"],
            "max_length": settings["max_length"],
            "dropout": settings["dropout"],
            "loss": settings["loss"],
            "use_item_features": settings["item_features"],
            "pmi_init_scale": 0.0 if is_published else None,
            "training": {name: settings[name] for name in training}
            | {"ema_decay": 0.0 if is_published else 0.99},
        }


class SASRec(_SequenceNetwork):
    """SASRec (Kang & McAuley, ICDM 2018) by softmax; loss="bce" is the published loss."""

    network = "sasrec"


class BERT4Rec(_SequenceNetwork):
    """BERT4Rec (Sun et al., CIKM 2019) with smoothed labels and vectors from co-occurrence."""

    network = "bert4rec"


class GRU4Rec(_SequenceNetwork):
    """GRU4Rec (Hidasi et al., ICLR 2016), trained by softmax instead of BPR-max."""

    network = "gru"


class HSTU(_SequenceNetwork):
    """HSTU (Zhai et al., ICML 2024), trained by softmax over all instead of sampled items."""

    network = "hstu"


class LightGCN(Estimator):
    """LightGCN (He et al., SIGIR 2020) without user vectors: users are sums over their history.

    Trained by softmax over sampled items instead of BPR. Needs the extra `deep`.

    Args:
        dim: The size of a vector.
        layers: Propagation steps over users.
        num_negatives: Sampled negatives of a step; 0: all items.
        epochs: The most passes over the data.
        learning_rate: The learning rate.
        patience: Validations without improvement after which training stops; 0: never.
        device: "auto" takes an accelerator if there is one; or "cpu", "cuda", "cuda:1", "mps".
    """

    stage_name = "graph"

    def __init__(
        self,
        *,
        dim: int = 64,
        layers: int = 3,
        num_negatives: int = 1024,
        epochs: int = 20,
        learning_rate: float = 0.01,
        patience: int = 3,
        device: str = "auto",
    ) -> None:
        self._store(locals())

    def _settings(self) -> Mapping[str, Any]:
        settings = self.get_params()
        training = ("epochs", "learning_rate", "patience", "device")
        return {
            "use_triples": False,
            "embedding_dim": settings["dim"],
            "num_layers": settings["layers"],
            "num_negatives": settings["num_negatives"],
            "basket_decay": 1.0,
            "max_baskets": 0,
            "training": {name: settings[name] for name in training} | {"batch_size": 4096},
        }


class Popular(Estimator):
    """The most popular items; every user gets the same, less what was seen.

    Args:
        half_life_days: After how many days the weight of an interaction halves; 0: never.
    """

    stage_name = "popular"

    def __init__(self, *, half_life_days: float = 0.0) -> None:
        self._store(locals())


class Content(Estimator):
    """Items of similar content: cosine of TF-IDF vectors of their fields.

    Args:
        fields: Fields to read; empty: all of type text, category and set.
        language: The stemmer's language; "auto": detected; "": none.
    """

    stage_name = "content"

    def __init__(self, *, fields: Sequence[str] = (), language: str = "auto") -> None:
        self._store(locals())


class BM25(Estimator):
    """Full-text search by BM25 (Robertson & Zaragoza, 2009): recommends for texts, not users.

    Args:
        fields: Fields to read; empty: all of type text, category and set.
        language: The stemmer's language; "auto": detected; "": none.
        title_boost: The weight of a word in the title, relative to one elsewhere.
    """

    stage_name = "lexical"

    def __init__(
        self, *, fields: Sequence[str] = (), language: str = "auto", title_boost: float = 2.0
    ) -> None:
        self._store(locals())

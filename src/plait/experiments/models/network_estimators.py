"""The models that are trained by gradient, with keyword settings. They need the extra `deep`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from plait.experiments.models.estimator import Estimator

__all__ = ["HSTU", "BERT4Rec", "GRU4Rec", "LightGCN", "SASRec"]


class _SequenceNetwork(Estimator):
    """A network over the order of a history. Needs the extra `deep`.

    Args:
        dim: The size of a vector.
        layers: The number of layers; None: 1, or 2 where histories are long.
        heads: Heads of attention; they divide `dim`. Recurrent networks have none.
        max_length: How many of the newest events are read; None: 50 to 200, so that nine of ten
            histories are read whole.
        dropout: The share of values that are dropped in training; None: 0.2 to 0.5, the less the
            more events an item has.
        local_branch: How each layer of SASRec reads the last events before attention:
            "convolution", "gru" or "none", as published; None: a convolution where histories are
            long. Other networks have none.
        loss: "softmax" over all items, "sampled" over negatives that a batch shares, "bce" over one
            negative of each position (from random vectors, without averaged weights and, unless
            `local_branch` names it, without a local branch; not BERT4Rec), or "auto": softmax for
            up to 50,000 items.
        item_features: Whether the fields of items contribute to their vectors.
        epochs: The most passes over the data.
        batch_size: Histories in a batch.
        learning_rate: The largest learning rate.
        patience: Validations without improvement after which training stops; 0: never.
        device: "auto" takes an accelerator if there is one; or "cpu", "cuda", "cuda:1", "mps".
    """

    stage_name = "sequence"
    argument_names = MappingProxyType(
        {
            "embedding_dim": "dim",
            "num_layers": "layers",
            "num_heads": "heads",
            "use_item_features": "item_features",
        }
    )
    network: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        settings = (_SequenceNetwork.__doc__ or "").partition("    Args:")
        cls.__doc__ = f"{cls.__doc__}\n\n{''.join(settings[1:])}"

    def __init__(
        self,
        *,
        dim: int = 64,
        layers: int | None = None,
        heads: int = 2,
        max_length: int | None = None,
        dropout: float | None = None,
        local_branch: str | None = None,
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
        local_branch = settings["local_branch"] or ("none" if is_published else None)
        return {
            "network": self.network,
            "embedding_dim": settings["dim"],
            "num_layers": settings["layers"],
            "num_heads": settings["heads"],
            "max_length": settings["max_length"],
            "dropout": settings["dropout"],
            "local_branch": local_branch,
            "loss": settings["loss"],
            "use_item_features": settings["item_features"],
            "pmi_init_scale": 0.0 if is_published else None,
            "training": {name: settings[name] for name in training}
            | {"ema_decay": 0.0 if is_published else None},
        }


class SASRec(_SequenceNetwork):
    """SASRec (Kang & McAuley, ICDM 2018) by softmax; loss="bce" is the published loss.

    Example:
        >>> import plait
        >>> from plait import models
        >>> rows = [(f"u{n}", f"i{(n + t) % 5}", t) for n in range(10) for t in range(1, 4)]
        >>> train = plait.Dataset.from_arrays(*zip(*rows))
        >>> len(models.SASRec(dim=8, epochs=1).fit(train).recommend(["u0"], k=2))
        2
    """

    network = "sasrec"


class BERT4Rec(_SequenceNetwork):
    """BERT4Rec (Sun et al., CIKM 2019) with smoothed labels and vectors from co-occurrence.

    Example:
        >>> import plait
        >>> from plait import models
        >>> rows = [(f"u{n}", f"i{(n + t) % 5}", t) for n in range(10) for t in range(1, 4)]
        >>> train = plait.Dataset.from_arrays(*zip(*rows))
        >>> len(models.BERT4Rec(dim=8, epochs=1).fit(train).recommend(["u0"], k=2))
        2
    """

    network = "bert4rec"


class GRU4Rec(_SequenceNetwork):
    """GRU4Rec (Hidasi et al., ICLR 2016), trained by softmax instead of BPR-max.

    Example:
        >>> import plait
        >>> from plait import models
        >>> rows = [(f"u{n}", f"i{(n + t) % 5}", t) for n in range(10) for t in range(1, 4)]
        >>> train = plait.Dataset.from_arrays(*zip(*rows))
        >>> len(models.GRU4Rec(dim=8, epochs=1).fit(train).recommend(["u0"], k=2))
        2
    """

    network = "gru"


class HSTU(_SequenceNetwork):
    """HSTU (Zhai et al., ICML 2024), trained by softmax over all instead of sampled items.

    Example:
        >>> import plait
        >>> from plait import models
        >>> rows = [(f"u{n}", f"i{(n + t) % 5}", t) for n in range(10) for t in range(1, 4)]
        >>> train = plait.Dataset.from_arrays(*zip(*rows))
        >>> len(models.HSTU(dim=8, epochs=1).fit(train).recommend(["u0"], k=2))
        2
    """

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

    Example:
        >>> import plait
        >>> from plait import models
        >>> rows = [(f"u{n}", f"i{(n + t) % 5}", t) for n in range(10) for t in range(1, 4)]
        >>> train = plait.Dataset.from_arrays(*zip(*rows))
        >>> len(models.LightGCN(dim=8, epochs=1).fit(train).recommend(["u0"], k=2))
        2
    """

    stage_name = "graph"
    argument_names = MappingProxyType({"embedding_dim": "dim", "num_layers": "layers"})

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

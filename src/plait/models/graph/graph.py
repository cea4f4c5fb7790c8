"""Vectors spread over the graph of who took what, and of what is known about items.

LightGCN (He et al., SIGIR 2020): an item's vector is the mean over layers of what reaches it, each
layer one step from items over their users to other items. Users have no vector of their own:

    user = sum over the history of decay^age / sqrt(takers of the item) * (what the item lends)

and that is the fold-in too, so everybody is answered from the history in the question, known or
not. In training the item that is to be found is left out of the sum. Cosines are learned by a
softmax over items, instead of one negative at a time (Wu et al., TOIS 2024).

With `knowledge` the graph also holds entities, values of fields and ends of facts, one weight
a relation, in the line of knowledge graph attention (KGAT; Wang et al., KDD 2019) with one weight
in place of attention. Then an item that nobody took, or that came after the fit, has the vector
that its entities give it; an item without event and entity is NaN. So is everything where neither
a user with two items nor an entity says anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy import sparse

from plait.data.catalogue import Catalogue
from plait.data.types import ABSENT, Dataset, Float32Array, Int32Array, Int64Array, QueryBatch
from plait.errors import BundleError, InputError
from plait.features.interactions import interaction_matrix, query_history
from plait.features.item_changes import Changes
from plait.features.side_information import SideFeatures, of_facts
from plait.features.sparse_rows import decayed_history
from plait.features.vocabulary import Vocabulary, stable_order
from plait.pipeline.array_files import read_arrays, write_arrays
from plait.pipeline.constraints import Limit, bounded_field
from plait.pipeline.dense import DenseScorer
from plait.pipeline.fit_context import FitContext, ValidationSet
from plait.pipeline.search_space import Range, tunable
from plait.training.config import TrainingConfig
from plait.utils.optional_imports import require_extra

__all__ = ["Fresh", "Graph", "GraphConfig"]


@dataclass(frozen=True, slots=True)
class GraphConfig:
    """What `graph` can be told."""

    use_triples: bool = True
    """Whether fields and facts are part of the graph."""
    embedding_dim: int = tunable(64, Range(16, 256, log=True), Limit(least=1))
    """Numbers in a vector."""
    num_layers: int = tunable(2, Range(1, 4), Limit(least=0))
    """Steps over users (and entities) that a vector is spread; 0, without knowledge: none."""
    num_negatives: int = tunable(1024, Range(128, 8192, log=True), Limit(least=0))
    """Items that the right one is compared with, drawn anew each step; 0: all."""
    temperature: float = tunable(0.1, Range(0.03, 0.5, log=True), Limit(above=0))
    """Cosines are divided by this: the smaller, the more the nearest wrong item counts."""
    dropout: float = tunable(0.1, Range(0.0, 0.5), Limit(least=0, below=1))
    """How often, in training, an item must do without its own vector."""
    min_entity_items: int = bounded_field(2, Limit(least=1))
    """Of how many items something must be said to be an entity."""
    basket_decay: float = tunable(0.7, Range(0.2, 1.0), Limit(least=0, most=1))
    """What a basket of the history counts against the one after it."""
    max_baskets: int = bounded_field(50, Limit(least=0))
    """How many baskets back are read; 0: all."""
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(
            epochs=20, batch_size=4096, learning_rate=0.01, patience=3
        )
    )
    """How it is trained: see docs/training.md."""


@dataclass(frozen=True, slots=True, eq=False)
class Fresh:
    """Items that nobody had taken at the fit and that came or changed since; float32 [N, D]."""

    changes: Changes
    vectors: Float32Array


class Graph(DenseScorer[GraphConfig]):
    """Scores an item by the cosine of its vector and the user's."""

    Config = GraphConfig
    test_variants = (
        {"use_triples": False, "num_negatives": 4, "training": {"epochs": 2, "batch_size": 64}},
    )

    def __init__(self, config: GraphConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        none = np.zeros((0, 1), np.float32)
        self._items: Float32Array = none
        """Unit vectors [n, D], NaN where unknown."""
        self._lent: Float32Array = none
        """What items give to the users who took them [n, D]."""
        self._entities: Float32Array = none
        """What entities give to items [E, D], times the weight of their relation."""
        self._taken = np.zeros(0, np.bool_)
        self._epochs = 0
        """For how many epochs it was trained; what a fit without anything held out goes by."""
        self._sides = SideFeatures([], {})

    def _check(self) -> None:
        if self.config.use_triples and not self.config.num_layers:
            raise InputError(
                f"{self.name}.num_layers is 0, not 1 or more as use_triples needs",
                hint="knowledge = false",
                field=f"{self.name}.num_layers",
            )

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """Trained for all epochs: nothing is held out."""
        return self.train(dataset, FitContext(seed))

    def train(self, dataset: Dataset, context: FitContext) -> Self:
        """Trained until what is held out is ranked no better, or for as long as that once took.

        Raises MissingExtraError without torch, and what `plait.training.trainer.train` raises.
        """
        require_extra(f"the stage {self.name!r}")
        fitted = type(self)(self.config, name=self.name)
        fitted._taken = np.bincount(dataset.interactions.items, minlength=dataset.n_items) > 0
        _Fitting(self.config, dataset).into(fitted, context, self._epochs)
        return fitted

    def update(self, catalogue: Catalogue, version: int, previous: Any) -> Fresh | None:
        """Vectors of items that nobody had taken, from their entities; None without knowledge."""
        if not self.config.use_triples:
            return None
        old = previous
        if not isinstance(old, Fresh):
            blank = np.zeros((0, self._items.shape[1]), np.float32)
            old = Fresh(Changes.none(version), blank)
        numbers = old.changes.looked(catalogue)
        known = numbers < len(self._taken)
        known[known] = self._taken[numbers[known]]
        numbers = numbers[~known]
        features = self._sides.matrix(catalogue, numbers.tolist(), [])
        vectors = [old.vectors[old.changes.kept(numbers)], self._told(features)]
        return Fresh(old.changes.extended(catalogue, numbers), np.concatenate(vectors))

    def score_all(self, queries: QueryBatch) -> Float32Array:
        """float32 [B, n]: cosines; NaN for unknown items and for histories without a known one."""
        items, lent = self._tables(queries)
        taken = decayed_history(
            query_history(queries), self.config.basket_decay, len(items), self.config.max_baskets
        )
        known = taken.where(~np.isnan(items[taken.columns, 0]))
        users = _unit(known.projected(lent))
        users[np.diff(known.offsets) == 0] = np.nan
        found: Float32Array = users @ items.T
        return found

    def explain(self, queries: QueryBatch, numbers: Int32Array) -> Int32Array:
        """The item of the history that adds most to each candidate's score."""
        items, lent = self._tables(queries)
        taken = decayed_history(
            query_history(queries), self.config.basket_decay, len(items), self.config.max_baskets
        )
        known = taken.where(~np.isnan(items[taken.columns, 0])).sum_duplicates()
        found = np.full(numbers.shape, ABSENT, np.int32)
        for row in range(len(queries)):
            part = slice(known.offsets[row], known.offsets[row + 1])
            mine, worth = known.columns[part], known.weights[part]
            there = (numbers[row] >= 0) & (numbers[row] < len(items))
            there[there] = ~np.isnan(items[numbers[row][there], 0])
            if len(mine) and there.any():
                like = (items[numbers[row][there]] @ lent[mine].T) * worth
                found[row, there] = mine[like.argmax(axis=1)]
        return found

    def save(self, folder: Path) -> None:
        """Write vectors and vocabulary."""
        arrays = {
            "items": self._items,
            "lent": self._lent,
            "entities": self._entities,
            "taken": self._taken,
        }
        write_arrays(folder / "graph.safetensors", arrays)
        told = {"words": self._sides.words, "edges": self._sides.edges, "epochs": self._epochs}
        (folder / "sides.json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        """Map what `save` wrote; BundleError if it is not whole."""
        loaded = cls(config, name=name)
        arrays = read_arrays(folder / "graph.safetensors")
        try:
            told = json.loads((folder / "sides.json").read_text(encoding="utf-8"))
            loaded._sides = SideFeatures(told["words"], told["edges"])
            loaded._items, loaded._lent = arrays["items"], arrays["lent"]
            loaded._entities, loaded._taken = arrays["entities"], arrays["taken"]
            loaded._epochs = int(told.get("epochs", 0))  # 0: of before they were kept
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise BundleError(f"cannot read the graph: {problem}", hint="fit again") from problem
        return loaded

    def _tables(self, queries: QueryBatch) -> tuple[Float32Array, Float32Array]:
        """Unit vectors and what is lent, with the items that came after the fit."""
        fresh = None if queries.live is None else queries.live.deltas.get(self.name)
        if not isinstance(fresh, Fresh) or not len(fresh.changes.numbers):
            return self._items, self._lent
        numbers = fresh.changes.numbers
        size = max(len(self._items), int(numbers.max()) + 1)
        wide = np.full((2, size, self._items.shape[1]), np.nan, np.float32)
        wide[0, : len(self._items)] = self._items
        wide[1, : len(self._items)] = self._lent
        wide[0, numbers] = _unit(fresh.vectors)
        wide[1, numbers] = fresh.vectors
        return wide[0], wide[1]

    def _told(self, features: sparse.csr_matrix) -> Float32Array:
        """float32 [N, D]: what entities give to items; NaN for items without."""
        found = np.asarray(features @ self._entities, np.float32)
        found[np.diff(features.indptr) == 0] = np.nan
        return found


class _Fitting:
    """One fit: items and users with an event, in an order that renumbering does not change."""

    def __init__(self, config: GraphConfig, dataset: Dataset) -> None:
        self._config, self._dataset = config, dataset
        self._users = stable_order(dataset.interactions.users, dataset.users)
        self._items = Vocabulary.of(dataset)
        told = of_facts(dataset.triples, dataset.n_items) if config.use_triples else []
        self._facts = told
        self._sides = SideFeatures([], {})
        if config.use_triples:
            self._sides = SideFeatures.learned(
                dataset.catalogue, told, least=config.min_entity_items, most=0.5, ranges=0
            )

    def into(self, stage: Graph, context: FitContext, best: int) -> None:
        """Train, and put into `stage` what it needs to answer."""
        if not len(self._items):
            return
        from plait.models.graph.lightgcn import GraphEdges, LightGCNConfig, trained, validation

        config, numbers = self._config, self._items.numbers
        spread = LightGCNConfig(
            config.embedding_dim,
            config.num_layers,
            config.num_negatives,
            config.temperature,
            config.dropout,
        )
        taken = _normal(interaction_matrix(self._dataset)[self._users][:, numbers])
        about = self._about(numbers)
        groups = _groups(self._sides.words)
        told = [_normal(_only(about, group)) for group in groups]
        rarity = np.float32(1) / _popularity(taken)
        validate = None
        if context.held is not None:
            asked = self._asked(context.held, rarity)
            validate = validation(context.held, self._items.rows, asked)
        learned = trained(
            GraphEdges(taken, told),
            spread,
            config.training,
            context,
            validate=validate,
            best=best,
            identity=self._identity(taken, told),
        )
        if not learned.epochs and not groups:
            return  # nobody took two items: the vectors are as they were drawn, which is noise
        layers = learned.layers
        stage._sides, stage._epochs = self._sides, learned.epochs
        stage._entities = _weighted(layers.entities, groups, learned.weights, about)
        self._placed(stage, layers.items, layers.lent * rarity[:, None], groups)

    def _asked(self, held: ValidationSet, rarity: Float32Array) -> sparse.csr_matrix:
        """float32 [B, n]: what the items of each question's history count, as in `Graph.dense`."""
        config = self._config
        size = self._dataset.n_items
        taken = decayed_history(
            query_history(held.queries), config.basket_decay, size, config.max_baskets
        )
        placed = self._items.placed(taken)
        weights = (placed.weights * rarity[placed.columns]).astype(np.float32)
        shape = (len(placed), len(self._items))
        return sparse.csr_matrix((weights, placed.columns, placed.offsets), shape=shape)

    def _identity(
        self, taken: sparse.csr_matrix, told: list[sparse.csr_matrix]
    ) -> dict[str, object]:
        """What an interrupted fit is known by."""
        from plait.training.reproducibility import fingerprint, identity_of

        edges = [part for one in told for part in (one.indptr, one.indices)]
        return identity_of(
            "graph",
            self._config,
            vocabulary=fingerprint(self._items.numbers),
            histories=fingerprint(taken.indptr, taken.indices),
            knowledge=fingerprint(*edges),
        )

    def _about(self, items: Int32Array | Int64Array) -> sparse.csr_matrix:
        return self._sides.matrix(self._dataset.catalogue, items.tolist(), self._facts)

    def _placed(
        self, stage: Graph, items: Float32Array, lent: Float32Array, groups: list[Int64Array]
    ) -> None:
        size = (self._dataset.n_items, items.shape[1])
        stage._items, stage._lent = (np.full(size, np.nan, np.float32) for _ in range(2))
        numbers = self._items.numbers
        stage._items[numbers], stage._lent[numbers] = _unit(items), lent
        rest = np.flatnonzero(~stage._taken & self._dataset.catalogue.alive)
        if len(self._sides.words) and len(rest):
            vectors = stage._told(_by_relation(self._about(rest), groups))
            stage._items[rest], stage._lent[rest] = _unit(vectors), vectors


def _popularity(taken: sparse.csr_matrix) -> Float32Array:
    """float32 [n]: the square root of how many users took each item."""
    counts = np.bincount(taken.indices, minlength=taken.shape[1])
    root: Float32Array = np.sqrt(np.maximum(counts, 1)).astype(np.float32)
    return root


def _normal(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Ones divided by the square roots of how many there are in the row and in the column."""
    found = matrix.tocsr().copy()
    found.data = np.ones(found.nnz, np.float32)
    rows = np.sqrt(np.maximum(np.diff(found.indptr), 1))
    columns = np.sqrt(np.maximum(np.bincount(found.indices, minlength=found.shape[1]), 1))
    scaled = sparse.diags_array(1 / rows) @ found @ sparse.diags_array(1 / columns)
    return scaled.tocsr().astype(np.float32)


def _groups(words: list[str]) -> list[Int64Array]:
    """The places of the words of every relation: what stands before the first of = # > <."""
    names: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        name = word[: min(word.find(one) % (len(word) + 1) for one in "=#><") + 1]
        names.setdefault(name, []).append(place)
    return [np.array(names[name], np.int64) for name in sorted(names)]


def _only(matrix: sparse.csr_matrix, columns: Int64Array) -> sparse.csr_matrix:
    """The same matrix with nothing outside `columns`."""
    kept = np.zeros(matrix.shape[1], np.float64)
    kept[columns] = 1
    found = (matrix @ sparse.diags_array(kept)).tocsr()
    found.eliminate_zeros()
    return found


def _by_relation(about: sparse.csr_matrix, groups: list[Int64Array]) -> sparse.csr_matrix:
    """The same entries; those of a row have length 1 within each relation, as in a fit."""
    found = about.tocsr().copy()
    relation = np.zeros(found.shape[1], np.int64)
    for place, group in enumerate(groups):
        relation[group] = place
    rows = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr))
    cells = rows * len(groups) + relation[found.indices]
    found.data = 1 / np.sqrt(np.bincount(cells)[cells])
    return found


def _weighted(
    entities: Float32Array,
    groups: list[Int64Array],
    weights: Float32Array,
    about: sparse.csr_matrix,
) -> Float32Array:
    """float32 [E, D]: what an entity gives to one item more, its relation's weight included."""
    counts = np.bincount(about.indices, minlength=len(entities))
    scale = np.zeros(len(entities), np.float32)
    for group, weight in zip(groups, weights, strict=True):
        scale[group] = weight / np.sqrt(np.maximum(counts[group], 1))
    weighted: Float32Array = (entities * scale[:, None]).astype(np.float32)
    return weighted


def _unit(rows: Float32Array) -> Float32Array:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units: Float32Array = rows / np.maximum(lengths, np.float32(1e-12))
    return units

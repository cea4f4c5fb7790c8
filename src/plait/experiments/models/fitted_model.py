"""A fitted model: lists for many users, scores of pairs, similar items, as frames."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from plait.data import dataset as arrays
from plait.data.array_types import BoolArray, Float32Array, Int32Array, Int64Array
from plait.data.candidates import CandidateLists
from plait.data.query_batch import QueryBatch
from plait.data.ragged import Ragged
from plait.data.state_view import StateView
from plait.errors import InputError, NotFoundError
from plait.experiments.argument_checks import check_fit
from plait.experiments.data.dataset import Dataset
from plait.experiments.data.dataset_join import joined
from plait.experiments.data.list_frames import is_several, list_frame, listed_items, read_pairs
from plait.experiments.models.fit_data import FitData, fit_stage, queries_for, seen_items
from plait.experiments.models.fit_options import reported_progress, run_name, trackers_of
from plait.experiments.models.vector_table import VectorTable
from plait.ingest.list_frames import read_distinct_ids, read_ids
from plait.pipeline.batch_inference import batch_size, in_batches
from plait.pipeline.fit_context import FitContext, Progress
from plait.pipeline.stage import (
    Fittable,
    RatingPredictor,
    Retriever,
    Scorer,
    Stage,
    VectorModel,
    WarmStarter,
)
from plait.pipeline.stage_calls import retrieve_items, score_items
from plait.ranking.filters.filter_expression import compile_filter
from plait.state import DatasetState
from plait.training.callbacks import callbacks_of
from plait.utils.number_arguments import whole_number

if TYPE_CHECKING:
    import polars as pl

__all__ = ["FittedModel"]

ModelT = TypeVar("ModelT")

_USERS_IN_BATCH = 512
"""Users whose vectors are computed together."""


@dataclass(frozen=True, eq=False, repr=False)
class FittedModel(Generic[ModelT]):
    """A fitted model with the data that it was fitted on.

    Attributes:
        model: The model with its settings, not fitted.
        stage: The fitted stage, as recipes use it.
        dataset: The training data; its interactions are the histories of the users.
        event_weights: Weights by event type; events of weight 0 or less are no evidence.
        weight: "value" if interactions count in proportion to their value; None: they do not.
        warm_started: Whether `update` went on from an earlier fit.
    """

    model: ModelT
    stage: Stage
    dataset: Dataset
    event_weights: dict[str, float]
    weight: str | None = None
    warm_started: bool = False

    @property
    def notes(self) -> dict[str, Any]:
        """How the model was fitted, for a saved model: arguments of the constructor by name."""
        return {"weight": self.weight, "warm_started": self.warm_started}

    def update(
        self,
        new_events: Any,
        *,
        validation: arrays.Dataset | None = None,
        seed: int = 0,
        progress: Progress | bool | None = None,
        trackers: Any = (),
        callbacks: Any = (),
    ) -> FittedModel[ModelT]:
        """Fit on the training data and new events together. This model stays as it is.

        IALS and the networks over histories go on from what they learned; without `validation` a
        network trains for as many epochs as were best before. All other models are fitted anew,
        which for models that count or are solved in closed form is the same. `warm_started` of the
        result says which it was.

        Args:
            new_events: A data set, or anything that `plait.Dataset.of` reads. Its users and items
                may be new.
            validation: As for `fit`, with the users and items of the joined data.
            seed: The seed of random choices.
            progress: As for `fit`.
            trackers: As for `fit`.
            callbacks: As for `fit`.

        Returns:
            A fitted model; its `dataset` holds all events.

        Raises:
            InputError: If the events cannot be read, or only some of all have times.
        """
        if not isinstance(self.stage, Fittable):
            message = f"{type(self).__name__} cannot be updated"
            raise InputError(message, hint="update its models, and fuse them again")
        check_fit(self.dataset, validation, seed)
        new = new_events
        if not isinstance(new, arrays.Dataset):
            new = Dataset.of(new_events)
        data = FitData(joined(self.dataset, new), validation, self.event_weights, self.weight)
        is_warm = isinstance(self.stage, WarmStarter) and self.stage.can_warm_start
        with reported_progress(progress) as report:
            context = FitContext(
                seed=int(seed),
                progress=report,
                trackers=trackers_of(trackers, None),
                callbacks=callbacks_of(callbacks),
                name=run_name(type(self.model).__name__),
                warm_start=is_warm,
            )
            stage = fit_stage(self.stage, data, context)
        return replace(self, stage=stage, dataset=data.train, warm_started=is_warm)

    def save(self, path: str | Path) -> None:
        """Write the model to a folder, which `plait.models.load` reads.

        The folder holds settings, what was learned, event weights and the training data, as JSON
        and safetensors.

        Args:
            path: The folder. It may hold a saved model, which is replaced, or nothing.

        Raises:
            InputError: If the folder holds any other file, or the class is none of `plait.models`.
            StorageError: If the folder cannot be written.
        """
        from plait.experiments.models.model_files import save

        save(self, path)

    def recommend(
        self,
        users: Any = None,
        k: int = 10,
        *,
        seen: Any = "remove",
        filter: str | None = None,  # noqa: A002  the word of the other routes
    ) -> pl.DataFrame:
        """Recommend items to many users.

        Args:
            users: Ids, or a data set or frame whose users are meant, each once; None: all users of
                the training data. An unknown user has an empty history.
            k: How many items for each.
            seen: "remove": nothing that the user interacted with in training; "keep": seen items
                too; a data set, a frame or pairs: nothing that the user interacted with there, by
                ids; a list of several, such as ["remove", validation]: nothing of any of them.
            filter: An expression over item fields, such as `price < 20`; only items that meet it.

        Returns:
            The columns user, item, rank (from 1) and score, by user in the order of `users`. A user
            of whom the model knows nothing has no rows.

        Raises:
            InputError: If k is below 1, or users, the filter or `seen` are not valid.
        """
        k = whole_number(k, "k", least=1)
        ids = self._ids_of(users)
        queries = self._queries(self.dataset.users.numbers(ids))
        mask = self._mask(filter)
        queries = replace(queries, mask=mask, blocked=self._blocked(ids, queries, seen), k=k)
        return list_frame(ids, self._best_items(queries), self.dataset.catalogue.ids)

    def scores(self, pairs: Any) -> pl.DataFrame:
        """Score pairs of a user and an item.

        Args:
            pairs: A frame with the columns user and item, or an iterable of (user, item).

        Returns:
            The columns user, item and score, in the order of the pairs: the model's raw score, null
            where it cannot score; and rating, for models that predict ratings.
        """
        import polars as pl

        if not isinstance(self.stage, Scorer):
            raise InputError(f"{self.model!r} has no scores")
        table = read_ids(pairs, "pairs")
        users, items = table["user"].to_list(), table["item"].to_list()
        distinct = dict.fromkeys(users)
        rows = dict(zip(distinct, range(len(distinct)), strict=True))
        owners = np.array([rows[user] for user in users], np.int64)
        order = np.argsort(owners, kind="stable")
        counts = np.bincount(owners, minlength=len(rows))
        numbers = self.dataset.catalogue.numbers(items)
        padded = Ragged.from_lengths(numbers[order], counts.astype(np.int64)).to_padded()
        queries = self._queries(self.dataset.users.numbers(distinct))
        columns: dict[str, Float32Array] = {"score": self._scored(queries, padded, counts, order)}
        if isinstance(self.stage, RatingPredictor) and self.stage.can_predict_ratings:
            columns["rating"] = columns["score"]
        frame = pl.DataFrame({"user": users, "item": items, **columns})
        return frame.with_columns(pl.col(name).fill_nan(None) for name in columns)

    def similar(self, items: Any, k: int = 10) -> pl.DataFrame:
        """Find items similar to others.

        Args:
            items: Ids of items, or a frame with a column of items, each once.
            k: How many for each.

        Returns:
            The columns item, similar, rank (from 1) and score. An item without evidence has no
            rows.

        Raises:
            NotFoundError: If an item is unknown.
            InputError: If k is below 1.
        """
        k = whole_number(k, "k", least=1)
        ids = read_distinct_ids(items, "item", "items")
        numbers = self.dataset.catalogue.numbers(ids)
        if len(numbers) and numbers.min() < 0:
            raise NotFoundError(f"no item {ids[int(numbers.argmin())]!r}", field="items")
        anchors = Ragged.from_lengths(numbers, np.ones(len(ids), np.int64))
        queries = replace(
            self._queries(np.full(len(ids), -1, np.int32)),
            items=anchors,
            blocked=anchors,
            mask=self.dataset.catalogue.alive[None],
            k=k,
        )
        frame = list_frame(ids, self._best_items(queries), self.dataset.catalogue.ids)
        return frame.rename({"item": "similar", "user": "item"})

    def search(
        self,
        texts: Iterable[str],
        k: int = 10,
        *,
        filter: str | None = None,  # noqa: A002  the word of the other routes
    ) -> pl.DataFrame:
        """Search items by text, with `BM25` and `Content`.

        Args:
            texts: Texts to search for.
            k: How many items for each.
            filter: As for `recommend`.

        Returns:
            The columns text, item, rank (from 1) and score. A text without a match has no rows.

        Raises:
            InputError: If k is below 1, texts are no list of texts, or the filter is not valid.
        """
        k = whole_number(k, "k", least=1)
        words = [] if isinstance(texts, str) else list(texts)
        if isinstance(texts, str) or not all(isinstance(text, str) for text in words):
            raise InputError(f"texts is {texts!r}, expected a list of texts", field="texts")
        queries = replace(
            self._queries(np.full(len(words), -1, np.int32)),
            texts=tuple(words),
            mask=self._mask(filter),
            k=k,
        )
        frame = list_frame(words, self._best_items(queries), self.dataset.catalogue.ids)
        return frame.rename({"user": "text"})

    @property
    def item_vectors(self) -> VectorTable:
        """The vectors of the items that have one, by id.

        Raises:
            InputError: If the model has no vectors.
        """
        return VectorTable.of(self.dataset.catalogue.ids, self._vector_model.item_vectors())

    @property
    def user_vectors(self) -> VectorTable:
        """The vectors of the users of the training data, computed from their histories.

        The model orders items by the product of these with `item_vectors`.

        Raises:
            InputError: If the model has no vectors.
        """
        model, ids = self._vector_model, self.dataset.user_ids
        queries = self._queries(self.dataset.users.numbers(ids))

        def vectors(_start: int, batch: QueryBatch) -> Float32Array:
            return model.user_vectors(batch)

        parts = [part for _, part in in_batches(queries, vectors, size=_USERS_IN_BATCH)]
        return VectorTable.of(ids, np.concatenate(parts) if parts else np.zeros((0, 1), np.float32))

    @property
    def _vector_model(self) -> VectorModel:
        if not isinstance(self.stage, VectorModel):
            raise InputError(
                f"{type(self.model).__name__} has no vectors",
                hint="IALS, BPR, SVDpp, LightGCN, Vectors and the networks have",
            )
        return self.stage

    def _best_items(self, queries: QueryBatch) -> list[CandidateLists]:
        """The best `queries.k` items of each query with their scores, batch by batch."""
        if not isinstance(self.stage, Retriever) or not isinstance(self.stage, Scorer):
            raise InputError(f"{self.model!r} does not recommend items")
        retriever, scorer = self.stage, self.stage
        queries = replace(queries, k=min(queries.k, max(1, self.dataset.n_items)))

        def best(_start: int, batch: QueryBatch) -> CandidateLists:
            numbers = retrieve_items(retriever, batch, batch.k).item_numbers
            return CandidateLists(numbers, {"score": score_items(scorer, batch, numbers)})

        size = batch_size(self.dataset.n_items)
        return [part for _, part in in_batches(queries, best, size=size)]

    def _queries(self, users: Int32Array) -> QueryBatch:
        queries = queries_for(self.dataset, users, self.event_weights, self.weight)
        return replace(queries, live=StateView(DatasetState.of(self.dataset), {}))

    def _mask(self, expression: Any) -> BoolArray:
        """The items that are alive and meet a filter, bool [1, n]."""
        mask = self.dataset.catalogue.alive[None]
        if expression is None:
            return mask
        if not isinstance(expression, str):
            message = f"filter is {expression!r}, expected a text such as 'price < 20'"
            raise InputError(message, field="filter")
        return mask & compile_filter(expression).mask(self.dataset.catalogue)

    def _ids_of(self, users: Any) -> list[str]:
        if users is None:
            return self.dataset.user_ids
        if isinstance(users, arrays.Dataset):
            return Dataset.from_snapshot(users).user_ids
        return read_distinct_ids(users, "user", "users")

    def _blocked(self, ids: list[str], queries: QueryBatch, seen: Any) -> Ragged | None:
        """The items that each user must not get; None: none."""
        if isinstance(seen, str) and seen == "keep":
            return None
        sources = seen if is_several(seen) else [seen]
        rows = [
            queries.seen
            if isinstance(part, str) and part == "remove"
            else self._items_in(ids, part)
            for part in sources
        ]
        return functools.reduce(Ragged.hstack, rows)

    def _items_in(self, ids: list[str], seen: Any) -> Ragged:
        """The items of users in other interactions, B rows."""
        if isinstance(seen, arrays.Dataset):
            return seen_items(self.dataset, seen, ids)
        if seen is None or isinstance(seen, str):
            message = f"seen is {seen!r}, expected 'remove', 'keep', a data set or a frame"
            raise InputError(message, field="seen")
        return listed_items(read_pairs(seen, "seen"), ids, self.dataset.catalogue)

    def _scored(
        self, queries: QueryBatch, numbers: Int32Array, counts: Int64Array, order: Int64Array
    ) -> Float32Array:
        """The scores of padded items [B, K] in the order of the pairs, float32 [N]."""
        assert isinstance(self.stage, Scorer)
        scorer = self.stage
        size = batch_size(self.dataset.n_items)

        def scored(start: int, batch: QueryBatch) -> Float32Array:
            return score_items(scorer, batch, numbers[start : start + len(batch)])

        parts = [part for _, part in in_batches(queries, scored, size=size)]
        dense = np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)
        is_pair = np.arange(dense.shape[1]) < counts[:, None]
        scores = np.empty(len(order), np.float32)
        scores[order] = dense[is_pair]
        return scores

    def __repr__(self) -> str:
        return f"{self.model!r} fitted on {str(self.dataset).partition(chr(10))[0]}"

"""A fitted model: lists for many users, scores of pairs, similar items, as frames."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from plait.data import dataset as arrays
from plait.data.array_types import BoolArray, Float32Array, Int32Array
from plait.data.query_batch import QueryBatch
from plait.data.ragged import Ragged
from plait.data.state_view import StateView
from plait.errors import InputError, NotFoundError
from plait.experiments.data.dataset import Dataset
from plait.experiments.data.dataset_join import joined
from plait.experiments.data.list_frames import list_frame
from plait.experiments.models.fit_data import queries_for
from plait.experiments.models.item_lists import (
    allowed_items,
    best_items,
    blocked_items,
    pair_scores,
)
from plait.experiments.models.query_requests import QueryRequests, read_queries
from plait.experiments.models.updates import WARM_SHARE, UpdateOptions, updated
from plait.experiments.models.vector_table import VectorTable
from plait.ingest.list_frames import read_distinct_ids, read_ids
from plait.pipeline.batch_inference import batch_size, in_batches
from plait.pipeline.fit_context import Progress
from plait.pipeline.stage import (
    RatingPredictor,
    Stage,
    VectorModel,
)
from plait.state import DatasetState
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
        weight: "value" or "log" if interactions count by their value; None: they do not.
        warm_started: Whether `update` went on from an earlier fit.

    Example:
        >>> import plait
        >>> from plait import models
        >>> train = plait.Dataset.from_arrays("aabbbc", "xyxyzx")
        >>> fitted = models.EASE(l2=1.0).fit(train)
        >>> fitted.recommend(["c"], k=1)["item"].to_list()
        ['y']
        >>> fitted.recommend(plait.Query(history=("z",)), k=1)["item"].to_list()
        ['y']
        >>> fitted.similar(["x"], k=1)["similar"].to_list()
        ['y']
        >>> fitted.scores([("a", "z"), ("nobody", "z")])["score"].is_null().to_list()
        [False, True]
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
        share: float = WARM_SHARE,
        progress: Progress | bool | None = None,
        trackers: Any = (),
        callbacks: Any = (),
    ) -> FittedModel[ModelT]:
        """Fit on the training data and new events together. This model stays as it is.

        IALS, BPR, SVDpp, LightGCN and the networks over histories go on from what they learned, for
        a share of their first epochs, rounds or samples; vectors of new users and items are drawn
        as in a first fit. All others count or are solved in closed form, and are fitted anew to the
        same result as a first fit on all events. `warm_started` of the result says which it was.

        Args:
            new_events: A data set, or anything that `plait.Dataset.of` reads. Its users and items
                may be new.
            validation: As for `fit`, with the users and items of the joined data.
            seed: The seed of random choices.
            share: The share of its first epochs, rounds or samples that a model makes which goes
                on; 1: as many as the first time. Without `validation` a network has as many as
                were best before, with it the most that its settings allow, and patience.
            progress: As for `fit`.
            trackers: As for `fit`.
            callbacks: As for `fit`.

        Returns:
            A fitted model; its `dataset` holds all events.

        Raises:
            InputError: If the events cannot be read, only some of all have times, or another
                argument is wrong.
        """
        options = UpdateOptions(validation, seed, share, progress, trackers, callbacks)
        return updated(self, self._with_events(new_events), options)

    def _with_events(self, new_events: Any) -> Dataset:
        """The training data and new events."""
        new = new_events
        if not isinstance(new, arrays.Dataset):
            new = Dataset.of(new_events)
        return joined(self.dataset, new)

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
        k: int | None = None,
        *,
        seen: Any = "remove",
        filter: str | None = None,  # noqa: A002  the word of the other routes
        items: Any = None,
    ) -> pl.DataFrame:
        """Recommend items to many users, or answer queries.

        Args:
            users: Ids, or a data set or frame whose users are meant, each once; None: all users of
                the training data. An unknown user has an empty history. Or a `plait.Query`, or a
                list of them: with a history of its own, which is appended to what is known of the
                user, and with items, text, context, filter, candidates or a time.
            k: How many items for each; None: 10, or as each query says.
            seen: "remove": nothing that the user interacted with in training; "keep": seen items
                too; a data set, a frame or pairs: nothing that the user interacted with there, by
                ids; a list of several, such as ["remove", validation]: nothing of any of them. What
                a query says of seen items goes first.
            filter: An expression over item fields, such as `price < 20`; only items that meet it.
            items: Ids, or a table with a column of items: only these are recommended. None: all.

        Returns:
            The columns user, item, rank (from 1) and score, by user in the order of `users`. A user
            of whom the model knows nothing has no rows. For queries there is the column query
            before them, the place in the list from 0, and user is null where there is none.

        Raises:
            InputError: If k is below 1, users, items, the filter or `seen` are not valid, or a
                query states what only a home answers, such as pins.
            NotFoundError: If a query starts from an item that is unknown.
        """
        catalogue = self.dataset.catalogue
        if (requests := read_queries(users, k)) is not None:
            return self._answers(requests, seen, allowed_items(catalogue, filter, items))
        k = whole_number(10 if k is None else k, "k", least=1)
        ids = self._ids_of(users)
        queries = self._queries(self.dataset.users.numbers(ids))
        mask = allowed_items(catalogue, filter, items)
        blocked = blocked_items(self.dataset, ids, queries, seen)
        return self._lists(ids, replace(queries, mask=mask, blocked=blocked, k=k))

    def scores(self, pairs: Any) -> pl.DataFrame:
        """Score pairs of a user and an item.

        Args:
            pairs: A frame with the columns user and item, or an iterable of (user, item).

        Returns:
            The columns user, item and score, in the order of the pairs: the model's raw score, null
            where it cannot score; and rating, for models that predict ratings.
        """
        import polars as pl

        table = read_ids(pairs, "pairs")
        users, items = table["user"].to_list(), table["item"].to_list()
        distinct = dict.fromkeys(users)
        rows = dict(zip(distinct, range(len(distinct)), strict=True))
        owners = np.array([rows[user] for user in users], np.int64)
        numbers = self.dataset.catalogue.numbers(items)
        queries = self._queries(self.dataset.users.numbers(distinct))
        columns = {"score": pair_scores(self.stage, queries, owners, numbers, self.dataset.n_items)}
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
        return self._lists(ids, queries).rename({"item": "similar", "user": "item"})

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
            mask=allowed_items(self.dataset.catalogue, filter),
            k=k,
        )
        return self._lists(words, queries).rename({"user": "text"})

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

    def _lists(self, owners: list[str], queries: QueryBatch) -> pl.DataFrame:
        """The best items of each query: the columns user (its owner), item, rank and score."""
        catalogue = self.dataset.catalogue
        return list_frame(owners, best_items(self.stage, queries, len(catalogue)), catalogue.ids)

    def _answers(self, requests: QueryRequests, seen: Any, every: BoolArray) -> pl.DataFrame:
        """The lists of queries, part by part: each query may have a mask of its own."""
        import polars as pl

        catalogue, frames = self.dataset.catalogue, []
        allowed = functools.cache(functools.partial(allowed_items, catalogue))
        for start, part in requests.batches(batch_size(len(catalogue))):
            known = self._queries(self.dataset.users.numbers(part.users))
            queries = part.batch(known, catalogue, lambda own: every & allowed(own))
            default = blocked_items(self.dataset, part.users, queries, seen)
            queries = replace(queries, blocked=part.blocked(queries, default))
            frames.append(part.frame(self._lists(part.places, queries), start))
        return pl.concat(frames)

    def _queries(self, users: Int32Array) -> QueryBatch:
        queries = queries_for(self.dataset, users, self.event_weights, self.weight)
        return replace(queries, live=StateView(DatasetState.of(self.dataset), {}))

    def _ids_of(self, users: Any) -> list[str]:
        if users is None:
            return self.dataset.user_ids
        if isinstance(users, arrays.Dataset):
            return Dataset.from_snapshot(users).user_ids
        return read_distinct_ids(users, "user", "users")

    def __repr__(self) -> str:
        return f"{self.model!r} fitted on {str(self.dataset).partition(chr(10))[0]}"

"""Users and items in one space: an item by id, words, text and pictures, a user by the history.

The item tower makes one vector of all that is known of an item; the user tower is the network of
`sequence` over these vectors. In training items lose their ids at random (DropoutNet, Volkovs et
al., NeurIPS 2017), so that the content of an item suffices: one that was put a second ago has a
vector, and its logits are raised or lowered by a bias that is learned on held-out events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from plait.data.array_types import Float32Array
from plait.data.catalogue import Catalogue
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.features.incremental_updates import ItemUpdates
from plait.models.image_vectors import ImageVectors, ImageVectorsConfig
from plait.models.multimodal.item_content import FrozenEncoders
from plait.models.multimodal.tower_space import TowerSpace
from plait.models.multimodal.unified_settings import UnifiedConfig
from plait.models.sequential.item_embedding_table import ItemVectors
from plait.models.sequential.item_logits import ItemLogits
from plait.models.sequential.sequential_recommender import NetworkShape, Sequence
from plait.models.text_vectors import TextVectors, TextVectorsConfig
from plait.pipeline.fit_context import FitContext
from plait.utils.optional_imports import require_extra

__all__ = ["Unified"]


class Unified(Sequence):
    """Scores an item by how likely it comes next, by its content where its id is new."""

    Config = UnifiedConfig
    config: UnifiedConfig
    fitted_state: ClassVar[Mapping[str, Any]] = {
        "_space": TowerSpace,
        "_shape": NetworkShape | None,
        "_weights": dict[str, np.ndarray],
        "_epochs": int,
        "_bias": float,
    }
    test_variants = (
        {"fusion": "gated", "training": {"epochs": 2, "batch_size": 64}},
        {"use_text": False, "training": {"epochs": 2, "batch_size": 64}},
    )

    def __init__(self, config: UnifiedConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._space: TowerSpace = TowerSpace.empty(self.config.features)
        self._encoders: FrozenEncoders = {}
        self._bias = 0.0
        self._tower: Any = None

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        """Restore a stage that `save` wrote.

        Args:
            config: The settings that the stage was fitted with.
            name: The name that the recipe gives the stage.
            folder: The folder that `save` wrote to.

        Returns:
            A fitted stage.

        Raises:
            BundleError: If a file is damaged, or an encoder is not the one of the fit.
            MissingExtraError: If the package of an encoder is not installed.
        """
        stage = super().load(config, name, folder)
        stage._encoders = {
            part: type(encoder).load(encoder.config, f"{name}.{part}", folder / part)
            for part, encoder in stage._unfitted_encoders().items()
            if (folder / part).is_dir()
        }
        return stage

    def save(self, folder: Path) -> None:
        super().save(folder)
        for part, encoder in self._encoders.items():
            (folder / part).mkdir(exist_ok=True)
            encoder.save(folder / part)

    def train(self, dataset: Dataset, context: FitContext) -> Self:
        """Encode the content of all items, train both towers, learn the bias of new items.

        Args:
            dataset: The data.
            context: How the stage is fitted.

        Raises:
            MissingExtraError: torch or the package of an encoder is not installed.
            InputError: A setting needs more memory than there is.
            PlaitError: What `plait.training.trainer.train` raises.
        """
        require_extra(f"the stage {self.name!r}")
        from plait.models.multimodal.unified_fit import fit_unified

        fitted = self.clone()
        fitted._encoders = {
            part: encoder.fit_with_progress(dataset, seed=context.seed, progress=context.progress)
            for part, encoder in self._unfitted_encoders().items()
        }
        result, bias = fit_unified(
            self.config, dataset, context, fitted._encoders, self._earlier_fit()
        )
        if result is not None:
            fitted._set(result)
            fitted._bias = self._bias if bias is None else bias
        return fitted

    def describe(self) -> dict[str, Any]:
        """Return the size of the fitted network, and the bias of new items."""
        described = super().describe()
        return {**described, "new_item_bias": round(self._bias, 3)} if described else {}

    def update(
        self, catalogue: Catalogue, version: int, previous: Any
    ) -> ItemUpdates[ItemVectors] | None:
        if self._shape is None or not self._space.fields(catalogue, self._encoders):
            return None
        require_extra(f"the stage {self.name!r}")
        from plait.models.multimodal.unified_fit import build_tower

        if self._tower is None:  # two threads may both build it: they build the same
            self._tower = build_tower(self._space, self.config, self._encoders)
        return self._space.update(catalogue, version, previous, self._encoders, self._tower)

    def item_vectors(self) -> Float32Array:
        """Return the vectors of items, float32 [n, D + 1], the last the bias; NaN for unknown."""
        vectors = super().item_vectors()
        bias = np.where(self._space.is_new(len(vectors)), self._bias, 0.0)
        return np.column_stack([vectors, bias]).astype(np.float32)

    def user_vectors(self, queries: QueryBatch) -> Float32Array:
        """Compute the states after histories; their products with `item_vectors` are the logits.

        Args:
            queries: B queries.

        Returns:
            float32 [B, D + 1], the last 1; NaN without a known item in the history.
        """
        states = super().user_vectors(queries)
        return np.column_stack([states, np.ones(len(states))]).astype(np.float32)

    def _compute_logits(self, queries: QueryBatch) -> ItemLogits:
        logits = super()._compute_logits(queries)
        if self._bias and logits.n_items:
            logits.scores[:, self._space.is_new(logits.n_items)] += np.float32(self._bias)
        return logits

    def _unfitted_encoders(self) -> FrozenEncoders:
        """The frozen encoders of the settings, by modality."""
        encoders: dict[str, Any] = {}
        if self.config.use_text:
            text = TextVectorsConfig(**asdict(self.config.text))
            encoders["text"] = TextVectors(text, name=f"{self.name}.text")
        if self.config.image.folder:
            image = ImageVectorsConfig(**asdict(self.config.image))
            encoders["image"] = ImageVectors(image, name=f"{self.name}.image")
        return encoders

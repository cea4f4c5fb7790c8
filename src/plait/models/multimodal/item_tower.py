"""The item tower: a vector from the id of an item, its words, its text and its pictures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from plait.data.array_types import BoolArray, Float32Array
from plait.models.multimodal.item_content import ItemContent
from plait.models.multimodal.unified_settings import Fusion
from plait.models.sequential.item_sources import feature_bag

__all__ = ["ItemTower"]

_ID, _WORDS = "id", "words"

_SCALE = 0.02
"""The standard deviation of initial weights, as of the item vectors of `sequence`."""


class ItemTower(nn.Module):
    """Item vectors float32 [m + 1, D], the first row that of padding.

    Each modality of an item is projected to D numbers. Where an item lacks one, a learned vector
    stands for that. `concat` adds the projections up, which equals a linear layer over the
    concatenated modalities; `gated` weighs those that the item has by a softmax over gates.

    Args:
        content: The content of m items.
        dim: D, the size of a vector.
        fusion: How modalities become one vector.
        id_dropout: How often, in training, an item lacks its id, as new items do (DropoutNet,
            Volkovs et al., NeurIPS 2017).
        content_dropout: How often, in training, an item lacks each of its other modalities.
    """

    def __init__(
        self,
        content: ItemContent,
        dim: int,
        fusion: Fusion,
        id_dropout: float,
        content_dropout: float,
    ) -> None:
        super().__init__()
        self._fusion, self._id_dropout = fusion, id_dropout
        self._content_dropout = content_dropout
        n_items = content.words.shape[0]
        self.ids = nn.Parameter(torch.randn(n_items, dim) * _SCALE)
        self.words = feature_bag(content.words, dim) if content.words.shape[1] else None
        self.projections = nn.ModuleDict()
        for name, vectors in sorted(content.encoded.items()):
            self.projections[name] = _projection(vectors.shape[1], dim)
        names = (_ID, *((_WORDS,) if self.words is not None else ()), *self.projections)
        self.missing = nn.ParameterDict({name: torch.zeros(dim) for name in names})
        self.gates = nn.ModuleDict({name: nn.Linear(dim, 1) for name in names})
        for name, vectors in content.encoded.items():
            self.register_buffer(f"_{name}", _as_tensor(vectors), persistent=False)
        for name, mask in _present(content).items():
            self.register_buffer(f"_has_{name}", mask, persistent=False)

    def forward(self) -> Tensor:
        projected = {_ID: self.ids}
        if self.words is not None:
            projected[_WORDS] = self.words()
        for name, projection in self.projections.items():
            projected[name] = projection(getattr(self, f"_{name}"))
        present = {name: self._present(name) for name in projected}
        return functional.pad(self._fused(projected, present), (0, 0, 1, 0))

    def encode(self, id_vectors: Float32Array, content: ItemContent) -> Float32Array:
        """Compute the vectors of any items, also of those that training did not know.

        Args:
            id_vectors: float32 [N, D], the learned vectors of items; 0 for items without one.
            content: Their content.

        Returns:
            float32 [N, D].
        """
        projected = {_ID: torch.from_numpy(id_vectors)}
        present = {_ID: torch.from_numpy(id_vectors.any(axis=1)), **_present(content)}
        with torch.inference_mode():
            if self.words is not None:
                sums = content.words @ self.words.vectors.detach().cpu().numpy()
                projected[_WORDS] = torch.from_numpy(np.asarray(sums, np.float32))
            for name, projection in self.projections.items():
                projected[name] = projection(_as_tensor(content.encoded[name]))
            vectors: Float32Array = self._fused(projected, present).numpy()
        return vectors

    def _present(self, name: str) -> Tensor:
        """bool [m]: the items that have a modality; in training without those that lose it."""
        if name == _ID:
            present = torch.ones(len(self.ids), dtype=torch.bool, device=self.ids.device)
            rate = self._id_dropout
        else:
            present, rate = getattr(self, f"_has_{name}"), self._content_dropout
        if self.training and rate:
            present = present & (torch.rand(len(present), device=present.device) >= rate)
        return present

    def _fused(self, projected: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        """One vector for each item, [N, D], from its modalities [N, D] and which it has [N]."""
        parts = [
            torch.where(present[name][:, None], vectors, self.missing[name])
            for name, vectors in projected.items()
        ]
        if self._fusion == "concat":
            return torch.stack(parts).sum(0)
        gates = [
            self.gates[name](vectors).masked_fill(~present[name][:, None], -torch.inf)
            for name, vectors in projected.items()
        ]
        weights = torch.cat(gates, 1).softmax(1).nan_to_num(1 / len(parts))
        fused: Tensor = torch.einsum("nm,mnd->nd", weights, torch.stack(parts))
        return fused


def _present(content: ItemContent) -> dict[str, Tensor]:
    """Which modalities N items have beside their ids, bool [N] by name."""
    masks: dict[str, BoolArray] = {}
    if content.words.shape[1]:
        masks[_WORDS] = np.diff(content.words.indptr) > 0
    masks |= {name: ~np.isnan(vectors[:, 0]) for name, vectors in content.encoded.items()}
    return {name: torch.from_numpy(mask) for name, mask in masks.items()}


def _projection(size: int, dim: int) -> nn.Linear:
    """A linear layer from vectors of length 1 to vectors as long as those of ids."""
    layer = nn.Linear(size, dim)
    nn.init.normal_(layer.weight, std=_SCALE)
    nn.init.zeros_(layer.bias)
    return layer


def _as_tensor(vectors: Float32Array) -> Tensor:
    """Vectors of a frozen encoder, zero where an item has none: those are never read."""
    return torch.from_numpy(np.nan_to_num(vectors).astype(np.float32))

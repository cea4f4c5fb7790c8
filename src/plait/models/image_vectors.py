"""Recommends items whose pictures look alike, by the vectors of a frozen image encoder."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from plait.data.array_types import Float32Array, Int32Array
from plait.data.catalogue import Catalogue
from plait.encoders.encode_pictures import encode_pictures
from plait.encoders.image_encoders import (
    DEFAULT_IMAGE_ENCODER,
    ImageEncoder,
    open_image_encoder,
)
from plait.encoders.pictures import media_paths
from plait.errors import InputError
from plait.models.encoded_vectors import EncodedVectors
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.fit_context import Progress
from plait.pipeline.search_space import Range, tunable

__all__ = ["ImageEncoderConfig", "ImageVectors", "ImageVectorsConfig"]

_log = logging.getLogger(__name__)

_SHOWN = 5
"""How many pictures without a vector are named in the log of one fit."""


@dataclass(frozen=True, slots=True)
class ImageEncoderConfig:
    """How the pictures of items are encoded."""

    folder: str = ""
    """The folder of the pictures, which fields name relative to it; nothing outside it is read.
    Empty: no item has a vector."""
    fields: tuple[str, ...] = ()
    """The fields that name pictures, several one a line; none: all of type media."""
    encoder: str = DEFAULT_IMAGE_ENCODER
    """The encoder: "efficientnet-lite0", a .safetensors file of an EfficientNet-lite, or a folder
    of a transformers backbone."""
    centered: bool = True
    """Whether the mean of all items is subtracted."""
    cache: str = ""
    """The folder in which vectors are kept by the bytes of a picture; empty:
    ~/.cache/plait/encoders."""


@dataclass(frozen=True, slots=True)
class ImageVectorsConfig(ImageEncoderConfig):
    """Settings of `image`, beside how pictures are encoded."""

    basket_decay: float = tunable(0.8, Range(0.2, 1.0), Limit(least=0, most=1))
    """The weight of a basket of the history relative to the one after it."""
    max_baskets: int = bounded_field(20, Limit(least=0))
    """How many of the newest baskets are read; 0: all."""


class ImageVectors(EncodedVectors[ImageVectorsConfig]):
    """Scores items by the cosine of their pictures to those of the seed items or of the history.

    An item with several pictures has the mean of their vectors. NaN for items without a picture
    that can be read, and for queries with text.
    """

    Config = ImageVectorsConfig

    def _encoder(self) -> ImageEncoder:
        return open_image_encoder(self.config.encoder)

    def _fields_of(self, catalogue: Catalogue) -> tuple[str, ...]:
        catalogue.check_fields(self.config.fields, "fields")
        if not self.config.folder:
            return ()
        if not Path(self.config.folder).is_dir():
            raise InputError(
                f"{self.name}.folder: there is no folder {self.config.folder}",
                hint="name the folder that the pictures of the catalogue lie in",
                field=f"{self.name}.folder",
            )
        media = (name for name, column in catalogue.columns.items() if column.type == "media")
        return self.config.fields or tuple(media)

    def _encoded(
        self, catalogue: Catalogue, numbers: Int32Array, progress: Progress
    ) -> Float32Array:
        folder = Path(self.config.folder)
        columns = [catalogue.columns[name] for name in self._fields if name in catalogue.columns]
        files: list[list[Path]] = []
        rejected = []
        for number in numbers.tolist():
            named = (column.get(number) for column in columns if catalogue.alive[number])
            value = "\n".join(str(text) for text in named if text)
            paths, missing = media_paths(value, folder)
            files.append(paths)
            rejected += missing
        result = encode_pictures(self._encoder(), files, self._cache(len(files)), progress)
        rejected += result.rejected
        if rejected:
            listed = "; ".join(f"{path}: {reason}" for path, reason in rejected[:_SHOWN])
            _log.warning("%s: %d pictures were passed over: %s", self.name, len(rejected), listed)
        return result.vectors

"""Pictures of any format that Pillow reads, as square RGB arrays; broken ones are reported."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from plait.utils.optional_imports import require_extra

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["MAX_BYTES", "MAX_PIXELS", "RejectedPicture", "media_paths", "square_picture"]

MAX_BYTES = 50_000_000
"""Larger files are not read."""

MAX_PIXELS = 100_000_000
"""Pictures with more pixels are not decoded: a small file can hold billions."""


class RejectedPicture(NamedTuple):
    """A picture that has no vector.

    Attributes:
        path: The file.
        reason: Why.
    """

    path: str
    reason: str


def square_picture(content: bytes, size: int) -> npt.NDArray[np.uint8]:
    """Decode a picture and scale it to a square; the sides of a longer one are cut off.

    Of an animation the first frame counts, transparency is laid on white, and the orientation that
    a camera noted is applied. Grey values of more than 8 bits are scaled to 8.

    Args:
        content: The bytes of a file.
        size: The side of the square.

    Returns:
        uint8 [size, size, 3], RGB.

    Raises:
        ValueError: If it is no picture, damaged or too large.
        MissingExtraError: If Pillow is not installed.
    """
    require_extra("an encoder of pictures", "PIL", extra="image")
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sizes are checked here, damaged metadata is of no use
            with Image.open(io.BytesIO(content)) as opened:
                width, height = opened.size
                if width * height > MAX_PIXELS:
                    raise ValueError(f"{width} x {height} pixels, at most {MAX_PIXELS:,} are read")
                opened.draft("RGB", (2 * size, 2 * size))  # a JPEG is decoded at a lower resolution
                oriented = _eight_bits(ImageOps.exif_transpose(opened))
                has_alpha = oriented.mode in ("RGBA", "LA", "PA") or "transparency" in oriented.info
                if has_alpha:
                    pixels = oriented.convert("RGBA")
                    ground = Image.new("RGBA", pixels.size, "white")
                    oriented = Image.alpha_composite(ground, pixels)
                fitted = ImageOps.fit(
                    oriented.convert("RGB"), (size, size), Image.Resampling.BICUBIC
                )
                return np.asarray(fitted, np.uint8)
    except ValueError:
        raise
    except Exception as problem:  # Pillow's readers raise what the file makes them raise
        raise ValueError(f"{type(problem).__name__}: {problem}"[:200]) from problem


def _eight_bits(picture: Picture) -> Picture:
    """Scale wide grey values to 8 bits; Pillow would cut them off at 255, so that most are white.

    Values of 16 bits are divided by 257. Formats state no range for 32 bits and fractions: the
    smallest value becomes black and the largest white.
    """
    from PIL import Image

    is_short = picture.mode.startswith("I;16")
    if not is_short and picture.mode not in ("I", "F"):
        return picture
    values = np.nan_to_num(np.asarray(picture, np.float32), posinf=0.0, neginf=0.0)
    low = 0.0 if is_short else float(values.min())
    high = 65535.0 if is_short else float(values.max())
    scaled = (values - low) * (255.0 / max(high - low, 1e-30))
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


def media_paths(value: str | None, folder: Path) -> tuple[list[Path], list[RejectedPicture]]:
    """Find the files that a field of type media names, one a line.

    Args:
        value: The value of the field: paths below `folder`, or addresses, which are not fetched.
        folder: The folder of all pictures; nothing outside it is read.

    Returns:
        The files that exist, and the others.
    """
    root = folder.resolve()
    files, rejected = [], []
    for line in (value or "").splitlines():
        name = line.strip()
        if not name:
            continue
        if "://" in name:
            rejected.append(RejectedPicture(name, "an address: only files are read"))
            continue
        try:
            path = (root / name).resolve()
            is_file = path.is_file() and path.stat().st_size <= MAX_BYTES
        except (OSError, ValueError) as problem:
            rejected.append(RejectedPicture(name, str(problem)))
            continue
        if not path.is_relative_to(root):
            rejected.append(RejectedPicture(name, f"outside the folder {folder}"))
        elif not is_file:
            rejected.append(RejectedPicture(name, f"no file of {MAX_BYTES:,} bytes or fewer"))
        else:
            files.append(path)
    return files, rejected

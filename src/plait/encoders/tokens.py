"""Texts as token numbers, by the tokenizers library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from plait.data.array_types import Int64Array
from plait.errors import InputError
from plait.utils.optional_imports import require_extra

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["TokenBatch", "bert_tokenizer", "encodable", "file_tokenizer", "tokenize"]

BERT_VOCABULARY = Path(__file__).parent / "vocabularies" / "bert_base_uncased.txt"
"""The 30,522 word pieces of BERT (Devlin et al., 2019), which MiniLM and many others share."""

_START, _END = ("[CLS]", 101), ("[SEP]", 102)
"""The word pieces before and behind a text, with their numbers in the vocabulary."""


class TokenBatch(NamedTuple):
    """B texts as token numbers.

    Attributes:
        ids: int64 [B, L], 0 behind the end of a text.
        mask: int64 [B, L], 1 for tokens.
    """

    ids: Int64Array
    mask: Int64Array


def bert_tokenizer(max_tokens: int) -> Tokenizer:
    """Make the tokenizer of uncased BERT from the vocabulary that ships with Plait.

    Args:
        max_tokens: How many tokens of a text are read, the two special ones included.
    """
    require_extra("an encoder of text", "tokenizers", extra="text")
    from tokenizers import Tokenizer as WordPieceTokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import BertProcessing

    tokenizer = WordPieceTokenizer(WordPiece.from_file(str(BERT_VOCABULARY)))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = BertProcessing(_END, _START)
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def file_tokenizer(path: Path, max_tokens: int) -> Tokenizer:
    """Read a tokenizer.

    Args:
        path: A tokenizer.json.
        max_tokens: How many tokens of a text are read, special ones included.

    Raises:
        InputError: If the file is missing or damaged.
    """
    require_extra("an encoder of text", "tokenizers", extra="text")
    from tokenizers import Tokenizer

    try:
        tokenizer: Tokenizer = Tokenizer.from_file(str(path))
    except Exception as problem:  # the library raises Exception itself
        message = f"cannot read the tokenizer {path}: {problem}"
        raise InputError(message, hint="expected a tokenizer.json", field="encoder") from problem
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def encodable(texts: Sequence[str]) -> list[str]:
    """Write "?" for halves of surrogate pairs: they are no characters, and libraries refuse them.

    Args:
        texts: B texts.

    Returns:
        The texts, which UTF-8 can hold.
    """
    return [text.encode("utf-8", "replace").decode("utf-8") for text in texts]


def tokenize(tokenizer: Tokenizer, texts: Sequence[str]) -> TokenBatch:
    """Tokenize a batch.

    Args:
        tokenizer: The tokenizer.
        texts: B texts.

    Returns:
        The batch, as wide as its longest text.
    """
    encodings = tokenizer.encode_batch(encodable(texts))
    width = max((len(encoding.ids) for encoding in encodings), default=0)
    ids = np.zeros((len(texts), max(width, 1)), np.int64)
    mask = np.zeros_like(ids)
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding.ids)] = encoding.ids
        mask[row, : len(encoding.ids)] = 1
    return TokenBatch(ids, mask)

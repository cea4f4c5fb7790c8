"""Tests of scores without their last bits."""

import numpy as np

from plait.metrics.ties import quantize_scores, tie_groups


def test_scores_that_differ_in_the_last_bits_are_tied():
    next_to_one = np.nextafter(np.float32(1), np.float32(2))
    scores = np.array([[1.0, next_to_one, 1.00002, -3, 0, np.inf]], np.float32)
    quantized = quantize_scores(scores)
    assert quantized[0, 0] == quantized[0, 1] < quantized[0, 2]
    assert quantized[0, 3:].tolist() == [-3, 0, np.inf]
    groups = tie_groups(scores[:, :3], np.ones((1, 3), bool), 3)
    assert groups.sizes.tolist() == [1, 2]


def test_quantized_scores_keep_their_order():
    generator = np.random.default_rng(0)
    magnitude = 10.0 ** generator.integers(-6, 6)
    scores = np.sort(generator.normal(size=(1, 5000)).astype(np.float32) * magnitude)
    scores = scores.astype(np.float32)
    quantized = quantize_scores(scores)
    assert (np.diff(quantized) >= 0).all()
    assert (quantized != scores).any()
    assert np.allclose(quantized, scores, rtol=5e-6)

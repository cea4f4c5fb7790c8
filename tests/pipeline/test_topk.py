"""The k best of a row, best first."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plait.pipeline.topk import top_k

matrices = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9),
    elements=st.floats(allow_nan=True, allow_infinity=True, width=32),
)


@given(matrices, st.integers(0, 12))
def test_against_sorting(scores, k):
    columns, values = top_k(scores, k)
    width = min(k, scores.shape[1])
    assert columns.shape == values.shape == (len(scores), width)
    assert columns.dtype == np.int32
    assert values.dtype == np.float32
    for row, places, actual in zip(scores, columns, values, strict=True):
        real = sorted((score for score in row.tolist() if score > -np.inf), reverse=True)[:width]
        shown = places >= 0
        assert actual[shown].tolist() == real
        assert row[places[shown]].tolist() == real
        assert len(set(places[shown].tolist())) == len(real)
        assert np.isnan(actual[~shown]).all()
        assert not shown[len(real) :].any()

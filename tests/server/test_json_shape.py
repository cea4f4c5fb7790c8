"""What is measured of JSON before it is parsed is what the parsed value says."""

import itertools
import json
import random

import numpy as np
import pytest

from plait.server.http import json_shape as module
from plait.server.http.json_shape import json_shape

TEXTS = [
    "",
    '"',
    "\\",
    '\\"',
    "[",
    "]}",
    ",",
    "{,}",
    "ä灯",
    "a\\\\",
    '"}],[{"',
    "\\" * 7,
    '\\"' * 3,
]


def depth_of(value):
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max(map(depth_of, inner), default=0)
    return 0


def count_of(value):
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + sum(map(count_of, inner))
    return 1


def random_value(source, depth=4):
    kind = source.randrange(6 if depth else 4)
    if kind < 4:
        return source.choice([*TEXTS, 1, -2.5, None, True])
    size = source.randrange(5)
    if kind == 4:
        return [random_value(source, depth - 1) for _ in range(size)]
    return {source.choice(TEXTS) + str(n): random_value(source, depth - 1) for n in range(size)}


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64, 1 << 17])
def test_json_shape_agrees_with_the_parsed_value_whatever_the_block(monkeypatch, block):
    monkeypatch.setattr(module, "BLOCK", block)
    source = random.Random(block)
    for _ in range(150):
        rows = [random_value(source) for _ in range(source.randrange(6))]
        body = {"events": rows}
        raw = json.dumps(body, ensure_ascii=source.random() < 0.5).encode()
        shape = json_shape(raw, 10_000)
        assert shape.depth == depth_of(body)
        assert count_of(body) <= shape.values <= 2 * count_of(body)
        assert json.loads(raw[shape.list_start : shape.list_end + 1]) == rows
        ends = [shape.list_start, *shape.commas.tolist(), shape.list_end]
        parts = [raw[a + 1 : b] for a, b in itertools.pairwise(ends)]
        assert [json.loads(part) for part in parts if part.strip()] == rows


def test_json_shape_of_text_that_is_not_closed_has_no_end_of_its_list():
    shape = json_shape(b'{"events": [1, 2', 10)
    assert (shape.list_start, shape.list_end) == (11, -1)
    assert np.array_equal(shape.commas, [13])


def test_json_shape_of_deep_text_is_its_depth():
    assert json_shape(b"[" * 100_000, 100_000).depth == 100_000

import json

import numpy as np

from plait.data.types import Event, StateView
from plait.eventlog import EventLog
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.pipeline.stage import Stage
from plait.state import LiveState, deltas


class Words(Stage):
    """Remembers which items it had to read."""

    def retrieve(self, queries, k):
        raise NotImplementedError

    def score(self, queries, numbers):
        return np.zeros(numbers.shape, np.float32)

    def update(self, catalogue, version, previous):
        before = previous or {}
        changed = np.flatnonzero(catalogue.changed > version).tolist()
        read = [
            number
            for number in changed
            if before.get(number, (0, 0))[0] != catalogue.changed[number]
        ]
        fresh = {number: (catalogue.changed[number], catalogue.fields(number)) for number in read}
        return {**before, **fresh, "read": read}


def pipeline(version):
    recipe = Recipe.of({"models": {"words": {"stage": f"{__name__}:Words"}}})
    return Pipeline(recipe, (Words(name="words"),), (), version)


def put(log, name, item, **fields):
    log.append([Event("item", name, "put", item=item, fields=json.dumps(fields))])


def fold(state, log):
    for chunk in log.read(state.version):
        state = state.apply(chunk, log)
    return state


def test_only_what_changed_after_the_fit_is_read_and_only_once(tmp_path):
    with EventLog.open(tmp_path) as log:
        put(log, "1", "old", title="an old lamp")
        fitted = pipeline(1)
        put(log, "2", "new", title="a new lamp")
        state = fold(LiveState(), log)
        first = deltas(fitted, state)
        assert first["words"]["read"] == [1]
        live = StateView(state, first)

        log.append([Event("interaction", "3", "view", "u", "old", 1)])
        clicked = fold(state, log)
        assert deltas(fitted, clicked, live) is first  # a click touches no item

        put(log, "4", "new", title="a new lamp")
        same = fold(clicked, log)
        assert deltas(fitted, same, live) is first  # nothing new was said

        put(log, "5", "old", title="an old lamp, repaired")
        after = deltas(fitted, fold(same, log), StateView(same, first))
        assert after["words"]["read"] == [0]
        assert after["words"][1] == first["words"][1]


def test_a_stage_that_does_not_follow_has_no_delta(tmp_path):
    class Deaf(Stage):
        pass

    with EventLog.open(tmp_path) as log:
        put(log, "1", "a", title="a lamp")
        state = fold(LiveState(), log)
    recipe = pipeline(0).recipe
    assert deltas(Pipeline(recipe, (Deaf(name="deaf"),), (), 0), state) == {}

"""What a run says of itself: loss, metric, speed and the time that is left."""

import time

from plait.training.progress import ThroughputMeter
from tests.training.training_runs import closeness, run


def test_progress_tells_loss_metric_speed_and_time():
    told = []
    run(
        validate=closeness,
        metric="closeness",
        report=lambda *one: told.append(one),
    )
    text, done, total = told[-1]
    assert text.startswith("loss ")
    assert "closeness " in text
    assert text.endswith("/s")
    assert done == total == 4 * 7


def test_the_line_tells_how_fast_it_is_and_what_is_left():
    now, told = [100.0], []
    meter = ThroughputMeter(lambda *one: told.append(one), 100, 20, "ndcg@10", lambda: now[0])
    for _ in range(10):
        now[0] += 0.15
        meter.step(300, 2.5)
    # After 20 of 100 batches were done before, 10 in 1.5 seconds: 70 more will take 10.5.
    assert meter.line(2.5) == "loss 2.5 · 2,000/s · 0:10 left"
    assert [done for _, done, _ in told] == [22, 24, 26, 28, 30]  # not oftener than may be read
    now[0] += 18.5
    meter.best = 0.05414
    meter.step(1000, 1.25)
    # 11 in 20 seconds: 69 more will take two minutes and 5 seconds.
    line = "loss 1.25 · ndcg@10 0.0541 · 200/s · 2:05 left"
    assert told[-1] == (line, 31, 100)
    meter.close(1.25)
    assert told[-1] == ("loss 1.25 · ndcg@10 0.0541 · 200/s", 100, 100)


def test_speed_is_that_of_targets():
    speeds = []

    class Listens:
        def begin(self, run, settings):
            """Nothing to do."""

        def report(self, epoch, values):
            speeds.append(values["items_per_second"])

        def end(self):
            """Nothing to do."""

    began = time.perf_counter()
    run(trackers=[Listens()], targets=lambda batch: 1e6 * len(batch["x"]))
    assert speeds[-1] >= 4 * 50 * 1e6 / (time.perf_counter() - began)

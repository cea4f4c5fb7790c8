"""Progress of a run: loss, metric, speed and the time left."""

import time

from plait.training.progress import ThroughputMeter
from tests.training.training_runs import RecordingTracker, closeness, run


def test_a_run_reports_loss_metric_and_speed():
    reports = []
    run(validate=closeness, metric="closeness", progress=lambda *line: reports.append(line))
    text, done, total = reports[-1]
    assert text.startswith("loss ")
    assert "closeness " in text
    assert text.endswith("/s")
    assert done == total == 4 * 7


def test_throughput_meter_counts_speed_and_time_left_of_a_resumed_run():
    now, reports = [100.0], []
    meter = ThroughputMeter(
        lambda *line: reports.append(line), 100, 20, "ndcg@10", clock=lambda: now[0]
    )
    for _ in range(10):
        now[0] += 0.15
        meter.step(300, 2.5)
    # After 20 of 100 batches were done before, 10 in 1.5 seconds: 70 more will take 10.5.
    assert meter.line(2.5) == "loss 2.5 · 2,000/s · 0:10 left"
    assert [done for _, done, _ in reports] == [22, 24, 26, 28, 30]  # at intervals only
    now[0] += 18.5
    meter.best = 0.05414
    meter.step(1000, 1.25)
    # 11 in 20 seconds: 69 more will take two minutes and 5 seconds.
    line = "loss 1.25 · ndcg@10 0.0541 · 200/s · 2:05 left"
    assert reports[-1] == (line, 31, 100)
    meter.close(1.25)
    assert reports[-1] == ("loss 1.25 · ndcg@10 0.0541 · 200/s", 100, 100)


def test_speed_is_measured_in_targets():
    tracker = RecordingTracker()
    started = time.perf_counter()
    run(trackers=[tracker], count_targets=lambda batch: 1e6 * len(batch["x"]))
    elapsed = time.perf_counter() - started
    _, values = tracker.calls[-2]
    assert values["items_per_second"] >= 4 * 50 * 1e6 / elapsed

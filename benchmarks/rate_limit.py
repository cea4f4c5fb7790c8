"""How exact the rate limit is, and what it costs those it lets pass, at ten times overload.

    python benchmarks/rate_limit.py [--rate 20] [--seconds 20] [--rounds 3] [--workers 2]

Two servers over Online Retail take turns. One has no limit and is asked `rate` times a second,
which it can bear: that is how long an answer takes. The other has a limit of `rate` tokens a second
and is asked ten times as often (an open loop, see serve.py). Its answers with status 200 must be as
many as the rate allows, and take no longer. The first seconds, which empty the bucket, do not
count.
"""

import argparse
import gc
import itertools
import random
import tempfile
from pathlib import Path

from serve import Paced, http, machine, prepared, server

OVERLOAD = 10
WINDOW_S = 1
"""A full bucket holds the tokens of a second."""
EMPTIED = 2
"""Seconds after which the bucket is empty."""


def asked(address, users, rate, seconds):
    """What recommendations took, at `rate` a second."""
    choose = random.Random(11)

    def recommend():
        return http("POST", "/v1/recommend", {"user": choose.choice(users), "k": 10})

    return Paced(address, recommend, rate, seconds, threads=16).wait()


def percentile(seconds, share):
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--home", type=Path, help="a home to use or fill; default: a scratch one")
    options = parser.parse_args()
    rate, seconds = options.rate, options.seconds
    limit = {"rate_limit_key": rate, "rate_limit_window_s": WINDOW_S, "rate_limit_user": 0}
    no_limit = {"rate_limit_key": 0, "rate_limit_user": 0}
    free, limited = [], []
    with tempfile.TemporaryDirectory() as scratch:
        home = options.home or Path(scratch) / "home"
        users = prepared(home)
        with (
            server(home, options.workers, **no_limit) as (_, open_address),
            server(home, options.workers, **limit) as (_, address),
        ):
            gc.disable()
            asked(open_address, users, rate, 5)
            asked(address, users, rate, 5)
            for _ in range(options.rounds):
                free.append(asked(open_address, users, rate, seconds + EMPTIED))
                limited.append(asked(address, users, OVERLOAD * rate, seconds + EMPTIED))
    print(machine())
    print(f"{rate:g} tokens/s, {options.rounds} x {seconds:g} s, {options.workers} workers")
    for without, within in zip(free, limited, strict=True):
        passed = sum(due >= EMPTIED for due in within.due) / seconds
        print(
            f"allowed {passed:.2f}/s ({passed / rate - 1:+.1%}) of {OVERLOAD * rate:g}/s, "
            f"statuses {dict(within.statuses)}, p99 {percentile(within.seconds, 0.99):.1f} ms; "
            f"without overload {percentile(without.seconds, 0.99):.1f} ms"
        )
    for share in (0.5, 0.9, 0.99):
        within, without = (
            percentile(list(itertools.chain.from_iterable(run.seconds for run in runs)), share)
            for runs in (limited, free)
        )
        print(
            f"p{100 * share:g}: {within:.1f} ms, without {without:.1f} ms: {within / without:.2f}"
        )


if __name__ == "__main__":
    main()

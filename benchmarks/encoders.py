"""Encoders: texts and pictures a second, and what a second run costs.

    python benchmarks/encoders.py --items items.parquet [--pictures FOLDER] [--count N]

`--items` has a column title, as `amazon-beauty/items.parquet` (docs/datasets.md). Rates are per
second of CPU time, so that they are comparable on a busy machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import polars as pl
from serve import machine

from plait.encoders.encode_pictures import encode_pictures
from plait.encoders.encode_texts import encode_texts, encoder_cache
from plait.encoders.image_encoders import open_image_encoder
from plait.encoders.text_encoders import PACKAGED, open_text_encoder
from plait.errors import MissingExtraError


def texts(titles: list[str], folder: str) -> None:
    """Encode titles twice by every packaged encoder that is installed."""
    for name in PACKAGED:
        try:
            encoder = open_text_encoder(name)
        except MissingExtraError as missing:
            print(f"{name}: {missing}")
            continue
        encoder.encode(titles[:8])  # the first call sets the graph up
        seconds = []
        for _ in range(2):
            began = time.process_time()
            encode_texts(encoder, titles, encoder_cache(encoder, folder))
            seconds.append(time.process_time() - began)
        rate, share = len(titles) / seconds[0], seconds[1] / seconds[0]
        print(f"{name}: {rate:,.0f} titles a CPU second; a second run takes {share:.1%} of it")


def pictures(folder: Path, count: int, cache: str) -> None:
    """Encode pictures twice."""
    paths = [[path] for path in sorted(folder.iterdir())[:count]]
    encoder = open_image_encoder()
    seconds = []
    for _ in range(2):
        began = time.process_time()
        result = encode_pictures(encoder, paths, encoder_cache(encoder, cache))
        seconds.append(time.process_time() - began)
    rate, share = len(paths) / seconds[0], seconds[1] / seconds[0]
    print(
        f"{encoder.identity.name}: {rate:,.0f} pictures a CPU second, {len(result.rejected)} "
        f"rejected; a second run takes {share:.1%} of it"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=Path, required=True)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    titles = pl.read_parquet(options.items)["title"].drop_nulls().head(options.count).to_list()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        texts(titles, folder)
        if options.pictures:
            pictures(options.pictures, options.count // 5, folder)


if __name__ == "__main__":
    main()

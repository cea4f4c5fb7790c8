"""Stages of outside scores and vectors: files, and the shipped checks with content."""

import numpy as np
import polars as pl
import pytest

from plait.errors import InputError
from plait.models.external import Given, GivenConfig, Vectors, VectorsConfig
from plait.testing import conformance
from plait.testing.stage_case import StageCase, dataset_of

WORLDS = ("market", "late_arrivals", "clock")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("external")
    users = sorted({user for world in WORLDS for user in dataset_of(world).users.ids})
    items = sorted({item for world in WORLDS for item in dataset_of(world).catalogue.ids})
    generator = np.random.default_rng(0)
    pairs = [(user, item) for user in users for item in items if generator.random() < 0.5]
    frame = pl.DataFrame(pairs, schema=["user", "item"], orient="row")
    frame = frame.with_columns(score=generator.normal(size=len(frame)))
    frame.write_parquet(folder / "scores.parquet")
    frame.write_csv(folder / "scores.csv")
    vectors = generator.normal(size=(len(items), 4)).astype(np.float32)
    np.savez(folder / "vectors.npz", ids=np.array(items), vectors=vectors)
    table = pl.DataFrame({"item": items, "vector": vectors.tolist()})
    table.write_parquet(folder / "vectors.parquet")
    return folder


@pytest.mark.parametrize("check", conformance.CHECKS)
@pytest.mark.parametrize(
    ("name", "stage_class", "file"),
    [("given", Given, "scores.parquet"), ("vectors", Vectors, "vectors.npz")],
)
def test_stage_with_content_conforms(files, name, stage_class, file, check):
    conformance.run(StageCase(name, stage_class, {"path": str(files / file)}), check)


@pytest.mark.parametrize(
    ("stage_class", "config", "first", "second"),
    [
        (Given, GivenConfig, "scores.parquet", "scores.csv"),
        (Vectors, VectorsConfig, "vectors.npz", "vectors.parquet"),
    ],
)
def test_formats_of_files_are_read_alike(files, stage_class, config, first, second):
    states = [
        stage_class(config(path=str(files / file))).fit(dataset_of("market"))
        for file in (first, second)
    ]
    for attribute in stage_class.fitted_state:
        arrays = [getattr(stage, attribute) for stage in states]
        arrays = [a if isinstance(a, np.ndarray) else a.toarray() for a in arrays]
        np.testing.assert_allclose(*arrays, rtol=1e-6)
        assert np.nan_to_num(arrays[0]).any()


@pytest.mark.parametrize(
    ("stage_class", "config", "name", "content"),
    [
        (Given, GivenConfig, "absent.parquet", None),
        (Given, GivenConfig, "scores.xlsx", b""),
        (Given, GivenConfig, "scores.csv", b"a,b\n1,2\n"),
        (Vectors, VectorsConfig, "absent.npz", None),
        (Vectors, VectorsConfig, "vectors.npz", b"no archive"),
        (Vectors, VectorsConfig, "vectors.csv", b"item,vector\na,1\n"),
        (Vectors, VectorsConfig, "vectors.csv", b"a,b\na,1\n"),
    ],
)
def test_unreadable_files_are_refused_at_the_fit(tmp_path, stage_class, config, name, content):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError):
        stage_class(config(path=str(path))).fit(dataset_of("market"))

"""The scripts of examples/ that no other test runs."""

import runpy

import numpy as np
import polars as pl
import pytest

from tests.architecture.source_tree import ROOT


def test_the_table_of_a_paper_is_made_from_any_folder_of_ratings(tmp_path, capsys):
    pytest.importorskip("torch")
    pytest.importorskip("implicit")
    draws = np.random.default_rng(0)
    films = np.arange(1, 61)
    ratings = [
        {"userId": user, "movieId": film, "rating": 1 + (user + film) % 5, "timestamp": 1e9 + time}
        for user in range(40)
        for time, film in enumerate(draws.choice(films, 30, replace=False, p=films / films.sum()))
    ]
    pl.DataFrame(ratings).write_csv(tmp_path / "ratings.csv")
    titles = [f"Film {film} ({1960 + film})" for film in films]
    genres = ["Comedy|Drama" if film % 2 else "Western" for film in films]
    movies = pl.DataFrame({"movieId": films, "title": titles, "genres": genres})
    movies.write_csv(tmp_path / "movies.csv")
    runpy.run_path(ROOT / "examples" / "paper_table.py")["main"](tmp_path, tmp_path, None)
    printed = capsys.readouterr().out
    assert "warm start: True" in printed
    assert "without:SASRec" in printed
    assert printed.count("EASE") > 8

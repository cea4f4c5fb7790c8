"""Tests of the text analyser and of the fields that it reads."""

import os
import stat

import pytest

from plait.features.text import (
    LONGEST_TEXT,
    Analyzer,
    document,
    private_cache_folder,
    title_field,
    word_fields,
)
from plait.testing.synthetic_data import make_dataset, two_topics


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Red MUGS", ["red", "mug"]),
        ("running, runs; run!", ["run", "run", "run"]),
        ("Crème brûlée", ["creme", "brule"]),
        ("snake_case-kebab", ["snake", "case", "kebab"]),
        ("ＡＢＣ １２３", ["abc", "123"]),
        ("红色陶瓷茶杯", ["红色", "陶瓷", "茶杯"]),
        ("iPhone手机壳", ["iphon", "手机", "壳"]),
        ("हिन्दी किताब", ["हिन्दी", "किताब"]),
        ("soft\u00adware Lego™", ["softwar", "lego"]),
        ("?! ...", []),
        ("", []),
        ("x" * 200 + " y", ["y"]),
    ],
)
def test_terms_are_segmented_folded_and_stemmed(text, terms):
    assert Analyzer("english").terms(text) == terms


def test_terms_are_not_stemmed_without_a_language():
    assert Analyzer("").terms("Red MUGS") == ["red", "mugs"]


def test_normalize_reads_a_bounded_beginning_of_a_text():
    analyzer = Analyzer("")
    words = [f"word{number}" for number in range(10_000)]
    normalized = analyzer.normalize(" ".join(words)).split()
    assert 0 < len(normalized) < len(words)
    assert normalized[:-1] == words[: len(normalized) - 1]
    assert len(analyzer.normalize("\u6c49" * 1_000_000)) < 3 * LONGEST_TEXT


def test_a_long_run_of_chinese_has_the_words_of_its_pieces():
    analyzer = Analyzer("")
    sentence = "我们今天去北京天安门广场看升旗"
    words = set(analyzer.terms(sentence))
    assert words <= set(analyzer.terms(sentence * 200))


def test_word_fields_title_and_document_of_a_catalogue():
    catalogue = two_topics().catalogue
    assert set(word_fields(catalogue)) == {"title", "brand", "tags"}
    assert word_fields(catalogue, ("brand", "nothing")) == ["brand"]
    assert title_field(catalogue) == "title"
    assert document(catalogue, 0, ["brand", "tags"]) == "garden house garden shelf 0"


def test_title_field_without_a_usual_name_is_the_first_text_field():
    assert title_field(make_dataset([]).catalogue) == ""
    fields = {"a": {"summary": "one two three", "price": 1.0}}
    assert title_field(make_dataset([], items=fields).catalogue) == "summary"


def test_cache_folder_is_private(tmp_path):
    folder = private_cache_folder(str(tmp_path / "new" / "cache"))
    assert folder == tmp_path / "new" / "cache"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_cache_folder_that_others_may_write_to_is_not_used(tmp_path):
    tmp_path.chmod(0o777)
    folder = private_cache_folder(str(tmp_path))
    assert folder != tmp_path
    assert folder.stat().st_uid == os.geteuid()
    assert not folder.stat().st_mode & 0o077

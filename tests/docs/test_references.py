"""Every paper that a docstring cites has an entry in docs/references.md."""

import ast
import re

import pytest

from tests.architecture.source_tree import doc, modules

ENTRY = re.compile(
    r"^- \*\*(?P<authors>.+?)\*\* \((?P<year>\d{4})\)\. (?P<title>.+)$", re.MULTILINE
)
CITED_YEAR = re.compile(
    r"""(?:, |, [A-Z]\w+ |["'] ?\(|[a-z.] \()(?P<year>(?:19|20)\d\d)(?=[);,])"""
)
WORD = re.compile(r"[\w'’-]+")
REACH = 160
"""Characters before the year in which the author's name stands."""


def entries():
    """The surnames of first authors, and the names in titles such as LightGCN, by year."""
    names = {}
    for entry in ENTRY.finditer(doc("references.md")):
        surname = entry["authors"].partition(",")[0].split()[-1]
        acronyms = re.findall(r"\w*[A-Z]\w*[A-Z]\w*", entry["title"])
        names.setdefault(entry["year"], set()).update([surname, *acronyms])
    return names


def citations(text):
    """The year of each citation in a text, with the words before it."""
    text = " ".join(text.split())
    for match in CITED_YEAR.finditer(text):
        before = text[max(0, match.start() - REACH) : match.start("year")]
        yield match["year"], set(WORD.findall(before))


def missing(text, known):
    return [year for year, words in citations(text) if not words & known.get(year, set())]


def docstrings(tree):
    """All string statements: docstrings of modules, classes and functions, and of constants."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield text


def test_every_citation_has_an_entry():
    known = entries()
    assert not [
        f"{module}: {year}: {text}"
        for module in modules()
        for text in docstrings(module.tree)
        for year in missing(text, known)
    ]


@pytest.mark.parametrize("name", ["evaluation.md", "training.md", "recipes.md", "design.md"])
def test_every_citation_of_a_page_has_an_entry(name):
    assert not missing(doc(name), entries())


def test_checker_detects_a_citation_without_an_entry():
    known = {"2009": {"Rendle", "BPR"}, "2005": {"Romano"}}
    assert not missing("BPR (Rendle et al., UAI 2009).", known)
    assert not missing('Romano and Wolf, "Stepwise\n multiple testing" (2005), section 2.', known)
    assert missing("BPR (Rendle et al., UAI 2010).", known) == ["2010"]
    assert missing("as in Nobody & Nowhere (2009)", known) == ["2009"]
    assert not missing("microseconds since 1970 UTC, from 1900 to now", known)


def test_entries_are_sorted_within_their_section():
    for section in doc("references.md").split("\n## ")[1:]:
        names = [re.sub("^van (den )?", "", entry["authors"]) for entry in ENTRY.finditer(section)]
        keys = [name.partition(",")[0] for name in names]
        assert keys == sorted(keys)

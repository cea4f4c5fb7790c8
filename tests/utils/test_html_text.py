"""The text that people read in HTML."""

import time

import pytest

from plait.utils.html_text import has_markup, plain_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Holds <b>0.3 l</b> &ndash; washable&nbsp;too.</p>", "Holds 0.3 l – washable too."),
        ("<ul><li>Glass</li><li>Lid</li></ul>", "Glass\nLid"),
        ("W<b>o</b>rt<br/>two<BR>three", "Wort\ntwo\nthree"),
        ("x<script>var a = '<b>';</script>y<style>p {}</style>z", "xyz"),
        ("<!-- note -->shown<!-- open", "shown"),
        ("<a title=\"a > b\" href='x'>link</a>", "link"),
        ("&lt;p&gt;Tea &amp;amp; milk&lt;/p&gt;", "Tea & milk"),
        ("Tom &amp; Jerry &#8211; &#x2019;24", "Tom & Jerry – ’24"),
        ("K&uuml;che", "Küche"),
    ],
)
def test_html(html, text):
    assert plain_text(html) == text


@pytest.mark.parametrize(
    "text",
    ["a < b and c > d", "I <3 you", "<unknown> x", "vector<int>", "AT&T", "R&D;x", "<p class=", ""],
)
def test_what_only_looks_like_html_stays(text):
    assert plain_text(text) == text
    assert not has_markup(text)


@pytest.mark.parametrize("piece", ["<", "<p ", '<a "', "<script>", "<!--", "&", "<a '", "<p a="])
def test_time_grows_with_the_text(piece):
    start = time.perf_counter()
    plain_text(piece * 20_000)
    assert time.perf_counter() - start < 5

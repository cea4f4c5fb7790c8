"""Public data sets are fetched once, checked by SHA-256, and read into frames of events."""

import gzip
import hashlib
import io
import json
import shutil
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

import plait
from plait.datasets import NAMES, PUBLIC, load
from plait.datasets.download import RemoteFile, fetch, sha256_of
from plait.errors import InputError, NotFoundError, StorageError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments):
        pass


@pytest.fixture
def home(tmp_path):
    """A folder and the address under which a server on this machine gives its files."""
    folder = tmp_path / "home"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_with_its_hash_is_fetched_once(home, tmp_path):
    folder, address = home
    (folder / "a.txt").write_bytes(b"content")
    digest = hashlib.sha256(b"content").hexdigest()
    notices = []
    file = RemoteFile(f"{address}/a.txt", digest)
    path = fetch(file, tmp_path / "cache", notices.append)
    assert path.read_bytes() == b"content"
    (folder / "a.txt").unlink()
    assert fetch(file, tmp_path / "cache", notices.append) == path
    assert notices == []


def test_another_hash_is_refused_and_nothing_stays(home, tmp_path):
    folder, address = home
    (folder / "a.txt").write_bytes(b"other content")
    with pytest.raises(InputError):
        fetch(RemoteFile(f"{address}/a.txt", "0" * 64), tmp_path / "cache", print)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_file_of_the_cache_is_refused(home, tmp_path):
    folder, address = home
    (folder / "a.txt").write_bytes(b"content")
    file = RemoteFile(f"{address}/a.txt", hashlib.sha256(b"content").hexdigest())
    fetch(file, tmp_path, print).write_bytes(b"con")
    with pytest.raises(InputError):
        fetch(file, tmp_path, print)


def test_the_hash_of_a_first_download_is_told_recorded_and_checked(home, tmp_path):
    folder, address = home
    (folder / "a.txt").write_bytes(b"first")
    notices = []
    file = RemoteFile(f"{address}/a.txt")
    path = fetch(file, tmp_path / "cache", notices.append)
    assert sha256_of(path) in notices[0]
    assert json.loads((tmp_path / "cache" / "checksums.json").read_text()) == {
        "a.txt": sha256_of(path)
    }
    path.unlink()
    (folder / "a.txt").write_bytes(b"second")
    with pytest.raises(InputError):
        fetch(file, tmp_path / "cache", notices.append)


def test_a_home_that_has_grown_is_fetched_anew_as_the_hint_says(home, tmp_path):
    folder, address = home
    (folder / "a.txt").write_bytes(b"first")
    file = RemoteFile(f"{address}/a.txt")
    cache = tmp_path / "cache"
    fetch(file, cache, print).unlink()
    (folder / "a.txt").write_bytes(b"first and more")
    with pytest.raises(InputError) as caught:
        fetch(file, cache, print)
    assert str(cache) in caught.value.hint
    shutil.rmtree(cache)
    assert fetch(file, cache, print).read_bytes() == b"first and more"


@pytest.mark.parametrize("text", ["{", "[]", "3", '{"a.txt": 3}', '{"a.txt": "x"}', "\xff"])
def test_damaged_recorded_hashes_are_one_error(tmp_path, text):
    (tmp_path / "checksums.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError):
        fetch(RemoteFile("http://127.0.0.1:9/a.txt"), tmp_path, print)


def test_a_row_ends_at_a_newline_alone(tmp_path):
    ratings, movies = tmp_path / "ratings.dat", tmp_path / "movies.dat"
    ratings.write_bytes(b"1::7::9::86400\r\n2::7::8::86401\n")
    titles = ["A\u2028B (1995)", "C\x85D (1996)", "E\x0cF (1997)"]
    rows = [f"{number}::{title}::Drama\n" for number, title in enumerate(titles)]
    movies.write_text("".join(rows), "utf-8")
    frames = PUBLIC["movietweetings"].read([ratings, movies])
    assert frames["items"]["title"].to_list() == titles
    assert len(frames["events"]) == 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/a.txt", "file:///etc/passwd"])
def test_what_cannot_be_fetched_is_a_storage_error(tmp_path, url):
    with pytest.raises(StorageError):
        fetch(RemoteFile(url), tmp_path, print)


def archive(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        for name, text in members.items():
            target.writestr(f"folder/{name.replace('__', '.')}", text.encode("latin-1"))
    return stream.getvalue()


CONTENTS = {
    "amazon-beauty": [
        gzip.compress(
            b'{"reviewerID": "A1", "asin": "B1", "overall": 5.0, "unixReviewTime": 86400}\n'
        )
    ],
    "movielens-100k": [
        archive(
            u__data="1\t7\t4\t86400\n2\t7\t1\t86401\n",
            u__item="7|Caf\xe9 (1995)|01-Jan-1995||http://x|0|1|1\n",
            u__genre="unknown|0\nAction|1\nDrama|2\n\n",
            u__user="1|24|M|writer|85711\n2|53|F|other|94043\n",
        )
    ],
    "movielens-1m": [
        archive(
            ratings__dat="1::7::4::86400\n",
            movies__dat="7::Caf\xe9 (1995)::Action|Drama\n",
            users__dat="1::F::25::10::48067\n",
        )
    ],
    "movielens-latest-small": [
        archive(
            ratings__csv="userId,movieId,rating,timestamp\n1,7,4.5,86400\n",
            movies__csv='movieId,title,genres\n7,"Cafe, A",Action|Drama\n8,B,(no genres listed)\n',
        )
    ],
    "movietweetings": [b"1::0000007::9::86400\n", b"0000007::Cafe (1995)::Action|Drama\n"],
}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_format_gives_ratings_with_times_and_genres(tmp_path, name):
    paths = []
    for number, content in enumerate(CONTENTS[name]):
        path = tmp_path / str(number)
        path.write_bytes(content)
        paths.append(path)
    frames = PUBLIC[name].read(paths)
    data = plait.Dataset.of(**frames)
    event = data.to_frame().row(0, named=True)
    assert str(event["time"]) == "1970-01-02 00:00:00+00:00"
    assert event["value"] in (4.0, 4.5, 5.0, 9.0)
    if "items" in frames:
        fields = data.catalogue.fields(0)
        assert set(fields["genres"]) == {"Action", "Drama"}
        assert fields["title"].startswith("Caf")


def test_a_load_shows_the_licence_first_and_checks_the_hash(tmp_path):
    path = tmp_path / "movielens-100k" / "ml-100k.zip"
    path.parent.mkdir()
    path.write_bytes(CONTENTS["movielens-100k"][0])
    with pytest.raises(InputError):  # the cached file is not the published one
        load("movielens-100k", folder=tmp_path, notice=print)
    notices = []
    with pytest.raises(StorageError):  # a folder cannot be made below a file
        load("movielens-1m", folder=path, notice=notices.append)
    assert "GroupLens" in notices[0]


def test_homes_are_official_and_names_are_known():
    hosts = {file.url.split("/")[2] for entry in PUBLIC.values() for file in entry.files}
    assert hosts == {"files.grouplens.org", "raw.githubusercontent.com", "snap.stanford.edu"}
    assert all(file.url.startswith("https://") for e in PUBLIC.values() for file in e.files)
    assert NAMES[0] == "online-retail"
    with pytest.raises(NotFoundError):
        load("netflix")


def test_an_archive_without_its_file_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    for content in (archive(readme="x"), b"no archive"):
        path.write_bytes(content)
        with pytest.raises(InputError):
            PUBLIC["movielens-1m"].read([path])


class Broken(Quiet):
    """Announces more bytes than it sends, or sends no number."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "100" if "short" in self.path else "many")
        self.end_headers()
        self.wfile.write(b"content")


@pytest.fixture(scope="module")
def broken():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download_that_breaks_off_is_no_first_download(broken, tmp_path):
    with pytest.raises(StorageError):
        fetch(RemoteFile(f"{broken}/short.txt"), tmp_path, print)
    assert list(tmp_path.iterdir()) == []
    assert fetch(RemoteFile(f"{broken}/a.txt"), tmp_path, print).read_bytes() == b"content"


@pytest.mark.parametrize(
    "content",
    [
        b"no gzip",
        CONTENTS["amazon-beauty"][0][:-12],
        gzip.compress(b'{"reviewerID": ['),
        gzip.compress(b"\xff\xfe\n"),
        gzip.compress(b'{"reviewerID": "A", "asin": "B", "overall": {}, "unixReviewTime": []}'),
    ],
    ids=["no gzip", "cut off", "cut off JSON", "no text", "wrong types"],
)
def test_damaged_content_is_one_error(tmp_path, content):
    folder = tmp_path / "amazon-beauty"
    folder.mkdir()
    (folder / PUBLIC["amazon-beauty"].files[0].name).write_bytes(content)
    with pytest.raises(InputError):
        load("amazon-beauty", folder=tmp_path)

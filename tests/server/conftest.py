import shutil

import pytest

from tests.server.fixtures import make_home, served


@pytest.fixture(scope="session")
def fitted(tmp_path_factory):
    """A fitted home that no test may change."""
    home = tmp_path_factory.mktemp("fitted") / "home"
    make_home(home)
    return home


@pytest.fixture
def home(fitted, tmp_path):
    """A fitted home of the test's own."""
    return shutil.copytree(fitted, tmp_path / "home")


@pytest.fixture(scope="module")
def client(fitted, tmp_path_factory):
    """The owner's client of a server that one module's tests share."""
    home = shutil.copytree(fitted, tmp_path_factory.mktemp("shared") / "home")
    with served(home, body_limit=100_000, batch_limit=50) as http_client:
        yield http_client

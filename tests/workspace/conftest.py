import pytest

import plait
from tests.workspace.workspace_fixtures import fitted


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A fitted shop that tests only ask."""
    with fitted(tmp_path_factory.mktemp("home")) as opened:
        yield opened


@pytest.fixture
def home(tmp_path):
    """A fitted home of one's own, closed."""
    fitted(tmp_path).close()
    return tmp_path


@pytest.fixture
def own(home):
    """An open shop of one's own."""
    with plait.open(home) as opened:
        yield opened

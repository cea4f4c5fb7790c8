import pytest

from tests.evaluation import fake_stages


@pytest.fixture(autouse=True)
def fresh_witness():
    """Spies start with an empty record."""
    fake_stages.witness.__init__()

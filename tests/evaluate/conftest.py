import pytest

from tests.evaluate import toys


@pytest.fixture(autouse=True)
def fresh_witness():
    """Spies start with an empty record."""
    toys.witness.__init__()

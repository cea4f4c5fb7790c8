"""Every stage that is registered passes the shipped checks."""

import pytest

from plait.testing import conformance

CASES = conformance.cases()


@pytest.mark.parametrize(("case", "check"), CASES, ids=[f"{case}-{check}" for case, check in CASES])
def test_stage_conforms(case, check):
    conformance.run(case, check)

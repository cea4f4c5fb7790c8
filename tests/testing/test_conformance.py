"""Every stage that is registered passes the shipped suite."""

import pytest

from plait.testing import conformance

CASES = conformance.cases()


@pytest.mark.parametrize(
    ("subject", "check"), CASES, ids=[f"{subject}-{check}" for subject, check in CASES]
)
def test_stage_conforms(subject, check):
    conformance.run(subject, check)

"""The recorded schemas are those of the genuine provider: `make test-aws-genuine` builds it and asks."""

import os

import pytest

from tests.stand_ins.genuine.schemas import printed, program, recorded


@pytest.mark.skipif("SCAR_TEST_GENUINE" not in os.environ, reason="run by make test-aws-genuine, which builds it")
def test_the_recorded_schemas_are_what_the_genuine_provider_says() -> None:
    assert recorded() == printed(program()), "write them anew: python -m tests.stand_ins.genuine.schemas"

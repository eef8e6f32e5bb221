"""Components run under Pulumi's mocks."""

from tests.world.pulumi_mocks import recorder as recorder  # noqa: PLC0414 - the fixture

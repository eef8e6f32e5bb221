"""Components run under Pulumi's mocks."""

from tests.world.pulumi_mocks import leftovers_collected, recorder

__all__ = ["leftovers_collected", "recorder"]

"""Programs of FDL files run under Pulumi's mocks."""

from tests.components.conftest import recorder as recorder  # noqa: PLC0414 - the fixture of the components' tests

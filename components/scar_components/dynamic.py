"""What the providers of dynamic resources share: AWS as the stack configures it, and what the stack says of buckets."""

import os

import pulumi
from pulumi.dynamic import ConfigureRequest, ResourceProvider

from scar_foundation.aws_session import AwsSession, configured_session


class StatelessProvider(ResourceProvider):
    """A dynamic provider without data of its own.

    It is serialised by reference to its class, which must be importable: new code does not change the state.
    """

    # If the provider were serialised as a secret, every diff of its resources would be hidden.
    serialize_as_secret_always = False


class AwsResourceProvider(StatelessProvider):
    """A dynamic provider with an AWS session."""

    session: AwsSession
    """Clients of the stack's account; set by `configure`, which the engine calls first."""

    delete_buckets: bool
    """The stack's `scar:deleteBuckets`; see `deletes_buckets`."""

    def configure(self, req: ConfigureRequest) -> None:
        """Open an AWS session with the stack's configuration, which is not stored in the state."""
        self.session = configured_session(req.config.get)
        self.delete_buckets = deletes_buckets(req)


def deletes_buckets(req: ConfigureRequest) -> bool:
    """Whether the stack deletes buckets.

    The engine passes the configuration as of the last `up`, also when it destroys. `SCAR_DELETE_BUCKETS` in the
    environment overrides it: `scar-pulumi destroy` sets it to what the configuration says now.
    """
    configured = os.environ.get("SCAR_DELETE_BUCKETS") or req.config.get("scar:deleteBuckets")
    return (configured or "").lower() == "true"


def configured_region(opts: pulumi.ResourceOptions | None) -> pulumi.Output[str]:
    """Return the region of the aws provider that a resource with these options would use."""
    import pulumi_aws as aws  # noqa: PLC0415 - takes a second, and provider processes do not need it

    parent = opts.parent if opts else None
    return aws.get_region_output(opts=pulumi.InvokeOutputOptions(parent=parent)).region

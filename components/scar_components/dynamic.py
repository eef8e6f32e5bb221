"""What the dynamic resources share: AWS as the stack configures it, and whether the stack deletes buckets."""

import os

import pulumi
import pulumi_aws as aws
from pulumi.dynamic import ConfigureRequest, ResourceProvider

from scar_foundation.aws_session import AwsSession, configured_session


class AwsResourceProvider(ResourceProvider):
    """A dynamic resource provider with an AWS session.

    It is serialised by reference to its importable class: what the state holds does not change with the code.
    """

    # There is nothing in it, secret or not; a secret would hide every diff of the resource.
    serialize_as_secret_always = False

    session: AwsSession
    """Clients of the stack's account; set by `configure`, which the engine calls first."""

    delete_buckets: bool
    """The stack's `scar:deleteBuckets`, as of its last `up`, which is what the engine knows when it destroys.

    `SCAR_DELETE_BUCKETS` in the environment wins: `scar-pulumi destroy` sets it to what the configuration says now.
    """

    def configure(self, req: ConfigureRequest) -> None:
        """Open AWS with the configuration of the stack (not stored in the state)."""
        self.session = configured_session(req.config.get)
        self.delete_buckets = deletes_buckets(req)


def deletes_buckets(req: ConfigureRequest) -> bool:
    """Whether the stack deletes buckets, as it is configured."""
    configured = os.environ.get("SCAR_DELETE_BUCKETS") or req.config.get("scar:deleteBuckets")
    return (configured or "").lower() == "true"


def configured_region(opts: pulumi.ResourceOptions | None) -> pulumi.Output[str]:
    """Return the region of the provider that a resource with these options would use."""
    parent = opts.parent if opts else None
    return aws.get_region_output(opts=pulumi.InvokeOutputOptions(parent=parent)).region

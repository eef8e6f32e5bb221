"""The region that the aws provider works in, for our dynamic resources, which it does not tell."""

import pulumi
import pulumi_aws as aws


def configured_region(opts: pulumi.ResourceOptions | None) -> pulumi.Output[str]:
    """Return the region of the provider that a resource with these options would use."""
    parent = opts.parent if opts else None
    return aws.get_region_output(opts=pulumi.InvokeOutputOptions(parent=parent)).region

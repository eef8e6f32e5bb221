"""A stand-in for the `aws` Pulumi plugin, for machines without the genuine one.

It serves the resource types in `types/` over boto3, under the genuine `pulumi-aws` SDK, and only ever against an
endpoint on loopback: it never talks to AWS. The engine starts it as `python -m scar_pulumi.stand_ins.aws`.
"""

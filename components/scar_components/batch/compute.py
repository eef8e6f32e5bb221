"""What a compute environment is made of: its machines, their network, and what instances run when they start.

https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeResource.html
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from scar_foundation.batch_rules import ON_INSTANCES, environment_refusals

GPU_FAMILY = re.compile(r"(?:p|g|gr)[0-9]")
_GPU_WITHOUT_NVIDIA = re.compile(r"g4ad\b")
_BEFORE_AL2023 = re.compile(r"(?:p2|p3|g3|g3s|a1)\b")


def check_machines(name: str, args: Mapping[str, Any]) -> None:
    """Raise RunError with every combination of a compute environment's arguments that Batch refuses."""
    if found := list(environment_refusals(args)):
        raise pulumi.RunError("\n".join(f"{name}: {refusal}" for refusal in found))


def changes_in_place(args: Mapping[str, Any]) -> bool:
    """Whether AWS updates the instances of such an environment in place, while jobs run on them."""
    is_managed = args.get("management", "MANAGED") == "MANAGED" and args.get("type", "EC2") in ON_INSTANCES
    return is_managed and not args.get("service_role") and args.get("allocation_strategy") != "BEST_FIT"


def _has_gpu(instance_type: str) -> bool:
    return bool(GPU_FAMILY.match(instance_type)) and not _GPU_WITHOUT_NVIDIA.match(instance_type)


def image_types(instance_types: Sequence[str]) -> list[str]:
    """Return the image types for some instance types: one for those with GPUs and one for the others.

    https://docs.aws.amazon.com/batch/latest/APIReference/API_Ec2Configuration.html
    """
    return sorted({_image_type(one) for one in instance_types})[:2]


def _image_type(instance_type: str) -> str:
    system = "ECS_AL2" if _BEFORE_AL2023.match(instance_type) else "ECS_AL2023"
    return f"{system}_NVIDIA" if _has_gpu(instance_type) else system


class Network:
    """Subnets and security groups of a compute environment."""

    subnet_ids: Input[Sequence[Input[str]]]
    security_group_ids: Input[Sequence[Input[str]]]

    def __init__(
        self,
        name: str,
        subnet_ids: Optional[Sequence[Input[str]]],
        security_group_ids: Optional[Sequence[Input[str]]],
        region: Optional[Input[str]],
        invoke: pulumi.InvokeOutputOptions,
    ) -> None:
        """Look up what is not given: the subnets of the default VPC, the default security group of the subnets' VPC."""
        self._region, self._invoke = region, invoke
        vpc = None if subnet_ids else self._default_vpc(name)
        self.subnet_ids = list(subnet_ids) if subnet_ids else self._default_subnets(name, vpc)
        if security_group_ids:
            self.security_group_ids = list(security_group_ids)
        else:
            self.security_group_ids = [self._default_group(vpc or self._vpc_of(name, subnet_ids))]

    def _default_vpc(self, name: str) -> Output[str]:
        filters: Any = [{"name": "is-default", "values": ["true"]}]
        found: Any = aws.ec2.get_vpcs_output(filters=filters, region=self._region, opts=self._invoke)
        return Output.from_input(found.ids).apply(lambda ids: _first(name, ids))

    def _default_subnets(self, name: str, vpc: Optional[Output[str]]) -> Output[Sequence[str]]:
        filters: Any = [{"name": "vpc-id", "values": [vpc]}, {"name": "default-for-az", "values": ["true"]}]
        found: Any = aws.ec2.get_subnets_output(filters=filters, region=self._region, opts=self._invoke)
        return Output.from_input(found.ids).apply(lambda ids: sorted(ids) if ids else [_first(name, ids)])

    def _vpc_of(self, name: str, subnet_ids: Optional[Sequence[Input[str]]]) -> Output[str]:
        def look_up(subnet: str, region: Optional[str]) -> str:
            options = pulumi.InvokeOptions(parent=self._invoke.parent, provider=self._invoke.provider)
            try:
                return str(aws.ec2.get_subnet(id=subnet, region=region, opts=options).vpc_id)
            except Exception as error:  # noqa: BLE001 - the SDK raises nothing more precise
                raise pulumi.RunError(
                    f"{name}: subnet_ids: {subnet} is not found ({str(error).rpartition(': ')[2]}); correct the id "
                    "(in FDL, compute_resources.subnets), or give security_group_ids as well"
                ) from None

        return Output.all((subnet_ids or [""])[0], self._region).apply(lambda given: look_up(*given))

    def _default_group(self, vpc: Output[str]) -> Output[str]:
        found: Any = aws.ec2.get_security_group_output(
            name="default", vpc_id=vpc, region=self._region, opts=self._invoke
        )
        return Output.from_input(found.id)


def _first(name: str, ids: Sequence[str]) -> str:
    if not ids:
        raise pulumi.RunError(
            f"{name}: the account has no default VPC in this region; give subnet_ids and security_group_ids"
        )
    return ids[0]


def encoded_user_data(script: str) -> str:
    """Return a script as the base64 MIME document that Batch can merge with its own part; MIME documents stay as is.

    https://docs.aws.amazon.com/batch/latest/userguide/launch-templates.html
    """
    text = script if script.startswith(("MIME-Version:", "Content-Type: multipart/")) else _mime_document(script)
    return base64.b64encode(text.encode()).decode()


def _mime_document(script: str) -> str:
    # Derived from the script, so that the same script gives the same document.
    boundary = hashlib.sha256(script.encode()).hexdigest()[:24]
    return (
        f'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="{boundary}"\n\n--{boundary}\n'
        f'Content-Type: text/x-shellscript; charset="us-ascii"\n\n{script}\n--{boundary}--\n'
    )

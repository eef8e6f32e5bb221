"""The network that jobs run in: what is given, else what the account's default network offers."""

from collections.abc import Sequence
from typing import Any, Optional

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

_NO_DEFAULT = "the account has no default VPC in this region; give subnet_ids and security_group_ids"


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
        """Look up what is not given: the default VPC's subnets, and the default security group of the subnets' VPC."""
        self._region, self._invoke = region, invoke
        vpc = None if subnet_ids else self._default_vpc(name)
        self.subnet_ids = list(subnet_ids) if subnet_ids else self._default_subnets(name, vpc)
        if security_group_ids:
            self.security_group_ids = list(security_group_ids)
        else:
            self.security_group_ids = [self._default_group(vpc or self._vpc_of(subnet_ids))]

    def _default_vpc(self, name: str) -> Output[str]:
        filters: Any = [{"name": "is-default", "values": ["true"]}]
        found: Any = aws.ec2.get_vpcs_output(filters=filters, region=self._region, opts=self._invoke)
        return Output.from_input(found.ids).apply(lambda ids: _first(name, ids))

    def _default_subnets(self, name: str, vpc: Optional[Output[str]]) -> Output[Sequence[str]]:
        filters: Any = [{"name": "vpc-id", "values": [vpc]}, {"name": "default-for-az", "values": ["true"]}]
        found: Any = aws.ec2.get_subnets_output(filters=filters, region=self._region, opts=self._invoke)
        return Output.from_input(found.ids).apply(lambda ids: sorted(ids) if ids else [_first(name, ids)])

    def _vpc_of(self, subnet_ids: Optional[Sequence[Input[str]]]) -> Output[str]:
        first = (subnet_ids or [""])[0]
        found: Any = aws.ec2.get_subnet_output(id=first, region=self._region, opts=self._invoke)
        return Output.from_input(found.vpc_id)

    def _default_group(self, vpc: Output[str]) -> Output[str]:
        found: Any = aws.ec2.get_security_group_output(
            name="default", vpc_id=vpc, region=self._region, opts=self._invoke
        )
        return Output.from_input(found.id)


def _first(name: str, ids: Sequence[str]) -> str:
    if not ids:
        raise pulumi.RunError(f"{name}: {_NO_DEFAULT}")
    return ids[0]

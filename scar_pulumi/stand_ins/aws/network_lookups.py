"""Functions that look up networks and file systems that are there already."""

from collections.abc import Mapping
from typing import Any

from scar_pulumi.stand_ins.aws.calls import Cloud, partition
from scar_pulumi.stand_ins.plugin.errors import ProviderError
from scar_pulumi.stand_ins.plugin.wire import Properties


def vpcs(cloud: Cloud, arguments: Properties) -> Properties:
    """https://www.pulumi.com/registry/packages/aws/api-docs/ec2/getvpcs/."""
    region, found = _found(cloud, "describe_vpcs", "Vpcs", arguments)
    return {**arguments, "id": region, "ids": [one["VpcId"] for one in found], "region": region}


def vpc(cloud: Cloud, arguments: Properties) -> Properties:
    """https://www.pulumi.com/registry/packages/aws/api-docs/ec2/getvpc/."""
    wanted = {"vpc-id": arguments.get("id"), "is-default": "true" if arguments.get("default") else None}
    region, found = _found(cloud, "describe_vpcs", "Vpcs", arguments, wanted)
    one = _only(found, "EC2 VPC")
    identity = {"id": one["VpcId"], "cidrBlock": one["CidrBlock"], "default": one.get("IsDefault", False)}
    return {**arguments, **identity, "region": region, "ownerId": one.get("OwnerId", ""), "state": one.get("State", "")}


def subnets(cloud: Cloud, arguments: Properties) -> Properties:
    """https://www.pulumi.com/registry/packages/aws/api-docs/ec2/getsubnets/."""
    region, found = _found(cloud, "describe_subnets", "Subnets", arguments)
    return {**arguments, "id": region, "ids": [one["SubnetId"] for one in found], "region": region}


def subnet(cloud: Cloud, arguments: Properties) -> Properties:
    """https://www.pulumi.com/registry/packages/aws/api-docs/ec2/getsubnet/."""
    wanted = {"subnet-id": arguments.get("id"), "vpc-id": arguments.get("vpcId")}
    region, found = _found(cloud, "describe_subnets", "Subnets", arguments, wanted)
    one = _only(found, "EC2 Subnet")
    return {
        **arguments,
        "id": one["SubnetId"],
        "vpcId": one["VpcId"],
        "cidrBlock": one["CidrBlock"],
        "availabilityZone": one.get("AvailabilityZone", ""),
        "region": region,
    }


def security_group(cloud: Cloud, arguments: Properties) -> Properties:
    """https://www.pulumi.com/registry/packages/aws/api-docs/ec2/getsecuritygroup/."""
    names = {"group-id": "id", "group-name": "name", "vpc-id": "vpcId"}
    wanted = {name: arguments.get(key) for name, key in names.items()}
    region, found = _found(cloud, "describe_security_groups", "SecurityGroups", arguments, wanted)
    one = _only(found, "EC2 Security Group")
    owner = one.get("OwnerId", "")
    return {
        **arguments,
        "id": one["GroupId"],
        "name": one["GroupName"],
        "vpcId": one.get("VpcId", ""),
        "description": one.get("Description", ""),
        "arn": f"arn:{partition(region)}:ec2:{region}:{owner}:security-group/{one['GroupId']}",
        "region": region,
    }


def access_point(cloud: Cloud, arguments: Properties) -> Properties:
    """https://www.pulumi.com/registry/packages/aws/api-docs/efs/getaccesspoint/."""
    point, region = arguments["accessPointId"], arguments.get("region") or cloud.configuration.region
    found = cloud.call("efs", "describe_access_points", region, AccessPointId=point)["AccessPoints"]
    one = _only(found, "EFS Access Point")
    return {
        **arguments,
        "id": point,
        "arn": one["AccessPointArn"],
        "fileSystemId": one["FileSystemId"],
        "region": region,
    }


def _found(
    cloud: Cloud, operation: str, result: str, arguments: Properties, wanted: Mapping[str, Any] | None = None
) -> tuple[str, list[Properties]]:
    region = arguments.get("region") or cloud.configuration.region
    filters = [{"Name": one["name"], "Values": one["values"]} for one in arguments.get("filters") or ()]
    filters += [{"Name": name, "Values": [value]} for name, value in (wanted or {}).items() if value]
    found: list[Properties] = cloud.call("ec2", operation, region, Filters=filters)[result]
    return region, found


def _only(found: list[Properties], what: str) -> Properties:
    if len(found) != 1:
        raise ProviderError(f"{'multiple' if found else 'no matching'} {what}s found; say which one is meant")
    return found[0]

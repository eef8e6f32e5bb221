"""The functions that programs call on the provider, such as `aws.get_region()`."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from scar_foundation.plugin.failures import ProviderError, UnservedError
from scar_foundation.plugin.values import Properties
from scar_pulumi.stand_ins.aws.cloud import Cloud, partition
from scar_pulumi.stand_ins.aws.inputs import did_you_mean


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
        raise ProviderError(f"{'multiple' if found else 'no matching'} {what}s found; add an id or filters")
    return found[0]


Function: TypeAlias = Callable[[Cloud, Properties], Properties]


def invoke(cloud: Cloud, token: str, arguments: Properties) -> Properties:
    """Return the result of a function such as `aws:index/getRegion:getRegion`; raise `UnservedError` for others."""
    if function := FUNCTIONS.get(token):
        return function(cloud, arguments)
    near = did_you_mean(token, FUNCTIONS) or f"; it serves {', '.join(sorted(FUNCTIONS))}"
    raise UnservedError(f"{token}: the stand-in aws provider of local stacks does not serve this function{near}")


def _caller_identity(cloud: Cloud, _: Properties) -> Properties:
    caller = cloud.caller
    return {"accountId": caller["Account"], "arn": caller["Arn"], "id": caller["Account"], "userId": caller["UserId"]}


def _region(cloud: Cloud, arguments: Properties) -> Properties:
    name = arguments.get("region") or arguments.get("name") or arguments.get("id") or cloud.configuration.region
    endpoint = f"ec2.{name}.amazonaws.com"
    return {"id": name, "name": name, "region": name, "endpoint": endpoint, "description": name}


def _partition(cloud: Cloud, _: Properties) -> Properties:
    name = partition(cloud.configuration.region)
    suffix = "amazonaws.com.cn" if name == "aws-cn" else "amazonaws.com"
    return {
        "id": name,
        "partition": name,
        "dnsSuffix": suffix,
        "reverseDnsPrefix": ".".join(reversed(suffix.split("."))),
    }


def _authorization_token(cloud: Cloud, arguments: Properties) -> Properties:
    region = arguments.get("region") or cloud.configuration.region
    data = cloud.call("ecr", "get_authorization_token", region)["authorizationData"][0]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    return {
        "authorizationToken": data["authorizationToken"],
        "expiresAt": data["expiresAt"].isoformat(),
        "id": region,
        "password": password,
        "proxyEndpoint": data["proxyEndpoint"],
        "region": region,
        "registryId": arguments.get("registryId"),
        "userName": user,
    }


def _bucket(cloud: Cloud, arguments: Properties) -> Properties:
    name, region = arguments["bucket"], arguments.get("region") or cloud.configuration.region
    cloud.call("s3", "head_bucket", region, Bucket=name)
    return {
        "arn": f"arn:{partition(region)}:s3:::{name}",
        "bucket": name,
        "bucketDomainName": f"{name}.s3.amazonaws.com",
        "bucketRegion": region,
        "bucketRegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
        "hostedZoneId": "Z3AQBSTGFYJSTF",
        "id": name,
        "region": region,
    }


def _parameter(cloud: Cloud, arguments: Properties) -> Properties:
    name, region = arguments["name"], arguments.get("region") or cloud.configuration.region
    decrypted = arguments.get("withDecryption") is not False
    found = cloud.call("ssm", "get_parameter", region, Name=name, WithDecryption=decrypted)["Parameter"]
    return {
        "id": name,
        "arn": found.get("ARN", ""),
        "name": name,
        "type": found["Type"],
        "value": found["Value"],
        "insecureValue": "" if found["Type"] == "SecureString" else found["Value"],
        "version": found.get("Version", 1),
        "region": region,
        "withDecryption": decrypted,
    }


def _policy_document(_: Cloud, arguments: Properties) -> Properties:
    """https://www.pulumi.com/registry/packages/aws/api-docs/iam/getpolicydocument/."""
    texts = [*(arguments.get("sourcePolicyDocuments") or []), arguments.get("sourceJson")]
    overrides = [*(arguments.get("overridePolicyDocuments") or []), arguments.get("overrideJson")]
    own = [_statement(statement) for statement in arguments.get("statements") or []]
    statements = [*_statements(texts), *own]
    for override in _statements(overrides):
        kept = [item for item in statements if not override.get("Sid") or item.get("Sid") != override["Sid"]]
        statements = [*kept, override]
    document: Properties = {"Version": arguments.get("version") or "2012-10-17"}
    if arguments.get("policyId"):
        document["Id"] = arguments["policyId"]
    document["Statement"] = statements
    minified = json.dumps(document, separators=(",", ":"))
    return {**arguments, "id": minified, "json": json.dumps(document, indent=2), "minifiedJson": minified}


def _statements(texts: list[str | None]) -> list[Properties]:
    found: list[Properties] = []
    for text in texts:
        listed = json.loads(text)["Statement"] if text else []
        found += listed if isinstance(listed, list) else [listed]
    return found


def _statement(given: Mapping[str, Any]) -> Properties:
    statement: Properties = {"Sid": given["sid"]} if given.get("sid") else {}
    statement["Effect"] = given.get("effect") or "Allow"
    for name in ("actions", "notActions", "resources", "notResources"):
        if given.get(name):
            statement[name[0].upper() + name[1:-1]] = _one_or_many(given[name])
    for name in ("principals", "notPrincipals"):
        if given.get(name):
            statement[name[0].upper() + name[1:-1]] = _principals(given[name])
    conditions: dict[str, dict[str, Any]] = {}
    for item in given.get("conditions") or []:
        conditions.setdefault(item["test"], {})[item["variable"]] = _one_or_many(item["values"])
    return {**statement, "Condition": conditions} if conditions else statement


def _principals(given: list[Mapping[str, Any]]) -> Any:
    if any(item["type"] == "*" for item in given):
        return "*"
    return {item["type"]: _one_or_many(item["identifiers"]) for item in given}


def _one_or_many(values: list[str]) -> Any:
    return values[0] if len(values) == 1 else values


FUNCTIONS: Mapping[str, Function] = {
    "aws:ec2/getSecurityGroup:getSecurityGroup": security_group,
    "aws:ec2/getSubnet:getSubnet": subnet,
    "aws:ec2/getSubnets:getSubnets": subnets,
    "aws:ec2/getVpc:getVpc": vpc,
    "aws:ec2/getVpcs:getVpcs": vpcs,
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": _authorization_token,
    "aws:efs/getAccessPoint:getAccessPoint": access_point,
    "aws:iam/getPolicyDocument:getPolicyDocument": _policy_document,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getRegion:getRegion": _region,
    "aws:s3/getBucket:getBucket": _bucket,
    "aws:ssm/getParameter:getParameter": _parameter,
}

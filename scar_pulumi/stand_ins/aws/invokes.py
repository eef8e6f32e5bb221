"""The functions that programs call on the provider, such as `aws.get_region()`."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from scar_pulumi.stand_ins.aws import network_lookups
from scar_pulumi.stand_ins.aws.calls import Cloud, partition
from scar_pulumi.stand_ins.aws.naming import did_you_mean
from scar_pulumi.stand_ins.plugin.errors import UnservedError
from scar_pulumi.stand_ins.plugin.wire import Properties

Function: TypeAlias = Callable[[Cloud, Properties], Properties]


def invoke(cloud: Cloud, token: str, arguments: Properties) -> Properties:
    """The result of a function such as `aws:index/getRegion:getRegion`; raises `UnservedError`."""
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
    "aws:ec2/getSecurityGroup:getSecurityGroup": network_lookups.security_group,
    "aws:ec2/getSubnet:getSubnet": network_lookups.subnet,
    "aws:ec2/getSubnets:getSubnets": network_lookups.subnets,
    "aws:ec2/getVpc:getVpc": network_lookups.vpc,
    "aws:ec2/getVpcs:getVpcs": network_lookups.vpcs,
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": _authorization_token,
    "aws:efs/getAccessPoint:getAccessPoint": network_lookups.access_point,
    "aws:iam/getPolicyDocument:getPolicyDocument": _policy_document,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getRegion:getRegion": _region,
    "aws:s3/getBucket:getBucket": _bucket,
    "aws:ssm/getParameter:getParameter": _parameter,
}

"""Quotas of AWS that MiniStack does not have: a request beyond one is refused, one within it is carried out."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from scar_foundation import limits
from tests.world.fake_cloud import ROLE, FakeCloud, image_uri


def _policy(length: int) -> str:
    """Return a policy of so many characters as IAM counts them, with as many spaces again."""
    document: dict[str, Any] = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
    around = len(json.dumps({**document, "Id": ""}, separators=(",", ":")))
    return json.dumps({**document, "Id": "x" * (length - around)}, separators=(" , ", " : "))


def _code(operation: Any, **request: Any) -> str:
    """Return the code of the refusal; nothing when the request was carried out."""
    try:
        operation(**request)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def test_a_role_has_a_longest_name_and_trust_policy(cloud: FakeCloud) -> None:
    create = cloud.client("iam").create_role
    assert _code(create, RoleName="r" * 64, AssumeRolePolicyDocument=_policy(2048)) == ""
    assert _code(create, RoleName="a b", AssumeRolePolicyDocument="{}") == "ValidationError"
    assert _code(create, RoleName="long-trust", AssumeRolePolicyDocument=_policy(2049)) == "LimitExceeded"


def test_the_policies_in_a_role_count_together_without_white_space(cloud: FakeCloud) -> None:
    iam = cloud.client("iam")
    iam.create_role(RoleName="policies", AssumeRolePolicyDocument="{}")

    def put(name: str, length: int) -> str:
        return _code(iam.put_role_policy, RoleName="policies", PolicyName=name, PolicyDocument=_policy(length))

    assert put("one", 10_241) == "LimitExceeded"
    assert put("one", 6000) == ""
    assert put("two", 4241) == "LimitExceeded"
    assert put("two", 4240) == ""
    assert put("one", 6000) == "", "its former version does not count"
    assert _code(iam.create_policy, PolicyName="own", PolicyDocument=_policy(6145)) == "LimitExceeded"


@pytest.mark.parametrize(
    ("name", "size", "tier", "code"),
    [
        ("/a/b", 4096, "Standard", ""),
        ("/a/b", 4097, "Standard", "ValidationException"),
        ("/a/c", 8192, "Advanced", ""),
        ("/a/c", 8193, "Advanced", "ValidationException"),
        ("/a b", 1, "Standard", "ValidationException"),
        ("/" + "/".join("abcdefghijklmno"), 1, "Standard", ""),
        ("/" + "/".join("abcdefghijklmnop"), 1, "Standard", "HierarchyLevelLimitExceededException"),
    ],
)
def test_a_parameter_has_a_largest_value_and_a_longest_name(
    cloud: FakeCloud, name: str, size: int, tier: str, code: str
) -> None:
    put = cloud.client("ssm").put_parameter
    assert _code(put, Name=name, Value="x" * size, Type="String", Tier=tier, Overwrite=True) == code


def test_names_of_log_groups_and_repositories_are_checked(cloud: FakeCloud) -> None:
    logs, ecr = cloud.client("logs"), cloud.client("ecr")
    assert _code(logs.create_log_group, logGroupName="/a/" + "x" * 509) == ""
    assert _code(logs.create_log_group, logGroupName="a b") == "InvalidParameterException"
    assert _code(ecr.create_repository, repositoryName="a/b-c.d_e") == ""
    for name in ("My", "a--b", "-a", "a_"):
        assert _code(ecr.create_repository, repositoryName=name) == "InvalidParameterException"


def test_a_function_s_settings_and_variables_have_limits(cloud: FakeCloud) -> None:
    digest = cloud.function("limited", {"A": "x" * (limits.LAMBDA_ENVIRONMENT_BYTES - 8)})
    change = cloud.client("lambda").update_function_configuration

    def refused(**settings: Any) -> str:
        return _code(change, FunctionName="limited", **settings)

    assert refused(Environment={"Variables": {"A": "x" * 4089}}) == "InvalidParameterValueException"
    assert refused(MemorySize=10_241) == "ValidationException"
    assert refused(Timeout=901) == "ValidationException"
    assert refused(EphemeralStorage={"Size": 10_241}) == "ValidationException"
    assert refused(MemorySize=128, Timeout=900, EphemeralStorage={"Size": 10_240}) == ""
    create = cloud.client("lambda").create_function
    code: Any = {"ImageUri": image_uri("limited", digest)}
    assert _code(create, FunctionName="f" * 65, Role=ROLE, PackageType="Image", Code=code) == "ValidationException"


def test_the_permissions_of_a_function_count_together(cloud: FakeCloud) -> None:
    cloud.function("permitted")
    add = cloud.client("lambda").add_permission

    def permit(statement: str) -> str:
        return _code(
            add,
            FunctionName="permitted",
            StatementId=statement,
            Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com",
            SourceArn="arn:aws:s3:::" + "b" * 63,
        )

    assert permit("s" * 101) == "ValidationException"
    codes = [permit(f"{number:0>90}") for number in range(80)]
    assert codes[0] == ""
    assert codes[-1] == "PolicyLengthExceededException"


@pytest.fixture(scope="module")
def described(cloud: FakeCloud) -> str:
    cloud.function("described")
    return "described"


@pytest.mark.parametrize(
    "settings",
    [
        {"Description": "d" * 257},
        {"VpcConfig": {"SubnetIds": [f"subnet-{n}" for n in range(17)], "SecurityGroupIds": ["sg-1"]}},
        {"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": [f"sg-{n}" for n in range(6)]}},
        {"FileSystemConfigs": [{"Arn": "arn:aws:elasticfilesystem:x", "LocalMountPath": "/data"}]},
        {"FileSystemConfigs": [{"Arn": "arn:aws:elasticfilesystem:x", "LocalMountPath": "/mnt/" + "d" * 156}]},
    ],
    ids=["description", "subnets", "security groups", "mount outside /mnt", "long mount"],
)
def test_a_function_s_description_network_and_mounts_have_limits(
    cloud: FakeCloud, described: str, settings: dict[str, Any]
) -> None:
    change = cloud.client("lambda").update_function_configuration
    assert _code(change, FunctionName=described, **settings) in (
        "ValidationException",
        "InvalidParameterValueException",
    )


def test_a_function_has_fifty_tags(cloud: FakeCloud) -> None:
    cloud.function("tagged")
    tag = cloud.client("lambda").tag_resource
    arn = "arn:aws:lambda:us-east-1:000000000000:function:tagged"
    assert _code(tag, Resource=arn, Tags={f"t{n}": "" for n in range(50)}) == ""
    assert _code(tag, Resource=arn, Tags={"t0": "again"}) == ""
    assert _code(tag, Resource=arn, Tags={"more": ""}) == "InvalidParameterValueException"


def test_a_log_group_keeps_lines_for_days_that_cloudwatch_has(cloud: FakeCloud) -> None:
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="/retained")
    assert _code(logs.put_retention_policy, logGroupName="/retained", retentionInDays=30) == ""
    assert _code(logs.put_retention_policy, logGroupName="/retained", retentionInDays=31) == "InvalidParameterException"


def test_buckets_and_keys_have_the_names_of_s3(cloud: FakeCloud) -> None:
    s3 = cloud.client("s3")
    assert _code(s3.create_bucket, Bucket="b" * 63) == ""
    assert _code(s3.put_object, Bucket="b" * 63, Key="k" * 1024) == ""
    assert _code(s3.put_object, Bucket="b" * 63, Key="k" * 1025) == "KeyTooLongError"
    assert _code(s3.create_bucket, Bucket="Big_Name") in ("InvalidBucketName", "ParamValidationError")

"""Checking, comparing and naming by the tables, without a cloud."""

import json
from collections.abc import Mapping
from typing import Any

import botocore
import botocore.session
import pytest

from scar_foundation.plugin.failures import ProviderError, UnservedError
from scar_foundation.plugin.values import UNKNOWN, conceal, from_struct, reveal, to_struct
from scar_pulumi.stand_ins.aws.cloud import read_configuration
from scar_pulumi.stand_ins.aws.documents import properties, request
from scar_pulumi.stand_ins.aws.inputs import automatic_name, baseline, check, difference, too_long
from scar_pulumi.stand_ins.aws.model import AutoName, fill, parse
from scar_pulumi.stand_ins.aws.reading import foresee_create
from scar_pulumi.stand_ins.aws.schema import schema
from scar_pulumi.stand_ins.aws.types import TYPES, find

FUNCTION = find("aws:lambda/function:Function")
QUEUE = find("aws:sqs/queue:Queue")
ROLE = find("aws:iam/role:Role")
ROLE_ARN = "arn:aws:iam::123456789012:role/f"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "hush"}


def test_defaults_are_those_of_the_genuine_provider() -> None:
    checked = check(FUNCTION, {"role": ROLE_ARN, "name": "f"})
    assert checked.failures == []
    assert {name: checked.inputs[name] for name in ("memorySize", "timeout", "packageType", "publish")} == {
        "memorySize": 128,
        "timeout": 3,
        "packageType": "Zip",
        "publish": False,
    }
    assert "memorySize" in checked.inputs["__defaults"]


@pytest.mark.parametrize(
    ("inputs", "path", "sentence"),
    [
        ({"memroySize": 128}, "memroySize", "did you mean 'memorySize'?"),
        ({"memorySize": 64}, "memorySize", "is 64; AWS takes 128 to 10240"),
        ({"timeout": "soon"}, "timeout", "must be a whole number"),
        ({"packageType": "image"}, "packageType", "did you mean 'Image'?"),
        ({"environment": {"variable": {}}}, "environment.variable", "did you mean 'variables'?"),
        ({"environment": "A=1"}, "environment", "must be an object"),
        ({"vpcConfig": {"subnetIds": ["s"]}}, "vpcConfig.securityGroupIds", "vpcConfig needs it"),
        ({"arn": "mine"}, "arn", "is an output"),
        ({"snapStart": {}}, "snapStart", "it serves"),
    ],
)
def test_a_wrong_input_is_named_with_what_is_wrong(inputs: dict[str, object], path: str, sentence: str) -> None:
    failures = dict(check(FUNCTION, {"role": ROLE_ARN, **inputs}).failures)
    assert list(failures) == [path]
    assert sentence in failures[path]


def test_every_mistake_is_told_at_once() -> None:
    failures = dict(check(FUNCTION, {"memorySize": 1, "nonsense": True}).failures)
    assert failures.keys() == {"memorySize", "nonsense", "role"}


def test_unknown_values_pass_and_text_for_a_number_is_taken() -> None:
    checked = check(FUNCTION, {"role": UNKNOWN, "memorySize": "512", "environment": {"variables": UNKNOWN}})
    assert checked.failures == []
    assert (checked.inputs["role"], checked.inputs["memorySize"]) == (UNKNOWN, 512)


def test_a_type_that_is_not_served_is_named() -> None:
    with pytest.raises(UnservedError, match="did you mean 'aws:sqs/queue:Queue'"):
        find("aws:sqs/queues:Queue")
    with pytest.raises(UnservedError, match=r"aws:ec2/instance:Instance: .* does not serve"):
        find("aws:ec2/instance:Instance")


def changed(type_token: str, olds: Mapping[str, object], news: Mapping[str, object]) -> dict[str, str]:
    return difference(find(type_token), olds, news).paths


def test_differences_name_the_innermost_property() -> None:
    olds = {"environment": {"variables": {"A": "1", "B": "2"}}, "memorySize": 128, "tags": {"a.b": "1"}}
    news = {"environment": {"variables": {"A": "1", "B": "3", "C": "4"}}, "memorySize": 256, "tags": {}}
    assert changed(FUNCTION.token, olds, news) == {
        "environment.variables.B": "update",
        "environment.variables.C": "add",
        "memorySize": "update",
        "tags": "delete",
    }


def test_another_spelling_of_the_same_is_no_difference() -> None:
    policy = {"Version": "2012-10-17", "Statement": []}
    olds = {"assumeRolePolicy": json.dumps(policy), "tags": {}, "description": ""}
    news = {"assumeRolePolicy": json.dumps(dict(reversed(policy.items())), indent=2)}
    assert changed(ROLE.token, olds, news) == {}
    sets = {"vpcConfig": {"subnetIds": ["a", "b"], "securityGroupIds": []}}
    again = {"vpcConfig": {"subnetIds": ["b", "a"], "securityGroupIds": []}}
    assert changed(FUNCTION.token, sets, again) == {}


def test_what_aws_chose_is_only_compared_when_the_program_says_it() -> None:
    outputs = {"architectures": ["x86_64"], "region": "us-east-1", "ephemeralStorage": {"size": 512}}
    before = baseline(FUNCTION, outputs, {"memorySize": 128})
    assert difference(FUNCTION, before, {"memorySize": 128}).paths == {}
    assert difference(FUNCTION, before, {"memorySize": 128, "region": "us-east-1"}).paths == {}
    found = difference(FUNCTION, before, {"memorySize": 128, "region": "eu-west-1", "ephemeralStorage": {"size": 600}})
    assert found.paths == {"ephemeralStorage.size": "update", "region": "update"}
    assert found.replaced == ["region"]


ON_INSTANCES = {"type": "EC2", "allocationStrategy": "BEST_FIT_PROGRESSIVE", "maxVcpus": 2, "subnets": ["a"]}


@pytest.mark.parametrize(
    ("change", "before", "replaces"),
    [
        ({"maxVcpus": 8, "minVcpus": 1}, {"allocationStrategy": "BEST_FIT"}, False),
        ({"instanceTypes": ["c5"], "subnets": ["b"], "type": "SPOT"}, {}, False),
        ({"instanceTypes": ["c5"]}, {"allocationStrategy": "BEST_FIT"}, True),
        ({"type": "FARGATE", "allocationStrategy": None}, {}, True),
        ({"spotIamFleetRole": "arn"}, {}, True),
        ({"subnets": ["b"]}, {"type": "FARGATE", "allocationStrategy": None}, False),
    ],
)
def test_an_environment_is_replaced_only_where_aws_cannot_change_it(
    change: dict[str, object], before: dict[str, object], replaces: bool
) -> None:
    environment = find("aws:batch/computeEnvironment:ComputeEnvironment")
    olds = {"computeResources": {**ON_INSTANCES, **before}}
    news = {"computeResources": {**ON_INSTANCES, **before, **change}}
    changed = sorted(f"computeResources.{name}" for name in change)
    assert difference(environment, olds, news).replaced == (changed if replaces else [])
    role = {"serviceRole": "arn:aws:iam::000000000000:role/mine"}
    with_role = difference(environment, {**olds, **role}, {**news, **role}).replaced
    assert with_role == (
        [] if (not replaces and {*change} <= {"maxVcpus", "minVcpus"}) or before.get("type") else changed
    )


def test_ignored_changes_are_left_out() -> None:
    found = difference(FUNCTION, {"name": "a", "memorySize": 1}, {"name": "b", "memorySize": 2})
    found.ignore(["name"])
    assert (found.paths, found.replaced) == ({"memorySize": "update"}, [])


def test_automatic_names_have_seven_digits_and_fit() -> None:
    rule = AutoName("name", 64, prefix="namePrefix")
    name = automatic_name(rule, "role", {}, b"seed")
    assert name.startswith("role-")
    assert len(name) == len("role-") + 7
    assert name == automatic_name(rule, "role", {}, b"seed") != automatic_name(rule, "role", {}, b"other")
    assert too_long(rule, automatic_name(rule, "r" * 56, {}, b"seed")) is None
    refused = too_long(rule, automatic_name(rule, "r" * 57, {}, b"seed"))
    assert refused is not None
    assert "is longer than 64 characters" in refused
    assert automatic_name(rule, "role", {"namePrefix": "mine-"}, b"seed").startswith("mine-")
    fifo = AutoName("name", 80, lower=True, suffix=("fifoQueue", ".fifo"))
    assert automatic_name(fifo, "Q", {"fifoQueue": True}, b"seed").endswith(".fifo")


@pytest.mark.parametrize(("property_", "most"), [("name", 64), ("namePrefix", 38)])
def test_names_over_a_limit_are_refused_not_cut(property_: str, most: int) -> None:
    inputs = {"assumeRolePolicy": "{}", property_: "r" * most}
    assert check(ROLE, inputs).failures == []
    failures = check(ROLE, {**inputs, property_: "r" * (most + 1)}).failures
    assert failures == [(property_, f"has {most + 1} characters; AWS takes up to {most}")]


def test_ids_are_made_and_taken_apart() -> None:
    pattern = "{function}/{statementId}[:{qualifier}]"
    full = {"function": "f", "statementId": "s", "qualifier": "1"}
    assert fill(pattern, full) == "f/s:1"
    assert parse(pattern, "f/s:1") == full
    assert parse(pattern, "f/s") == {"function": "f", "statementId": "s"}
    assert parse(pattern, "nothing") is None
    assert fill(pattern, {"function": UNKNOWN, "statementId": "s"}) == UNKNOWN


def test_properties_travel_to_aws_and_back() -> None:
    values = {"name": "q", "delaySeconds": 5, "fifoQueue": True, "redrivePolicy": '{"maxReceiveCount":3}'}
    document = request(QUEUE, values, ["QueueName", "Attributes", "tags"])
    assert document == {
        "QueueName": "q",
        "Attributes": {"DelaySeconds": "5", "FifoQueue": "true", "RedrivePolicy": '{"maxReceiveCount":3}'},
    }
    assert properties(QUEUE, document) == values
    mounted = {"fileSystemConfig": {"arn": "a", "localMountPath": "/mnt/x"}}
    files = request(FUNCTION, mounted, ["FileSystemConfigs"])
    assert files == {"FileSystemConfigs": [{"Arn": "a", "LocalMountPath": "/mnt/x"}]}
    assert properties(FUNCTION, files) == mounted
    assert request(FUNCTION, {"imageUri": "i"}, ["Code"]) == {"Code": {"ImageUri": "i"}}
    assert request(FUNCTION, {"imageUri": "i"}, ["ImageUri"]) == {"ImageUri": "i"}


def test_secrets_stay_secret_where_they_were() -> None:
    raw = {"environment": {"variables": {"A": SECRET, "B": "1"}}, "tags": SECRET}
    plain = reveal(from_struct(to_struct(raw)))
    assert plain == {"environment": {"variables": {"A": "hush", "B": "1"}}, "tags": "hush"}
    assert conceal({**plain, "arn": "x"}, raw) == {**raw, "arn": "x"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:4566", "http://localhost:1", "http://[::1]:80", "http://127.9.9.9"])
def test_loopback_endpoints_are_taken(url: str) -> None:
    assert read_configuration({}, {"AWS_ENDPOINT_URL": url}).endpoint_of("sqs") == url
    assert read_configuration({"endpoints": json.dumps([{"sqs": url}])}, {}).endpoint_of("sqs") == url


@pytest.mark.parametrize(
    "url",
    ["https://sqs.us-east-1.amazonaws.com", "http://10.0.0.1:4566", "http://127.0.0.1.example.com", "http://", "x"],
)
def test_any_other_endpoint_is_refused(url: str) -> None:
    with pytest.raises(UnservedError, match="only talks to the local cloud"):
        read_configuration({}, {"AWS_ENDPOINT_URL": url})
    with pytest.raises(UnservedError, match="only talks to the local cloud"):
        read_configuration({"endpoints": json.dumps([{"s3": url}])}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})


def test_no_endpoint_is_refused_with_the_way_out() -> None:
    with pytest.raises(UnservedError, match="scar-pulumi local env"):
        read_configuration({"region": "us-east-1"}, {})


def test_every_table_is_whole() -> None:
    described = schema("7.0.0")
    assert set(described["resources"]) == set(TYPES)
    for type_ in TYPES.values():
        assert type_.documentation.startswith("https://docs.aws.amazon.com/")
        assert type_.keys <= type_.properties.keys()
        assert {setting.property for setting in type_.settings} <= type_.properties.keys()
        assert type_.name is None or type_.name.property in type_.properties
        references = json.dumps(described["resources"][type_.token])
        assert all(f'"#/types/{token}"' in json.dumps(described) for token in described["types"]), references


@pytest.mark.parametrize("token", TYPES)
def test_every_operation_exists(token: str) -> None:
    type_ = find(token)
    model = botocore.session.Session().get_service_model(type_.service)
    calls = [type_.create, type_.read, type_.delete, *(setting.get for setting in type_.settings if setting.get)]
    named = {call.operation for call in calls} | {*type_.updates}
    named |= {name for setting in type_.settings for name in (setting.put, setting.clear) if name}
    named |= {name for name in (type_.tags.get, type_.tags.add, type_.tags.remove) if name} if type_.tags else set()
    assert named <= {botocore.xform_name(operation) for operation in model.operation_names}


def test_a_preview_knows_what_follows_from_names() -> None:
    class Cloudless:
        """A cloud whose account is known and that nobody calls."""

        configuration = read_configuration({}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})

        def facts(self, region: str | None) -> dict[str, str]:
            return {"region": region or "us-east-1", "account": "000000000000", "partition": "aws"}

    outputs = foresee_create(Cloudless(), FUNCTION, {"name": "f", "role": UNKNOWN})  # type: ignore[arg-type]
    assert outputs["arn"] == "arn:aws:lambda:us-east-1:000000000000:function:f"
    assert outputs["invokeArn"].endswith(f"/functions/{outputs['arn']}/invocations")
    assert outputs["version"] == outputs["lastModified"] == outputs["role"] == UNKNOWN


def test_emptying_a_bucket_ends_where_a_deletion_is_refused() -> None:
    class Refusing:
        def call(self, _service: str, operation: str, _region: str | None, **_request: Any) -> dict[str, Any]:
            if operation == "delete_objects":
                return {"Errors": [{"Key": "held", "Code": "AccessDenied"}]}
            return {"Versions": [{"Key": "held", "VersionId": "1"}]}

    empty: Any = find("aws:s3/bucket:Bucket").before_delete
    with pytest.raises(ProviderError, match="bucket photos: held cannot be deleted: AccessDenied"):
        empty(Refusing(), {"bucket": "photos", "forceDestroy": True})

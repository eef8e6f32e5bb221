"""What AWS answers and MiniStack does not."""

import http.client
from urllib.parse import quote, urlsplit

import pytest
from botocore.exceptions import ClientError

from scar_pulumi.cloud.signature import authorization
from tests.world.fake_cloud import FakeCloud


def test_s3_control_answers_under_an_accounts_host_name(cloud: FakeCloud) -> None:
    cloud.client("s3").create_bucket(Bucket="controlled")
    tagging = {"TagSet": [{"Key": "team", "Value": "a"}]}
    cloud.client("s3").put_bucket_tagging(Bucket="controlled", Tagging=tagging)
    address = urlsplit(cloud.environment()["AWS_ENDPOINT_URL"])
    for host in ("000000000000.localhost", "localhost"):
        connection = http.client.HTTPConnection("127.0.0.1", address.port or 0)
        path = f"/v20180820/tags/{quote('arn:aws:s3:::controlled', safe='')}"
        name, value = authorization("000000000000", "us-east-1", "s3")
        headers = {name.decode(): value.decode(), "x-amz-account-id": "000000000000"}
        connection.request("GET", path, headers={**headers, "Host": f"{host}:{address.port}"})
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        assert answer.status == 200, body
        assert "<Key>team</Key><Value>a</Value>" in body


def test_the_attributes_of_an_account_are_told(cloud: FakeCloud) -> None:
    ec2 = cloud.client("ec2")
    vpcs = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    told = {
        attribute["AttributeName"]: attribute["AttributeValues"][0]["AttributeValue"]
        for attribute in ec2.describe_account_attributes()["AccountAttributes"]
    }
    assert (told["supported-platforms"], told["default-vpc"]) == ("VPC", vpcs[0]["VpcId"])
    few = ec2.describe_account_attributes(AttributeNames=["supported-platforms"])["AccountAttributes"]
    assert [attribute["AttributeName"] for attribute in few] == ["supported-platforms"]


def test_settings_that_nobody_changed_are_as_lambda_has_them(cloud: FakeCloud) -> None:
    cloud.function("as-it-is")
    functions = cloud.client("lambda")
    runtime = functions.get_runtime_management_config(FunctionName="as-it-is")
    assert (runtime["UpdateRuntimeOn"], runtime["FunctionArn"].rpartition(":")[2]) == ("Auto", "as-it-is")
    assert (
        functions.list_provisioned_concurrency_configs(FunctionName="as-it-is")["ProvisionedConcurrencyConfigs"] == []
    )
    for ask in (functions.get_runtime_management_config, functions.list_provisioned_concurrency_configs):
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            ask(FunctionName="nobody")


def test_an_age_of_events_is_told_only_where_it_was_set(cloud: FakeCloud) -> None:
    cloud.function("aged")
    functions = cloud.client("lambda")
    functions.put_function_event_invoke_config(FunctionName="aged", MaximumRetryAttempts=1)
    told = functions.get_function_event_invoke_config(FunctionName="aged")
    assert told["MaximumRetryAttempts"] == 1
    assert "MaximumEventAgeInSeconds" not in told
    made = functions.put_function_event_invoke_config(FunctionName="aged", MaximumEventAgeInSeconds=21600)
    assert made["MaximumEventAgeInSeconds"] == 21600
    assert functions.get_function_event_invoke_config(FunctionName="aged")["MaximumEventAgeInSeconds"] == 21600


def test_batch_takes_its_words_as_aws_does_and_tells_no_capabilities_that_were_not_set(cloud: FakeCloud) -> None:
    batch = cloud.client("batch")
    given = {
        "jobDefinitionName": "spelled",
        "type": "container",
        "containerProperties": {"image": "debian", "vcpus": 1, "memory": 128},
        "retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "retry", "onExitCode": "1"}]},
    }
    batch.register_job_definition(**given)
    batch.register_job_definition(**given, platformCapabilities=["FARGATE"])
    found = batch.describe_job_definitions(jobDefinitionName="spelled")["jobDefinitions"]
    assert [one.get("platformCapabilities") for one in found] == [["FARGATE"], None]
    assert found[0]["retryStrategy"]["evaluateOnExit"][0]["action"] == "retry"

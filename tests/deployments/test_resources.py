import json
from typing import Any

import pytest

from scar_pulumi.client.outputs import StackOutputs
from scar_pulumi.deployments.resources import completed, functions_made
from tests.world.deployed import FUNCTION as UPPER
from tests.world.deployed import OUTPUTS, resource

FUNCTION = "urn:pulumi:local::project::scar:index:LambdaContainerFunction::cut"
ENDPOINT = "urn:pulumi:local::project::scar:index:ApiGatewayEndpoint::api"
ARN = "arn:aws:lambda:eu-west-1:1:function:cut"
SETTINGS = {
    "name": "cut",
    "inputs": [{"storage_provider": "minio.mine", "path": "films/in", "suffix": [".mkv"]}],
    "outputs": [{"storage_provider": "s3.default", "path": "films/out"}],
    "execution_mode": "lambda-batch",
    "batch": {"job_queue": "queue", "job_definition": "arn:definition:3"},
}


def function(variables: Any, **more: Any) -> dict[str, Any]:
    inputs = {"environment": {"variables": variables}}
    outputs = {"name": "cut", "arn": ARN, "imageUri": "repository@sha256:0"}
    return resource("aws:lambda/function:Function", outputs, "cut-function", FUNCTION, inputs=inputs, **more)


def stack(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resources": list(resources)}


PROGRAM = stack(
    resource("scar:index:LambdaContainerFunction", {}, "cut"),
    resource("scar:index:LogGroup", {"log_group_name": "/aws/lambda/cut"}, "cut-log-group", FUNCTION),
    resource("scar:index:LogGroup", {"log_group_name": "/aws/batch/cut"}, "cut-job-log-group", FUNCTION),
    resource("aws:batch/jobDefinition:JobDefinition", {"arn": "arn:definition:3"}, "cut-job-definition", FUNCTION),
    function({"SCAR_FUNCTION": json.dumps(SETTINGS)}),
    resource("aws:lambda/function:Function", {"name": "theirs", "arn": "arn:aws:lambda:eu-west-1:1:function:theirs"}),
    resource("scar:index:StorageBucket", {"bucket": "films", "managed": True}, "films"),
)


@pytest.mark.parametrize("outputs", [{}, {"functions": ["cut"], "mine": 1}])
def test_what_the_components_of_a_program_have_made_is_found(outputs: dict[str, Any]) -> None:
    found = completed(outputs, PROGRAM)
    assert found.get("mine") == outputs.get("mine")
    deployed = StackOutputs.read(found)
    (cut,) = deployed.functions.values()
    assert (cut.arn, cut.region, cut.log_group, cut.execution_mode) == (
        ARN,
        "eu-west-1",
        "/aws/lambda/cut",
        "lambda-batch",
    )
    assert (cut.inputs[0].place, cut.inputs[0].suffix) == ("minio.mine/films/in", (".mkv",))
    assert [path.place for path in cut.outputs] == ["films/out"]
    assert cut.batch is not None
    assert (cut.batch.job_queue, cut.batch.job_definition, cut.batch.log_group) == (
        "queue",
        "arn:definition:3",
        "/aws/batch/cut",
    )
    assert [(bucket.name, bucket.managed) for bucket in deployed.buckets] == [("films", True)]


def test_exported_functions_stay_as_they_are_and_others_are_added() -> None:
    found = completed(OUTPUTS, PROGRAM)
    assert found["functions"]["upper"] == UPPER
    assert sorted(found["functions"]) == ["cut", "upper"]
    assert found["buckets"] == OUTPUTS["buckets"]


@pytest.mark.parametrize("resources", [[], [resource("aws:s3/bucket:Bucket", {"bucket": "b"})]])
def test_a_stack_without_our_components_has_nothing_of_ours(resources: list[dict[str, Any]]) -> None:
    assert completed({"url": "x"}, stack(*resources)) == {"url": "x"}


def test_a_function_whose_variables_are_encrypted_is_found_without_its_paths() -> None:
    (cut,) = StackOutputs.read(completed({}, stack(function("[secret]")))).functions.values()
    assert (cut.arn, cut.inputs, cut.log_group) == (ARN, (), "/aws/lambda/cut")


@pytest.mark.parametrize("camel", [False, True])
def test_endpoints_and_how_they_are_authorized(camel: bool) -> None:
    urls = {"functionUrls" if camel else "function_urls": {"cut": "https://api/scar/launch"}}
    route = {"routeKey": "POST /launch/{proxy+}", "authorizationType": "AWS_IAM"}
    made = stack(
        function({"SCAR_FUNCTION": "{}"}),
        resource("scar:index:ApiGatewayEndpoint", urls, "api"),
        resource("aws:apigatewayv2/route:Route", route, "api-route", ENDPOINT),
    )
    (cut,) = StackOutputs.read(completed({}, made)).functions.values()
    assert (cut.url, cut.auth, cut.method) == ("https://api/scar/launch", "AWS_IAM", "POST")


def test_services_on_oscar_clusters_are_found_by_the_clusters_host() -> None:
    outputs = {"service_name": "plants", "endpoint": "https://oscar.example.org", "run_url": "r", "job_url": "j"}
    service = resource("scar:index:OscarService", {**outputs, "synchronous": True, "token": "[secret]"}, "plants")
    inputs = {"username": "me", "password": "[secret]"}
    registered = resource("scar:index:Service", {}, "plants-service", service["urn"], inputs=inputs)
    deployed = StackOutputs.read(completed({}, stack(service, registered)))
    cluster = deployed.clusters["oscar.example.org"]
    assert (cluster.endpoint, cluster.user, cluster.is_masked) == ("https://oscar.example.org", "me", True)
    assert cluster.services["plants"].synchronous


def test_a_service_whose_creation_failed_is_none() -> None:
    assert completed({}, stack(resource("scar:index:OscarService", {}, "plants"))) == {}


MAPREDUCE = "urn:pulumi:local::project::scar:index:MapReduce::count"


def stage(name: str, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the component of a stage, and its function."""
    component = resource("scar:index:LambdaContainerFunction", {}, f"count-{name}", MAPREDUCE)
    told: dict[str, Any] = {
        "name": f"count-{name}",
        "mapreduce": {"stage": name, "name": "count", **settings},
        **PLACES,
    }
    outputs = {"name": f"count-{name}", "arn": f"{ARN}-{name}", "memorySize": 1024, "architectures": ["arm64"]}
    inputs = {"environment": {"variables": {"SCAR_FUNCTION": json.dumps(told)}}}
    kind = "aws:lambda/function:Function"
    return [component, resource(kind, outputs, f"count-{name}-function", component["urn"], inputs=inputs)]


PLACES = {
    "inputs": [{"storage_provider": "s3.default", "path": "texts/in"}],
    "outputs": [{"storage_provider": "s3.default", "path": "texts/out"}],
}


@pytest.mark.parametrize("camel", [False, True])
def test_a_mapreduce_is_found_by_its_planner_and_its_functions_are_no_others(camel: bool) -> None:
    settings = {"work": "count-work", "reducers": 4, "engine": "lambda"}
    arn = "arn:aws:states:eu-west-1:1:stateMachine:count"
    parts = [one for name in ("plan", "map", "reduce", "commit") for one in stage(name, settings)]
    made = resource("scar:index:MapReduce", {"stateMachineArn" if camel else "state_machine_arn": arn}, "count")
    deployed = StackOutputs.read(completed({}, stack(made, *parts)))
    assert deployed.functions == {}
    (count,) = deployed.mapreduces.values()
    assert (count.name, count.arn, count.region, count.work_bucket) == ("count", arn, "eu-west-1", "count-work")
    assert count.functions["map"] == f"{ARN}-map"
    assert (count.memory, count.architecture) == ({"map": 1024, "reduce": 1024}, "arm64")
    assert ([path.place for path in count.inputs], count.reducers) == (["texts/in"], 4)


def test_tasks_of_a_mapreduce_in_batch_are_in_the_queue_of_its_machine() -> None:
    settings = {"work": "count-work", "reducers": 1, "engine": "batch"}
    definition = json.dumps({"States": {"Map": {"Parameters": {"JobQueue": "arn:queue"}}}})
    machine = resource("aws:sfn/stateMachine:StateMachine", {"definition": definition}, "machine", MAPREDUCE)
    made = resource("scar:index:MapReduce", {"state_machine_arn": "arn:a:b:c:d:e:count"}, "count")
    deployed = StackOutputs.read(completed({}, stack(made, machine, *stage("plan", settings))))
    assert (deployed.mapreduces["count"].engine, deployed.mapreduces["count"].job_queue) == ("batch", "arn:queue")


def test_functions_of_any_program_have_names_and_regions() -> None:
    assert list(functions_made(PROGRAM)) == [("cut", "eu-west-1"), ("theirs", "eu-west-1")]

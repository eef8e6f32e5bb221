"""What the local cloud's Batch makes of documents, without a cloud."""

from typing import Any

import pytest

from scar_pulumi.cloud.batch.capacity import Allocation, Capacity, Machine, could_fit, most_gpus
from scar_pulumi.cloud.batch.job_definitions import node_containers, overridden, required, requirements, specification
from scar_pulumi.cloud.batch.outcomes import is_retried
from scar_pulumi.cloud.batch.requests import ClientError, check_request, operation_name

CONTAINER = {"image": "i", "resourceRequirements": [{"type": "VCPU", "value": "0.5"}], "memory": 100}
HOST = {"statusReason": "Host EC2 (instance i-0) terminated."}


@pytest.mark.parametrize(
    ("rules", "ended", "expected"),
    [
        ([], {"exitCode": 1}, True),
        ([{"onExitCode": "1", "action": "exit"}], {"exitCode": 1}, False),
        ([{"onExitCode": "1*", "action": "EXIT"}], {"exitCode": 137}, False),
        ([{"onExitCode": "1", "action": "EXIT"}], {"exitCode": 137}, True),
        ([{"onStatusReason": "host ec2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}], HOST, True),
        ([{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onStatusReason": "*", "action": "EXIT"}],
         {"exitCode": 1, "statusReason": "Essential container in task exited"}, False),
        ([{"onExitCode": "1", "onReason": "Out*", "action": "EXIT"}], {"exitCode": 1, "reason": "other"}, True),
        ([{"onReason": "*", "action": "EXIT"}], {"exitCode": 1}, True),
    ],
)  # fmt: skip
def test_the_first_rule_that_fits_decides(rules: Any, ended: Any, expected: bool) -> None:
    assert is_retried({"attempts": 3, "evaluateOnExit": rules}, 1, ended) is expected
    assert not is_retried({"attempts": 3, "evaluateOnExit": rules}, 3, ended)


def test_overrides_win_whichever_form_either_side_has() -> None:
    merged = overridden(CONTAINER, {"memory": 300, "resourceRequirements": [{"type": "GPU", "value": "2"}]})
    assert [required(merged, kind) for kind in ("VCPU", "MEMORY", "GPU")] == [0.5, 300, 2]
    assert [required(CONTAINER, kind) for kind in ("VCPU", "MEMORY", "GPU")] == [0.5, 100, 0]


def test_a_job_is_its_definition_with_what_the_request_says() -> None:
    container = {**CONTAINER, "command": ["run", "Ref::file", "x=Ref::n", "Ref::unknown"]}
    definition = {
        "jobDefinitionArn": "arn",
        "type": "container",
        "parameters": {"file": "a", "n": "1"},
        "containerProperties": container,
        "retryStrategy": {"attempts": 2},
        "timeout": {"attemptDurationSeconds": 100},
    }
    spec = specification(definition, {"parameters": {"n": "2"}, "retryStrategy": {"attempts": 4}})
    assert spec["container"]["command"] == ["run", "a", "x=2", "Ref::unknown"]
    assert (spec["retryStrategy"]["attempts"], spec["timeout"]) == (4, {"attemptDurationSeconds": 100})
    assert requirements(spec) == [{"vcpus": 0.5, "memory": 100.0, "gpus": 0.0}]
    with pytest.raises(ClientError, match=r"retryStrategy: attempts must be 1 to 10$"):
        specification(definition, {"retryStrategy": {"attempts": 11}})


def test_ranges_say_which_node_runs_what() -> None:
    ranges = [{"targetNodes": "0:", "container": {"image": "all"}}, {"targetNodes": "1:2", "container": {"image": "b"}},
              {"targetNodes": "3", "container": {"image": "c"}}]  # fmt: skip
    properties = {"numNodes": 5, "nodeRangeProperties": ranges}
    assert [node["image"] for node in node_containers(properties, {})] == ["all", "b", "b", "c", "all"]
    changed = node_containers(properties, {"numNodes": 2, "nodePropertyOverrides": [
        {"targetNodes": ":0", "containerOverrides": {"command": ["x"]}}]})  # fmt: skip
    assert [node.get("command") for node in changed] == [["x"], None]
    with pytest.raises(ClientError, match="node 0 has no container"):
        node_containers({"numNodes": 2, "nodeRangeProperties": ranges[1:]}, {})
    with pytest.raises(ClientError, match=r"targetNodes: .a:. is not a range of nodes; write it like 0:3 or 2:$"):
        node_containers({"numNodes": 2, "nodeRangeProperties": [{"targetNodes": "a:", "container": {}}]}, {})


def _environment(vcpus: int, *types: str, kind: str = "EC2") -> dict[str, Any]:
    resources = {"type": kind, "maxvCpus": vcpus, "instanceTypes": list(types)}
    return {"computeEnvironmentArn": "e", "computeResources": resources}


def _need(vcpus: float = 1, memory: float = 100, gpus: float = 0) -> list[dict[str, float]]:
    return [{"vcpus": vcpus, "memory": memory, "gpus": gpus}]


def test_a_job_needs_an_instance_type_that_holds_it() -> None:
    assert could_fit(_environment(4, "m5.large"), _need(2, 8192))
    assert not could_fit(_environment(4, "m5.large"), _need(3))
    assert not could_fit(_environment(4, "m5.large"), _need(1, 9000))
    assert not could_fit(_environment(4, "m5.large"), _need(gpus=1))
    assert could_fit(_environment(4, "m5.large", "g4dn.xlarge"), _need(gpus=1))
    assert could_fit(_environment(4, "optimal"), _need(4, 99_999))
    assert not could_fit(_environment(4, "optimal"), _need(5))
    assert not could_fit(_environment(4, kind="FARGATE"), _need(gpus=1))
    assert most_gpus(_environment(96, "g4dn.12xlarge", "p3.2xlarge")) == 12


def test_what_is_taken_is_counted_until_it_is_given_back() -> None:
    capacity, environment = Capacity(Machine(jobs=3, memory=1000)), _environment(4, "optimal")
    held = capacity.take("a", "e", _need(3, 900))
    assert held == Allocation("e", 3, 900, 0)
    assert capacity.fits(environment, _need(1))
    assert not capacity.fits(environment, _need(2))
    assert (capacity.admits(100), capacity.admits(101)) == (True, False)
    capacity.take("b", "e", _need(0.5))
    assert not capacity.is_full
    capacity.take("c", "e", _need(0.5))
    assert capacity.is_full
    for job in "abc":
        capacity.give_back(job)
    assert capacity.admits(5000), "what is too large for the machine runs alone"


def test_requests_are_checked_against_the_service_s_own_description() -> None:
    assert operation_name("POST", "/v1/submitjob") == "SubmitJob"
    assert operation_name("DELETE", "/v1/tags/arn%3Ax") == "UntagResource"
    assert operation_name("GET", "/v1/submitjob") == operation_name("POST", "/v1/nothing") == ""
    check_request("SubmitJob", {"jobName": "j", "jobQueue": "q", "jobDefinition": "d"})
    with pytest.raises(ClientError, match="jobQueue"):
        check_request("SubmitJob", {"jobName": "j", "jobDefinition": "d"})
    with pytest.raises(ClientError, match=r"dependsOn\[0\].type: SOON is not one of N_TO_N, SEQUENTIAL"):
        check_request(
            "SubmitJob", {"jobName": "j", "jobQueue": "q", "jobDefinition": "d", "dependsOn": [{"type": "SOON"}]}
        )

"""What the Batch settings of an FDL file become when its stack is declared."""

import json
from pathlib import Path
from typing import Any

import pytest

from scar_pulumi.deploy import deploy
from scar_pulumi.fdl import load
from tests.world.pulumi_mocks import Recorder, run_program

FUNCTION = """\
  - lambda:
      name: {name}
      execution_mode: {mode}
      container: {{image: "debian:12", environment: {{Variables: {{WHO: container}}}}}}
      environment: {{Variables: {{WHO: function, ONLY: function}}}}
      tags: {{team: vision, function: {name}}}
    batch: {batch}
"""


# As SCAR's manual and examples have them: https://github.com/grycap/scar/tree/master/examples
PUBLISHED = """\
functions:
  aws:
  - lambda:
      name: scar-plants
      memory: 1024
      execution_mode: batch
      container:
        image: deephdc/deep-oc-plant-classification-theano
      input:
      - storage_provider: s3
        path: scar-plants/input
      output:
      - storage_provider: s3
        path: scar-plants/output
  - lambda:
      name: scar-mrbayes
      execution_mode: lambda-batch
      container:
        image: grycap/mrbayes
  - lambda:
      name: scar-darknet
      execution_mode: batch
      container:
        image: grycap/darknet
    batch:
      enable_gpu: true
      compute_resources:
        instance_types:
        - "g3s.xlarge"
  - lambda:
      name: scar-mpi
      log_level: DEBUG
      execution_mode: batch
      container:
        image: asalic/scar-mpi
        environment:
          Variables:
            EXEC_TYPE: batch
      input:
      - storage_provider: s3
        path: scar-mpi/input
      output:
      - storage_provider: s3
        path: scar-mpi/output
    batch:
      multi_node_parallel:
        enabled: true
        number_nodes: 3
        main_node_index: 0
"""


@pytest.fixture
def declare(recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared_images: None) -> Any:
    """Declare the functions of a file, given as (name, mode, batch section)."""

    def run(*functions: tuple[str, str, str], text: str = "") -> dict[str, Any]:
        path = tmp_path / "video.yaml"
        exported: dict[str, Any] = {}
        made = "".join(FUNCTION.format(name=name, mode=mode, batch=batch) for name, mode, batch in functions)
        path.write_text(text or f"functions:\n  aws:\n{made}")
        monkeypatch.setattr("pulumi.export", exported.__setitem__)
        run_program(lambda: deploy(load(path)))
        return exported

    return run


GPU = "{enable_gpu: true, compute_resources: {instance_types: [g4dn.xlarge]}}"


def test_functions_with_equal_compute_resources_share_one_environment(recorder: Recorder, declare: Any) -> None:
    declare(
        ("plain", "lambda", "{}"),
        ("first", "batch", GPU),
        ("second", "lambda-batch", GPU.replace("{enable", "{vcpus: 2, enable")),
        ("other", "batch", "{compute_resources: {max_v_cpus: 8}}"),
    )
    environments = [name for name, kind in recorder.types().items() if kind == "scar:index:BatchGpuEnvironment"]
    assert environments == ["first-environment", "other-environment"]
    queue = recorder.arn("first-environment-queue")
    for name, mode in (("first", "batch"), ("second", "lambda-batch")):
        variables = recorder.inputs(f"{name}-function")["environment"]["variables"]
        configuration = json.loads(variables["SCAR_FUNCTION"])
        assert (configuration["execution_mode"], configuration["batch"]["job_queue"]) == (mode, queue)
        assert configuration["batch"]["event_path"] == f"first-environment-events/{name}"
    assert recorder.inputs("first-environment-compute-environment")["tags"] == {"team": "vision"}
    assert "batch" not in recorder.inputs("plain-function")["environment"]["variables"]["SCAR_FUNCTION"]


def test_the_containers_variables_win_in_a_job(recorder: Recorder, declare: Any) -> None:
    declare(("one", "batch", "{environment: {Variables: {WHO: batch, ONLY: batch}}}"))
    container = json.loads(recorder.inputs("one-job-definition")["containerProperties"])
    variables = {pair["name"]: pair["value"] for pair in container["environment"]}
    assert (variables["WHO"], variables["ONLY"]) == ("container", "batch")


def test_gpus_nodes_and_spot_instances_are_what_the_file_says(recorder: Recorder, declare: Any) -> None:
    declare(
        ("gpu", "batch", GPU),
        ("nodes", "batch", "{multi_node_parallel: {enabled: true, number_nodes: 3, main_node_index: 1}}"),
        ("spot", "batch", "{compute_resources: {type: SPOT, instance_types: [c5]}}"),
        ("serverless", "batch", "{vcpus: 0.25, compute_resources: {type: FARGATE}}"),
    )
    gpu = json.loads(recorder.inputs("gpu-job-definition")["containerProperties"])
    assert {"type": "GPU", "value": "1"} in gpu["resourceRequirements"]
    nodes = json.loads(recorder.inputs("nodes-job-definition")["nodeProperties"])
    assert (nodes["numNodes"], nodes["mainNode"]) == (3, 1)
    # All of them at once, which is more than SCAR's default.
    assert recorder.inputs("nodes-environment-compute-environment")["computeResources"]["maxVcpus"] == 3
    assert recorder.inputs("spot-job-definition")["retryStrategy"]["attempts"] == 5
    assert recorder.inputs("serverless-environment-compute-environment")["computeResources"]["type"] == "FARGATE"
    serverless = json.loads(recorder.inputs("serverless-job-definition")["containerProperties"])
    assert {one["type"]: one["value"] for one in serverless["resourceRequirements"]} == {
        "VCPU": "0.25",
        "MEMORY": "1024",
    }
    assert serverless["networkConfiguration"] == {"assignPublicIp": "ENABLED"}


def test_the_outputs_say_where_the_jobs_are(recorder: Recorder, declare: Any) -> None:
    outputs = declare(("one", "batch", "{}"), ("plain", "lambda", "{}"))["functions"]
    assert sorted(outputs["one"]["batch"]) == ["jobDefinition", "jobQueue", "logGroup"]
    assert "batch" not in outputs["plain"]


def test_published_files_become_the_environments_and_jobs_that_they_describe(recorder: Recorder, declare: Any) -> None:
    outputs = declare(text=PUBLISHED)["functions"]
    assert {name: function["executionMode"] for name, function in outputs.items()} == {
        "scar-plants": "batch",
        "scar-mrbayes": "lambda-batch",
        "scar-darknet": "batch",
        "scar-mpi": "batch",
    }
    kinds = recorder.types().items()
    # Those with SCAR's default resources share one environment.
    assert [name for name, kind in kinds if kind == "scar:index:BatchGpuEnvironment"] == [
        "scar-plants-environment",
        "scar-darknet-environment",
    ]
    default = recorder.inputs("scar-plants-environment-compute-environment")["computeResources"]
    assert (default["instanceTypes"], default["minVcpus"], default["maxVcpus"]) == (["m3.medium"], 0, 3)
    darknet = recorder.inputs("scar-darknet-environment-compute-environment")["computeResources"]
    assert darknet["ec2Configurations"] == [{"imageType": "ECS_AL2_NVIDIA"}]
    assert recorder.inputs("scar-mpi-job-definition")["type"] == "multinode"


def test_a_functions_file_system_is_mounted_in_its_jobs_as_well(recorder: Recorder, declare: Any) -> None:
    arn = "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0"
    declare(
        text=f"""\
functions:
  aws:
  - lambda:
      name: one
      execution_mode: batch
      container: {{image: debian}}
      vpc: {{SubnetIds: [subnet-0123456789abcdef0], SecurityGroupIds: [sg-0123456789abcdef0]}}
      file_system: [{{Arn: "{arn}", LocalMountPath: /mnt/data}}]
"""
    )
    container = json.loads(recorder.inputs("one-job-definition")["containerProperties"])
    assert container["mountPoints"] == [{"sourceVolume": "efs-0", "containerPath": "/mnt/data"}]
    volume = container["volumes"][0]["efsVolumeConfiguration"]
    assert (volume["fileSystemId"], volume["authorizationConfig"]["accessPointId"]) == (
        "fs-1",
        "fsap-0123456789abcdef0",
    )

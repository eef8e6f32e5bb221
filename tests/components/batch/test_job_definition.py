"""Jobs that Batch would refuse."""

from typing import Any, cast

import pulumi
import pytest

from scar_components import LambdaContainerFunction, LambdaContainerFunctionArgs
from scar_components.batch.job_definition import check_job
from tests.components.batch.test_function_job import IMAGE, function
from tests.world.pulumi_mocks import Recorder, run_program


@pytest.mark.parametrize(
    ("batch", "sentence"),
    [
        ({"platform": "EKS"}, "batch.platform: 'EKS' is unknown; use EC2 or FARGATE"),
        ({"platform": "FARGATE", "gpus": 1}, "batch.gpus: is not available on FARGATE; use EC2"),
        ({"platform": "FARGATE", "number_nodes": 2}, "batch.number_nodes: is not available on FARGATE"),
        ({"platform": "FARGATE", "vcpus": 3}, "batch.vcpus: 3 is not available on FARGATE; use one of 0.25, 0.5, 1"),
        ({"platform": "FARGATE", "memory": 1024}, "1024 MB does not fit 1 vCPUs on FARGATE; use 2048 to 8192"),
        ({"vcpus": 0.5}, "batch.vcpus: 0.5 is not possible on instances"),
        ({"ephemeral_storage": 30}, "batch.ephemeral_storage: is for FARGATE only"),
        ({"attempts": 11}, "batch.attempts: 11 is out of Batch's range; use 1 to 10"),
        ({"timeout": 5}, "batch.timeout: 5 is out of Batch's range; use 60 or more"),
        (
            {"number_nodes": 2, "main_node_index": 2},
            "batch.main_node_index: 2 is not one of the nodes 0 to 1; raise number_nodes",
        ),
    ],
)
def test_a_job_that_batch_refuses_is_told_before_anything_is_made(
    recorder: Recorder, batch: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(pulumi.RunError) as error:
        function(batch)
    assert sentence in str(error.value)
    assert recorder.resources == {}


def test_a_mode_without_a_queue_is_told(recorder: Recorder) -> None:
    given = cast(LambdaContainerFunctionArgs, {"image_uri": IMAGE, "execution_mode": "batch"})
    with pytest.raises(pulumi.RunError, match="split: execution_mode: batch needs a job queue"):
        run_program(lambda: LambdaContainerFunction("split", given))
    assert recorder.resources == {}


def test_all_that_batch_refuses_of_a_job_is_told_at_once() -> None:
    with pytest.raises(pulumi.RunError) as error:
        check_job("split", {"attempts": 0, "timeout": 1, "vcpus": 0})
    assert len(str(error.value).splitlines()) == 3

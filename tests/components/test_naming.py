"""Names that AWS accepts, whatever people call their components."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scar_components import BatchGpuEnvironment, LambdaContainerFunction
from scar_components.naming import batch_name
from scar_foundation.limits import BATCH_NAME_CHARACTERS, BATCH_NAME_PATTERN
from tests.world.pulumi_mocks import Recorder, run_program

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ready@sha256:" + "0" * 64
ODD = ["my.env", "two words", "_x", "größe", "x" * 200]


@given(st.text(min_size=1, max_size=300))
def test_names_of_batch_are_accepted_with_what_the_engine_appends(name: str) -> None:
    made = f"{batch_name(name, 'job-definition')}-0123456"
    assert re.fullmatch(BATCH_NAME_PATTERN, made)
    assert len(made) <= BATCH_NAME_CHARACTERS


def test_names_that_are_legal_stay_and_others_never_meet() -> None:
    assert batch_name("yolo-environment_2", "queue") == "yolo-environment_2-queue"
    made = {batch_name(name, "queue") for name in [*ODD, "my-env", "x_x", "x_", "two-words", "gr-e", "x" * 201]}
    assert len(made) == len(ODD) + 6


@pytest.mark.parametrize("name", ODD)
def test_environments_and_jobs_of_any_name_can_be_made(recorder: Recorder, name: str) -> None:
    def program() -> None:
        environment = BatchGpuEnvironment(name, {"type": "EC2"})
        LambdaContainerFunction(
            name,
            {
                "function_name": "f",
                "image_uri": IMAGE,
                "execution_mode": "batch",
                "batch": {"job_queue": environment.job_queue_arn},
            },
        )

    run_program(program)
    made = [one for one, kind in recorder.types().items() if kind.startswith(("aws:batch/", "aws:ec2/"))]
    assert len(made) == 3
    for one in made:
        assert re.fullmatch(BATCH_NAME_PATTERN, one)
        assert len(one) + len("-0123456") <= BATCH_NAME_CHARACTERS

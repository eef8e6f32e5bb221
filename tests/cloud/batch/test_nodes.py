"""Multi-node jobs: nodes run together, and end with the main one."""

import os
import signal
import uuid
from typing import Any

from tests.cloud.batch.conftest import Batch
from tests.cloud.runner import images
from tests.world.fake_cloud import wait_for


def nodes(batch: Batch, script: str, count: int = 3, main: int = 0, **more: Any) -> str:
    """Register a definition of nodes that all run one command."""
    ranges = [{"targetNodes": "0:", "container": batch.container(script)}]
    answer = batch.client.register_job_definition(
        jobDefinitionName=f"nodes-{uuid.uuid4().hex[:8]}",
        type="multinode",
        nodeProperties={"numNodes": count, "mainNode": main, "nodeRangeProperties": ranges},
        **more,
    )
    return str(answer["jobDefinitionArn"])


def test_nodes_know_of_each_other_and_end_with_the_main_one(batch: Batch, queue: str, nap: str) -> None:
    script = f"""
    echo $AWS_BATCH_JOB_ID node $AWS_BATCH_JOB_NODE_INDEX of $AWS_BATCH_JOB_NUM_NODES, main \\
        $AWS_BATCH_JOB_MAIN_NODE_INDEX at ${{AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS:-me}} $EVENT
    test $AWS_BATCH_JOB_NODE_INDEX = 1 || exec sleep {nap}
    sleep {nap}1 2>/dev/null || true"""
    overrides = {"environment": [{"name": "EVENT", "value": "given"}]}
    property_overrides = [{"targetNodes": "0:", "containerOverrides": overrides}]
    identifier = batch.submit(queue, nodes(batch, script, main=1),
                              nodeOverrides={"nodePropertyOverrides": property_overrides})  # fmt: skip
    wait_for(lambda: len(images.sleeping(nap)) == 2)
    (process,) = wait_for(lambda: images.sleeping(f"{nap}1"))
    os.kill(int(process.name), signal.SIGTERM)
    job = batch.end(identifier)
    assert (job["status"], job["nodeProperties"]["numNodes"]) == ("SUCCEEDED", 3)
    assert not images.sleeping(nap)
    main, other = batch.job(f"{identifier}#1"), batch.job(f"{identifier}#2")
    assert main["nodeDetails"] == {"nodeIndex": 1, "isMainNode": True}
    assert batch.log(main) == [f"{identifier}#1 node 1 of 3, main 1 at me given"]
    assert batch.log(other) == [f"{identifier}#2 node 2 of 3, main 1 at 127.0.0.1 given"]
    assert (main["status"], other["status"]) == ("SUCCEEDED", "FAILED")
    listed = batch.client.list_jobs(multiNodeJobId=identifier, jobStatus="FAILED")["jobSummaryList"]
    assert [node["nodeProperties"]["nodeIndex"] for node in listed] == [0, 2]


def test_the_main_node_decides_and_all_nodes_are_tried_again(batch: Batch, queue: str) -> None:
    script = "test $AWS_BATCH_JOB_NODE_INDEX = 0 || exit 9; exit $((2 - AWS_BATCH_JOB_ATTEMPT))"
    job = batch.end(batch.submit(queue, nodes(batch, script, retryStrategy={"attempts": 3})))
    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [1, 0]


def test_nodes_need_room_together_and_go_together(batch: Batch, queue: str, nap: str) -> None:
    large = batch.submit(queue, nodes(batch, "true", count=5))
    wait_for(lambda: batch.job(large).get("statusReason", "").startswith("MISCONFIGURATION"))
    identifier = batch.submit(queue, nodes(batch, f"sleep {nap}", count=5), nodeOverrides={"numNodes": 2})
    wait_for(lambda: len(images.sleeping(nap)) == 2)
    for job in (large, identifier):
        batch.client.terminate_job(jobId=job, reason="enough")
    assert batch.end(identifier)["statusReason"] == batch.end(large)["statusReason"] == "enough"
    assert not images.sleeping(nap)

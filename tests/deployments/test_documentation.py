"""The programs in `docs/deployments.md` run as they stand."""

import io
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scar_pulumi.client.clients import Clients
from scar_pulumi.deployments import Deployments
from tests.world.deployed import FUNCTION, write_state
from tests.world.waiting import wait_for

DOCUMENT = Path(__file__).parents[2] / "docs" / "deployments.md"
REQUEST = "6f1b7a3e-2f0a-4c5e-9b0a-3d1f0c9d2a11"


class Lambda:
    """Answers every invocation with its event."""

    def invoke(self, *, Payload: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's names
        return {"StatusCode": 200, "Payload": io.BytesIO(Payload), "ResponseMetadata": {"RequestId": REQUEST}}


class WithLambda(Clients):
    def __init__(self, others: Clients) -> None:
        self._others = others

    def client(self, service: str, region: str | None = None) -> Any:
        return Lambda() if service == "lambda" else self._others.client(service, region)


@pytest.fixture
def group(logs: Any) -> str:
    """Return a log group with the first line of an invocation."""
    name = f"/aws/lambda/{uuid.uuid4()}"
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    event = {"timestamp": 1_700_000_000_000, "message": f"START RequestId: {REQUEST}"}
    logs.put_log_events(logGroupName=name, logStreamName="s", logEvents=[event])
    return name


RUN = "28a5511c4a6907269832134fa7e60c7a"
SUCCESS = {"records": 60_000, "bytes": 1_909_141, "pairs": 480_000, "output_bytes": 14_077, "skew": 1.01}


@pytest.fixture
def words(clients: Clients, bucket: str) -> Iterator[dict[str, Any]]:
    """Return a MapReduce as a stack's output, whose only run has succeeded."""
    states, s3 = clients.client("stepfunctions"), clients.client("s3")
    done = {"StartAt": "Done", "States": {"Done": {"Type": "Pass", "Result": SUCCESS, "End": True}}}
    arn = states.create_state_machine(
        name=f"words-{uuid.uuid4()}", definition=json.dumps(done), roleArn="arn:aws:iam::000000000000:role/any"
    )["stateMachineArn"]
    plan = {"map_count": 1, "reduce_count": 1, "output": {"bucket": "texts", "prefix": "counts/big.txt/"}}
    for name, document in (("plan.json", plan), ("m/00000.json", {}), ("r/00000.json", {})):
        s3.put_object(Bucket=bucket, Key=f"{RUN[:2]}/{RUN}/{name}", Body=json.dumps(document).encode())
    told = {"run": RUN, "bucket": "texts", "key": "in/big.txt", "size": SUCCESS["bytes"]}
    execution = states.start_execution(stateMachineArn=arn, name=RUN, input=json.dumps(told))["executionArn"]
    wait_for(lambda: states.describe_execution(executionArn=execution)["status"] == "SUCCEEDED", 30, "the run")
    yield {"arn": arn, "workBucket": bucket, "memory": {"map": 1769, "reduce": 1769}}
    states.delete_state_machine(stateMachineArn=arn)


@pytest.fixture
def deployed(  # noqa: PLR0917 - fixtures
    directories: Path,
    clients: Clients,
    bucket: str,
    group: str,
    words: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Return a function with that log and a bucket, and a MapReduce, deployed."""
    inputs = [{"provider": "s3.default", "path": f"{bucket}/in"}]
    function = {**FUNCTION, "logGroup": group, "inputs": inputs}
    outputs = {"functions": {"thumbnails": function}, "mapreduce": {"words": words}, "buckets": []}
    write_state(directories / "state", "video", outputs)
    monkeypatch.setattr(Deployments, "clients", WithLambda(clients))


@pytest.mark.usefixtures("deployed")
def test_the_programs_of_the_documentation_run(capsys: pytest.CaptureFixture[str]) -> None:
    Path("photo.png").write_bytes(b"png")
    programs = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert len(programs) == 4
    exec("\n".join(programs), {})  # noqa: S102 - the documentation's own programs
    assert capsys.readouterr().out.splitlines() == [
        '200 "aGVsbG8="',
        "sent in/photo.png 3",
        "found in/photo.png",
        f"{REQUEST} START RequestId: {REQUEST}",
        f"{RUN} texts/in/big.txt SUCCEEDED",
        "1.0 60000 texts/counts/big.txt/",
    ]

"""The programs in `docs/deployments.md` run as they stand."""

import io
import re
import uuid
from pathlib import Path
from typing import Any

import pytest

from scar_pulumi.client.clients import Clients
from scar_pulumi.deployments import Deployments
from tests.world.deployed import FUNCTION, write_state

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


@pytest.fixture
def deployed(directories: Path, clients: Clients, bucket: str, group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Return a function with that log and a bucket, deployed."""
    inputs = [{"provider": "s3.default", "path": f"{bucket}/in"}]
    function = {**FUNCTION, "logGroup": group, "inputs": inputs}
    write_state(directories / "state", "video", {"functions": {"thumbnails": function}, "buckets": []})
    monkeypatch.setattr(Deployments, "clients", WithLambda(clients))


@pytest.mark.usefixtures("deployed")
def test_the_programs_of_the_documentation_run(capsys: pytest.CaptureFixture[str]) -> None:
    Path("photo.png").write_bytes(b"png")
    programs = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert len(programs) == 3
    exec("\n".join(programs), {})  # noqa: S102 - the documentation's own programs
    assert capsys.readouterr().out.splitlines() == [
        '200 "aGVsbG8="',
        "sent in/photo.png 3",
        "found in/photo.png",
        f"{REQUEST} START RequestId: {REQUEST}",
    ]

"""The whole local cloud, its own runner included: objects in, containers run, objects out."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from scar_components.images import plan_image, push
from scar_foundation.aws_session import AwsSession
from scar_pulumi.cloud import client
from tests.cloud.runner import images
from tests.world.fake_cloud import ROLE, FakeCloud, wait_for

# Writes the event's object key and how it came to the bucket `outputs`, over plain HTTP.
RUNTIME = b"""#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
address=$(echo $AWS_ENDPOINT_URL | sed 's,http://,,; s,:, ,')
while :; do
    wget -q -S -O /tmp/event $api/next 2>/tmp/headers || exit 9
    id=$(sed -n 's/.*[Aa]ws-[Rr]equest-[Ii]d: *//p' /tmp/headers | tr -d '\\r')
    key=$(sed -n 's/.*"key": *"\\([^"]*\\)".*/\\1/p' /tmp/event)
    echo "working on $key" >&2
    sleep ${SECONDS_EACH:-0}
    printf 'PUT /outputs/%s/%s HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok' \\
        "$key" "$id" | nc $address >/dev/null
    echo '"done"' >/tmp/answer
    wget -q -O /dev/null --post-file /tmp/answer $api/$id/response || exit 8
done
"""


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    busybox = images.find_busybox(tmp_path_factory.mktemp("busybox"))
    names = ["sh", "sed", "tr", "wget", "nc", "sleep", "printf", "echo"]
    links = [images.link(f"bin/{name}", "busybox") for name in names]
    entries = [images.directory("bin"), images.Entry("bin/busybox", busybox, 0o755), *links]
    return images.layer([*entries, images.Entry("bin/runtime", RUNTIME, 0o755)])


@pytest.fixture
def real(tmp_path: Path, layer: bytes) -> Iterator[FakeCloud]:
    """Return a local cloud with its own runner, and a bucket whose objects are worked on."""
    assert "fake" not in " ".join(client.COMMAND)
    cloud = FakeCloud(tmp_path / "state")
    try:
        cloud.start()
        cloud.client("s3").create_bucket(Bucket="outputs")
        yield cloud
    finally:
        cloud.stop()


def test_200_objects_come_out_once_each_and_the_log_tells_of_them(real: FakeCloud, layer: bytes) -> None:
    real.function("works", layer=layer, Timeout=20, ImageConfig={"EntryPoint": ["/bin/runtime"]})
    real.trigger("inputs", "works")
    real.client("s3").put_object(Bucket="inputs", Key="first", Body=b"x")
    wait_for(lambda: _outputs(real) == ["first"], 30)
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda n: real.client("s3").put_object(Bucket="inputs", Key=f"key-{n}", Body=b"x"), range(200)))
    wanted = sorted(["first", *(f"key-{number}" for number in range(200))])
    wait_for(lambda: len(_outputs(real)) >= len(wanted), 60)
    wait_for(lambda: not real.spooled(), 30)
    assert _outputs(real) == wanted
    wait_for(lambda: _lines(real, "works", "REPORT") == len(wanted))
    assert _lines(real, "works", "START") == _lines(real, "works", "working on") == len(wanted)


def test_a_kill_ends_the_containers_and_the_next_start_finishes_their_work(real: FakeCloud, layer: bytes) -> None:
    mark = f"/bin/runtime-{time.time_ns()}"
    real.function(
        "slow",
        {"SECONDS_EACH": "1"},
        layer=layer,
        Timeout=20,
        ImageConfig={"EntryPoint": ["/bin/sh"], "Command": ["/bin/runtime", mark]},
    )
    real.trigger("inputs", "slow")
    for number in range(6):
        real.client("s3").put_object(Bucket="inputs", Key=f"key-{number}", Body=b"x")
    wait_for(lambda: images.processes(mark.encode()), 30)
    wait_for(lambda: len(real.spooled()) == 6)
    real.kill()
    wait_for(lambda: not images.processes(mark.encode()))
    real.start()
    wait_for(lambda: not real.spooled(), 60)
    assert set(_outputs(real)) == {f"key-{number}" for number in range(6)}


def test_the_log_tells_of_an_event_for_which_no_container_could_be_started(real: FakeCloud) -> None:
    real.function("damaged", layer=b"no layer at all", ImageConfig={"EntryPoint": ["/bin/runtime"]})
    real.client("lambda").invoke(FunctionName="damaged", InvocationType="Event", Payload=b"{}")
    wait_for(lambda: _lines(real, "damaged", "Error: "))


def test_a_function_of_the_supervisor_alone_needs_no_base(real: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in real.environment().items():
        monkeypatch.setenv(name, value)
    repository = real.client("ecr").create_repository(repositoryName="alone")["repository"]["repositoryUri"]
    plan = plan_image(image="scratch")
    assert push(plan, repository, AwsSession()).bytes_sent < 15 << 20
    code = {"ImageUri": f"{repository}@{plan.digest}"}
    real.client("lambda").create_function(FunctionName="alone", Role=ROLE, PackageType="Image", Code=code, Timeout=60)
    answer = real.client("lambda").invoke(FunctionName="alone", Payload=b"{}")
    assert "there is nothing to run" in json.loads(answer["Payload"].read())["errorMessage"]


def _outputs(cloud: FakeCloud) -> list[str]:
    pages = cloud.client("s3").get_paginator("list_objects_v2").paginate(Bucket="outputs")
    return sorted(item["Key"].partition("/")[0] for page in pages for item in page.get("Contents", []))


def _lines(cloud: FakeCloud, function: str, words: str) -> int:
    try:
        pages = cloud.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}")
        return sum(words in event["message"] for page in pages for event in page["events"])
    except ClientError:
        return 0

"""What the genuine MiniStack does that the local cloud works around: one test for each workaround.

Each test asserts the behaviour that makes the code in its docstring necessary. When one fails, MiniStack has changed:
that code can go, and the test with it.
"""

import hashlib
import json
import os
import re
import shutil
import socketserver
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from scar_pulumi import cloud
from tests.world.ministack import MiniStack, environment_with_ministack, running_ministack
from tests.world.waiting import wait_for

ROLE = "arn:aws:iam::000000000000:role/any"
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStack]:
    """Return a MiniStack that keeps nothing."""
    with running_ministack(tmp_path_factory.mktemp("ministack")) as running:
        yield running


@pytest.fixture
def kept(tmp_path: Path) -> dict[str, str]:
    """Return the settings with which MiniStack keeps its state and its objects in folders of the test's own."""
    for name in ("state", "objects"):
        (tmp_path / name).mkdir()
    folders = {"STATE_DIR": str(tmp_path / "state"), "S3_DATA_DIR": str(tmp_path / "objects")}
    return {"PERSIST_STATE": "1", "S3_PERSIST": "1", **folders}


@dataclass
class Hook:
    """Where MiniStack posts the events of a function: each waits until `answers` is set, for ten seconds at most."""

    url: str = ""
    request_ids: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    answers: threading.Event = field(default_factory=threading.Event)

    def take(self, request_id: str, body: bytes) -> None:
        """Note an event, and hold it."""
        self.request_ids.append(request_id)
        document = json.loads(body)
        self.keys += [record["s3"]["object"]["key"] for record in document.get("Records", ())]
        self.answers.wait(10)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with _serving(hook := Hook()):
        yield hook
        hook.answers.set()


@contextmanager
def _serving(hook: Hook, port: int = 0) -> Iterator[int]:
    class Requests(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            hook.take(self.headers["x-amzn-lambda-request-id"], body)
            self.send_response(200)
            self.send_header("content-length", "4")
            self.end_headers()
            self.wfile.write(b"null")

        def log_message(self, *_: object) -> None:
            return

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                return  # MiniStack has given up

    with ThreadingHTTPServer(("127.0.0.1", port), Requests) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        hook.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _function(running: MiniStack, name: str, url: str, timeout: int = 30) -> str:
    """Make a function from an image whose events MiniStack posts to a URL, and return its ARN."""
    made = running.client("lambda").create_function(
        FunctionName=name,
        Role=ROLE,
        PackageType="Image",
        Code={"ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/some:tag"},
        Timeout=timeout,
        Environment={"Variables": {"MINISTACK_LAMBDA_PROXY_URL": url}},
    )
    return str(made["FunctionArn"])


def _bucket_that_calls(running: MiniStack, bucket: str, function: str) -> None:
    running.client("s3").create_bucket(Bucket=bucket)
    _call(running, bucket, function)


def _call(running: MiniStack, bucket: str, function: str) -> None:
    rule = {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}
    running.client("s3").put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={"LambdaFunctionConfigurations": [rule]},
        SkipDestinationValidation=True,
    )


def test_the_code_that_these_tests_name_exists() -> None:
    source = Path(cloud.__file__).parent
    for name, test in list(globals().items()):
        if name.startswith("test_") and test.__doc__:
            paths = [source / path for path in re.findall(r"[\w/]+\.py", test.__doc__)]
            code = "".join(path.read_text() for path in paths)
            assert paths, name
            assert [word for word in re.findall(r"`(\w+)`", test.__doc__) if word not in code] == [], name


# What a kill and a full disk do


def test_a_kill_loses_what_was_configured(tmp_path: Path, kept: dict[str, str]) -> None:
    """ministack/journal.py, ministack/snapshots.py: it saves its state at its orderly end only."""
    with running_ministack(tmp_path, **kept) as running:
        running.client("iam").create_role(RoleName="kept", AssumeRolePolicyDocument="{}")
    with running_ministack(tmp_path, **kept) as running:
        assert running.client("iam").list_roles()["Roles"] == []


def test_a_damaged_state_is_dropped_in_silence(tmp_path: Path, kept: dict[str, str]) -> None:
    """ministack/snapshots.py, `_verify`: it starts without what it cannot read."""
    (tmp_path / "state" / "iam.json").write_text('{"roles": ')
    with running_ministack(tmp_path, **kept) as running:
        assert running.client("iam").list_roles()["Roles"] == []


def test_an_object_is_acknowledged_that_could_not_be_written(tmp_path: Path, kept: dict[str, str]) -> None:
    """gateway.py, the check of `shortage`: what goes wrong while an object is written is told to nobody."""
    with running_ministack(tmp_path, **kept) as running:
        s3 = running.client("s3")
        s3.create_bucket(Bucket="full")
        folder = tmp_path / "objects" / "000000000000" / "full"
        folder.rmdir()
        folder.touch()  # nothing can be written into it
        assert s3.put_object(Bucket="full", Key="lost", Body=b"x")["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_an_object_gets_the_description_of_the_one_before(tmp_path: Path, kept: dict[str, str]) -> None:
    """ministack/snapshots.py, `sweep_objects`: a kill between the two files of an object leaves an old description."""
    bucket = tmp_path / "objects" / "000000000000" / "some"
    bucket.mkdir(parents=True)
    (bucket / "key").write_bytes(b"new bytes")
    (bucket / "key.meta.json").write_text(json.dumps({"key": "key", "etag": '"old"', "size": 3}))
    os.utime(bucket / "key.meta.json", (1, 1))
    with running_ministack(tmp_path, **kept) as running:
        found = running.client("s3").head_object(Bucket="some", Key="key")
        assert (found["ETag"], found["ContentLength"]) == ('"old"', 3)


def test_a_kill_loses_the_event_of_an_answered_upload(tmp_path: Path, kept: dict[str, str], hook: Hook) -> None:
    """s3/upload_events.py: it answers first, and keeps what it has to deliver in memory."""
    with running_ministack(tmp_path, **kept) as running:
        _bucket_that_calls(running, "uploads", _function(running, "called", "http://127.0.0.1:9"))
        running.client("s3").put_object(Bucket="uploads", Key="lost", Body=b"x")
    hook.answers.set()
    with running_ministack(tmp_path, **kept) as running:
        _call(running, "uploads", _function(running, "called", hook.url))
        running.client("s3").put_object(Bucket="uploads", Key="later", Body=b"x")
        wait_for(lambda: hook.keys, 20, "the later event is delivered")
        assert hook.keys == ["later"]


def test_what_belongs_to_an_api_gets_another_id_each_time(plain: MiniStack) -> None:
    """api_gateway/store.py: an API can keep its id when it is made again, its routes and integrations cannot."""
    apis, ids = plain.client("apigatewayv2"), []
    for _ in range(2):
        api = apis.create_api(Name="again", ProtocolType="HTTP", Tags={"ms-custom-id": "again"})["ApiId"]
        ids.append(apis.create_route(ApiId=api, RouteKey="GET /")["RouteId"])
        apis.delete_api(ApiId=api)
    assert api == "again"
    assert ids[0] != ids[1]


def test_revision_ids_are_new_each_time(plain: MiniStack) -> None:
    """ministack/journal.py, `_replayable_body`: a repeated request that names a revision would be refused."""
    functions, revisions = plain.client("lambda"), []
    for _ in range(2):
        _function(plain, "revised", "http://127.0.0.1:9")
        revisions.append(functions.get_function_configuration(FunctionName="revised")["RevisionId"])
        if len(revisions) == 1:
            functions.delete_function(FunctionName="revised")
    assert revisions[0] != revisions[1]
    with pytest.raises(ClientError, match="PreconditionFailed"):
        functions.update_function_code(FunctionName="revised", ImageUri="any:tag", RevisionId=revisions[0])


# Events and functions


def test_an_event_is_given_up_at_the_functions_timeout_and_sent_again(plain: MiniStack, hook: Hook) -> None:
    """lambda_/event_hook.py, lambda_/async_events.py: waiting for a container counts, and the event runs twice."""
    _bucket_that_calls(plain, "impatient", _function(plain, "impatient", hook.url, timeout=1))
    plain.client("s3").put_object(Bucket="impatient", Key="once", Body=b"x")
    wait_for(lambda: len(hook.keys) == 2, 20, "the event comes again")
    assert hook.keys == ["once", "once"]
    assert hook.request_ids[0] != hook.request_ids[1]


def test_a_call_is_given_up_at_the_functions_timeout(plain: MiniStack, hook: Hook) -> None:
    """lambda_/event_hook.py, `_PATIENCE`: a cold start would use up the time of a request's function."""
    _function(plain, "cold", hook.url, timeout=1)
    answer = plain.client("lambda").invoke(FunctionName="cold", Payload=b"{}")
    assert answer["FunctionError"]
    assert b"timed out after 1.00 seconds" in answer["Payload"].read()


def test_its_own_deliveries_count_against_the_reserved_concurrency(plain: MiniStack, hook: Hook) -> None:
    """lambda_/functions.py, `hide_concurrency`: it refuses to post events that the event queue would keep."""
    _function(plain, "reserved", hook.url)
    functions = plain.client("lambda")
    functions.put_function_concurrency(FunctionName="reserved", ReservedConcurrentExecutions=1)
    first = threading.Thread(target=functions.invoke, kwargs={"FunctionName": "reserved", "Payload": b"{}"})
    first.start()
    wait_for(lambda: hook.request_ids, 20, "the first event is delivered")
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        functions.invoke(FunctionName="reserved", Payload=b"{}")
    hook.answers.set()
    first.join()


def test_it_writes_log_lines_of_its_own(plain: MiniStack, hook: Hook) -> None:
    """lambda_/functions.py, `sink_log_group`; logs/cloudwatch.py, `LOG_SINK`: they would mix with the runner's."""
    hook.answers.set()
    _function(plain, "logged", hook.url)
    plain.client("lambda").invoke(FunctionName="logged", Payload=b"{}")
    logs = plain.client("logs")
    found = wait_for(lambda: logs.filter_log_events(logGroupName="/aws/lambda/logged")["events"], 20, "there are lines")
    assert "START RequestId: " in found[0]["message"]


def test_an_image_is_not_pinned_to_its_digest(plain: MiniStack) -> None:
    """lambda_/functions.py, `pin_image`: by the time of an event, the tag may mean another image."""
    _function(plain, "tagged", "http://127.0.0.1:9")
    code = plain.client("lambda").get_function(FunctionName="tagged")["Code"]
    assert code["ResolvedImageUri"].endswith("/some:tag")


def test_a_name_that_begins_like_url_is_taken_for_a_functions_url(plain: MiniStack) -> None:
    """lambda_/api.py, `_by_arn`: such a function cannot be found by its name."""
    arn = _function(plain, "url-shortener", "http://127.0.0.1:9")
    functions = plain.client("lambda")
    assert functions.get_function(FunctionName=arn)["Configuration"]["FunctionArn"] == arn
    with pytest.raises(ClientError, match="ResourceNotFound"):
        functions.get_function(FunctionName="url-shortener")


def test_throttling_of_an_api_is_ignored(plain: MiniStack, hook: Hook) -> None:
    """api_gateway/endpoint.py, `Throttle`: a stage's rate is stored and nothing else."""
    hook.answers.set()
    apis = plain.client("apigatewayv2")
    api = apis.create_api(Name="slow", ProtocolType="HTTP")["ApiId"]
    limits = {"ThrottlingBurstLimit": 1, "ThrottlingRateLimit": 0.001}
    apis.create_stage(ApiId=api, StageName="s", AutoDeploy=True, DefaultRouteSettings=limits)
    function = _function(plain, "slow", hook.url)
    made = apis.create_integration(ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=function)
    apis.create_route(ApiId=api, RouteKey="GET /", Target=f"integrations/{made['IntegrationId']}")
    for _ in range(3):
        with urllib.request.urlopen(f"{plain.endpoint}/_aws/execute-api/{api}/s/", timeout=20) as answer:
            assert answer.status == 200


def test_a_job_succeeds_without_running(plain: MiniStack) -> None:
    """batch/service.py and all beside it: its AWS Batch is a stub."""
    batch = plain.client("batch")
    job = batch.submit_job(jobName="none", jobQueue="none", jobDefinition="none")["jobId"]
    assert batch.describe_jobs(jobs=[job])["jobs"][0]["statusReason"] == "Stub job completed immediately"


# Memory, and what is read


def test_a_part_of_an_object_is_read_with_the_whole(tmp_path: Path, kept: dict[str, str]) -> None:
    """s3/ranged_reads.py: a download in many parts reads the object as many times."""
    with running_ministack(tmp_path, **kept) as running:
        s3 = running.client("s3")
        s3.create_bucket(Bucket="large")
        s3.put_object(Bucket="large", Key="key", Body=bytes(32 * MEGABYTE))
        before = _bytes_read(running.pid)
        assert s3.get_object(Bucket="large", Key="key", Range="bytes=0-9")["Body"].read() == bytes(10)
        assert _bytes_read(running.pid) - before >= 32 * MEGABYTE


def _bytes_read(pid: int) -> int:
    lines = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(lines["rchar"])


def test_layers_of_images_are_held_in_memory(tmp_path: Path) -> None:
    """ecr/registry.py, ecr/image_store.py: images are as large as ten gigabytes."""
    with running_ministack(tmp_path) as running:
        running.client("ecr").create_repository(repositoryName="some")
        before, blob = _resident(running.pid), os.urandom(64 * MEGABYTE)
        _push_blob(running, blob)
        del blob
        assert _resident(running.pid) - before >= 64 * MEGABYTE


def _push_blob(running: MiniStack, blob: bytes) -> None:
    start = urllib.request.Request(f"{running.endpoint}/v2/some/blobs/uploads/", method="POST", data=b"")
    with urllib.request.urlopen(start, timeout=20) as answer:
        place = urlsplit(answer.headers["location"]).path
    digest = hashlib.sha256(blob).hexdigest()
    url = f"{running.endpoint}{place}?digest=sha256:{digest}"
    with urllib.request.urlopen(urllib.request.Request(url, method="PUT", data=blob), timeout=60) as answer:
        assert answer.status == 201


def test_log_lines_are_held_in_memory(tmp_path: Path) -> None:
    """runner/log.py, `_KEPT` and `_SINGLE_LINES`: each line takes several hundred bytes beside its text."""
    count = 40_000
    with running_ministack(tmp_path) as running:
        logs = running.client("logs")
        logs.create_log_group(logGroupName="many")
        logs.create_log_stream(logGroupName="many", logStreamName="lines")
        events = [{"timestamp": int(time.time() * 1000), "message": "x"}] * 10_000
        before = _resident(running.pid)
        for _ in range(count // len(events)):
            logs.put_log_events(logGroupName="many", logStreamName="lines", logEvents=events)
        assert _resident(running.pid) - before > count * 300


def _resident(pid: int) -> int:
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) * 1024


def test_the_size_of_an_image_is_that_of_its_manifest(plain: MiniStack) -> None:
    """ecr/api.py, `_add_sizes`: images would look tiny."""
    ecr = plain.client("ecr")
    ecr.create_repository(repositoryName="sized")
    kind = "application/vnd.oci.image"
    layer = {"mediaType": f"{kind}.layer.v1.tar+gzip", "size": MEGABYTE, "digest": "sha256:" + "1" * 64}
    config = {"mediaType": f"{kind}.config.v1+json", "size": 2, "digest": "sha256:" + "2" * 64}
    media_type = f"{kind}.manifest.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer]})
    ecr.put_image(repositoryName="sized", imageManifest=manifest, imageManifestMediaType=media_type)
    (details,) = ecr.describe_images(repositoryName="sized")["imageDetails"]
    assert details["imageSizeInBytes"] == len(manifest)


# Who may do what


def test_clients_are_sent_to_the_registry_of_the_real_account(plain: MiniStack) -> None:
    """ecr/api.py, `_point_here`: they would push to AWS."""
    (data,) = plain.client("ecr").get_authorization_token()["authorizationData"]
    assert data["proxyEndpoint"] == "https://000000000000.dkr.ecr.us-east-1.amazonaws.com"


def test_signatures_go_unchecked(plain: MiniStack) -> None:
    """signature.py, for MinIO and endpoints with AWS_IAM: any secret will do."""
    assert plain.client("sts", aws_secret_access_key="wrong").get_caller_identity()["Account"] == "000000000000"


def test_pages_from_anywhere_may_ask(plain: MiniStack) -> None:
    """gateway.py, `is_local_origin`: a page in the user's browser could reach into this machine."""
    asked = urllib.request.Request(f"{plain.endpoint}/any-bucket", headers={"origin": "https://example.com"})
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(asked, timeout=20)
    assert answer.value.headers["access-control-allow-origin"] == "*"
    answer.value.close()


def test_anybody_may_wipe_everything(tmp_path: Path) -> None:
    """gateway.py, `_CLOSED`: the rest of the local cloud would be left as it is."""
    with running_ministack(tmp_path) as running:
        running.client("s3").create_bucket(Bucket="wiped")
        reset = urllib.request.Request(f"{running.endpoint}/_ministack/reset", method="POST")
        with urllib.request.urlopen(reset, timeout=20) as answer:
            assert answer.status == 200
        assert running.client("s3").list_buckets()["Buckets"] == []


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare, to keep it from the network")
def test_by_itself_it_listens_to_the_network(tmp_path: Path) -> None:
    """server.py, which listens on loopback alone and sets `BIND_HOST`."""
    environment = environment_with_ministack(GATEWAY_PORT="4566")
    del environment["BIND_HOST"]
    command = ["unshare", "--map-root-user", "--net", sys.executable, "-m", "ministack"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=tmp_path)
    try:
        assert wait_for(lambda: _listening(process.pid), 60, "it listens") == ["00000000:11D6"]
    finally:
        process.kill()
        process.wait(30)


def _listening(pid: int) -> list[str]:
    namespace = Path("ns", "net")
    if (Path(f"/proc/{pid}") / namespace).readlink() == (Path("/proc/self") / namespace).readlink():
        return []  # unshare has not done its work yet
    rows = map(str.split, Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:])
    return [row[1] for row in rows if row[3] == "0A"]


def test_it_removes_containers_that_somebody_else_has_labelled_like_its_own(tmp_path: Path) -> None:
    """ministack/application.py, `DockerHost`: at its start it looks through the user's Docker."""
    with _fake_docker(tmp_path / "docker.sock") as requests:
        with running_ministack(tmp_path, DOCKER_HOST=f"unix://{tmp_path}/docker.sock"):
            wait_for(lambda: [line for line in requests if line.startswith("DELETE")], 20, "a container is removed")
        assert any("/containers/theirs" in line for line in requests if line.startswith("DELETE"))


@contextmanager
def _fake_docker(path: Path) -> Iterator[list[str]]:
    """Yield the requests to a Docker with one container, which another program has made."""
    requests: list[str] = []
    labels = {"ministack": "rds"}
    container = {"Id": "theirs", "Names": ["/theirs"], "Labels": labels, "State": "exited", "Image": "any"}
    inspected = {"Id": "theirs", "Config": {"Labels": labels}, "State": {"Status": "exited"}}

    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            requests.append(self.requestline)
            path = urlsplit(self.path).path
            document: Any = {"ApiVersion": "1.44", "Version": "fake"}
            if path.endswith("/containers/json"):
                document = [container] if "ministack%3Drds" in self.path else []
            elif path.endswith("/containers/theirs/json"):
                document = inspected
            body = json.dumps(document).encode()
            self.send_response(200 if self.command == "GET" else 204)
            self.send_header("content-type", "application/json")
            if self.command == "GET":
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_GET = do_POST = do_DELETE = _answer

        def log_message(self, *_: object) -> None:
            return

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    with Server(str(path), Requests) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield requests
        finally:
            server.shutdown()
            thread.join()

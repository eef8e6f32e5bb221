"""Files go to MinIO and WebDAV from a deployed function, and nobody but the function sees the keys."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from tests.end_to_end.conftest import Project, Terminal
from tests.world.file_servers import Files, WebDavServer, serving
from tests.world.ministack import ministack

pytestmark = pytest.mark.xdist_group("main_job")

UPPER = 'tr a-z A-Z < "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/${INPUT_FILE_PATH##*/}"; env'
# The account that a server of many accounts takes from the key: another one than the stack's.
ACCOUNT, SECRET, ROTATED = "111111111111", "the-secret-of-the-server", "pass:word"


@pytest.fixture
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return a server that speaks S3 and is not the local cloud."""
    with ministack(tmp_path_factory.mktemp("minio")) as endpoint:
        yield endpoint


@pytest.fixture
def webdav() -> Iterator[Files]:
    with serving(WebDavServer, Files(folders={"home"})) as held:
        yield held


def objects(endpoint: str) -> dict[str, bytes]:
    """Return what is in the bucket of the account whose keys the function has."""
    s3 = server(endpoint)
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="files").get("Contents", ())]
    return {key: s3.get_object(Bucket="files", Key=key)["Body"].read() for key in keys}


def server(endpoint: str) -> Any:
    keys = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": SECRET}
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)


def write(project: Project, minio: str, webdav: Files, password: str) -> Path:
    """Return the file, with the password given in the environment and the key in clear."""
    document = yaml.safe_load(project.write().read_text())
    document["storage_providers"] = {
        "minio": {"mine": {"endpoint": minio, "access_key": ACCOUNT, "secret_key": SECRET}},
        "webdav": {"dcache": {"hostname": webdav.address, "login": "scar", "password": password}},
    }
    project.fdl.write_text(yaml.safe_dump(document))
    return project.fdl


def test_files_of_other_storages_are_read_and_written_with_keys_that_stay_secret(
    project: Project, terminal: Terminal, minio: str, webdav: Files
) -> None:
    server(minio).create_bucket(Bucket="files")
    server(minio).put_object(Bucket="files", Key="in/hello.txt", Body=b"hello")
    function = project.function("elsewhere", UPPER, log_format="json")
    function["input"] = [{"storage_provider": "minio.mine", "path": "files/in"}]
    function["output"] = [
        {"storage_provider": "minio.mine", "path": "files/out"},
        {"storage_provider": "webdav.dcache", "path": "home/out"},
    ]
    said = terminal.scar("up", write(project, minio, webdav, "wrong"), "--yes").stderr
    assert "nothing on AWS starts the function" in said
    record = {"s3": {"bucket": {"name": "files"}, "object": {"key": "in/hello.txt"}}, "eventSource": "minio:s3"}
    event = json.dumps({"Records": [record]})
    refused = terminal.scar("invoke", "elsewhere", "--data", event, check=False)
    assert refused.status == 1
    assert "home/out/hello.txt: 401 Unauthorized" in refused.stdout + refused.stderr

    # The container is warm, and the new password reaches it nevertheless.
    answer = terminal.up(write(project, minio, webdav, ROTATED))
    assert answer["changes"]["update"] == 2
    assert answer["changes"]["create"] == 0
    invoked = terminal.scar("invoke", "elsewhere", "--data", event)
    assert objects(minio) == {"in/hello.txt": b"hello", "out/hello.txt": b"HELLO"}
    assert webdav.files == {"home/out/hello.txt": b"HELLO"}

    told = json.dumps(answer) + invoked.stdout + terminal.scar("logs", "elsewhere").stdout
    assert "SCAR_STORAGE" not in told
    assert not [secret for secret in (SECRET, ROTATED) if secret in told]
    assert '"level": "INFO"' in told or '"level":"INFO"' in told
    assert_readable_by_the_owner_alone(terminal.state)


def assert_readable_by_the_owner_alone(state: Path) -> None:
    """Check that only the store of parameters holds a secret, as on AWS, and that others may not enter its folder."""
    holding = [path for path in state.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert not [path for path in holding if "pulumi" in path.relative_to(state).parts]
    assert stat.S_IMODE(state.stat().st_mode) == 0o700

"""Storages by provider: their settings, and files of WebDAV, Onedata and Rucio servers, also while these fail."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.supervisor.conftest import Launch
from tests.supervisor.objects import COPY, LARGE, body, bucket, keys, to, with_minio
from tests.world.file_servers import CdmiServer, Files, PoolServer, WebDavServer, serving


@pytest.fixture
def webdav() -> Iterator[Files]:
    with serving(WebDavServer, Files(folders={"home"})) as held:
        yield held


@pytest.fixture
def onedata() -> Iterator[Files]:
    with serving(CdmiServer, Files(folders={"space"})) as held:
        yield held


def with_webdav(held: Files, **more: Any) -> dict[str, Any]:
    settings = {"hostname": held.address, "login": "scar", "password": "pass:word"}
    return {
        "inputs": [{"storage_provider": "webdav.dcache", "path": "/home/in"}],
        "outputs": [{"storage_provider": "webdav.dcache", "path": "/home/out/deep"}],
        "storage_providers": {"webdav.dcache": settings},
        **more,
    }


def dcache_event(name: str) -> dict[str, Any]:
    return {"event": {"name": name, "mask": ["IN_CREATE"]}, "subscription": "https://dcache.example/1"}


def with_onedata(held: Files) -> dict[str, Any]:
    settings = {"oneprovider_host": held.address, "token": "macaroon", "space": "space"}
    return {
        "outputs": [{"storage_provider": "onedata.mine", "path": "out/deep"}],
        "storage_providers": {"onedata": {"mine": settings}},
    }


def onetrigger_event(path: str) -> dict[str, Any]:
    return {"Key": f"/space/{path}", "Records": [{"objectKey": path.rpartition("/")[2], "eventSource": "OneTrigger"}]}


NAMES = ["plain.txt", "a b+c%.txt", "añ日本.txt", "#hash?.txt"]


@pytest.mark.parametrize("name", NAMES)
def test_files_of_any_name_come_from_webdav_and_go_there(launch: Launch, webdav: Files, name: str) -> None:
    webdav.files[f"home/in/{name}"] = LARGE
    outcome = launch(script=COPY, configuration=with_webdav(webdav)).invoke(dcache_event(name))
    assert not outcome.failed, outcome
    assert webdav.files[f"home/out/deep/{name}"] == LARGE


@pytest.mark.parametrize("name", NAMES)
def test_files_of_any_name_come_from_onedata_and_go_there(launch: Launch, onedata: Files, name: str) -> None:
    onedata.files[f"space/in/{name}"] = LARGE
    outcome = launch(script=COPY, configuration=with_onedata(onedata)).invoke(onetrigger_event(f"in/{name}"))
    assert not outcome.failed, outcome
    assert onedata.files[f"space/out/deep/{name}"] == LARGE


def test_a_redirect_to_another_server_gets_no_password(launch: Launch, webdav: Files) -> None:
    with serving(PoolServer, Files(files={"home/in/a": b"of the pool"})) as pool:
        webdav.redirect = pool.address
        container = launch(script=COPY, configuration=with_webdav(webdav))
        assert not container.invoke(dcache_event("a")).failed
    assert webdav.files["home/out/deep/a"] == b"of the pool"


@pytest.mark.parametrize("fault", ["break_off", "damage"])
def test_an_interrupted_or_damaged_download_is_repeated(launch: Launch, webdav: Files, fault: str) -> None:
    webdav.files["home/in/a"] = LARGE
    setattr(webdav, fault, 2)
    outcome = launch(script=COPY, configuration=with_webdav(webdav)).invoke(dcache_event("a"))
    assert not outcome.failed, outcome
    assert webdav.files["home/out/deep/a"] == LARGE


def test_a_file_that_always_arrives_damaged_is_an_error(launch: Launch, webdav: Files) -> None:
    webdav.files["home/in/a"] = LARGE
    webdav.damage = 100
    outcome = launch(script=COPY, configuration=with_webdav(webdav)).invoke(dcache_event("a"))
    assert outcome.document["errorType"] == "InputFailed"
    assert "adler32 checksum" in outcome.message


@pytest.mark.parametrize("kind", ["webdav", "onedata"])
def test_nothing_is_lost_while_a_tenth_of_all_requests_fails(launch: Launch, request: Any, kind: str) -> None:
    held: Files = request.getfixturevalue(kind)
    root, configuration = ("home", with_webdav(held)) if kind == "webdav" else ("space", with_onedata(held))
    held.files |= {f"{root}/in/{number}": str(number).encode() for number in range(20)}
    held.failing = 0.1
    container = launch(script=COPY, configuration=configuration)
    for number in range(20):
        event = dcache_event(str(number)) if kind == "webdav" else onetrigger_event(f"in/{number}")
        assert not container.invoke(event).failed
    assert {f"{root}/out/deep/{number}" for number in range(20)} <= set(held.files)


def test_refused_and_stored_outputs_are_named(launch: Launch, webdav: Files) -> None:
    container = launch(configuration=with_webdav(webdav))
    outcome = container.run("cd $TMP_OUTPUT_DIR; echo a >a; echo b >refused")
    assert outcome.document["errorType"] == "OutputFailed"
    assert "home/out/deep/refused: 507" in outcome.message
    assert outcome.message.endswith("stored: home/out/deep/a")


def test_wrong_credentials_are_an_error(launch: Launch, webdav: Files) -> None:
    configuration = with_webdav(webdav)
    configuration["storage_providers"]["webdav.dcache"]["password"] = "wrong"
    outcome = launch(script=COPY, configuration=configuration).invoke(dcache_event("a"))
    assert outcome.document["errorType"] == "InputFailed"
    assert "401" in outcome.message


def test_a_file_that_the_server_took_and_does_not_have_is_an_error(launch: Launch, webdav: Files) -> None:
    webdav.forgetful = True
    outcome = launch(configuration=with_webdav(webdav)).run("echo a >$TMP_OUTPUT_DIR/a")
    assert outcome.document["errorType"] == "OutputFailed"
    assert "home/out/deep/a: the server took it but does not have it" in outcome.message


@pytest.mark.parametrize(
    ("providers", "complaint"),
    [
        ({"webdav.dcache": {"hostname": "x", "login": "a"}}, "'webdav.dcache' is incomplete: password missing"),
        ({}, "'webdav.dcache' is incomplete: hostname missing"),
        (
            {"webdav.dcache": {"hostname": "http://dav.example", "login": "a", "password": "b"}},
            "passwords, tokens and files are not sent over plain http; use an https URL",
        ),
        ({"webdav.dcache": "ssm:/none"}, "ssm:/none cannot be read"),
        ({"webdav.dcache": "env:NONE"}, "env:NONE does not exist"),
        ({"webdav.dcache": "vault:x"}, "vault: is unknown"),
    ],
)
def test_an_incomplete_provider_is_named_before_anything_runs(
    launch: Launch, webdav: Files, credentials: dict[str, str], providers: Any, complaint: str
) -> None:
    configuration = with_webdav(webdav, storage_providers=providers)
    outcome = launch(script="echo ran", configuration=configuration, environment=credentials).invoke({})
    assert outcome.document["errorType"] == "ConfigurationInvalid"
    assert complaint in outcome.message


def test_files_are_not_sent_to_a_minio_over_plain_http(launch: Launch) -> None:
    outputs = to({"storage_provider": "minio.mine", "path": "b/out"})
    configuration = outputs | {"storage_providers": with_minio("http://minio.example")}
    outcome = launch(script="echo ran", configuration=configuration).invoke({})
    assert outcome.document["errorType"] == "ConfigurationInvalid"
    assert "'http://minio.example': passwords, tokens and files are not sent over plain http" in outcome.message


@pytest.mark.parametrize("kept", ["ssm", "secretsmanager", "env"])
def test_settings_may_be_kept_where_only_the_role_reads_them(
    launch: Launch, s3: Any, s3_endpoint: str, credentials: dict[str, str], kept: str
) -> None:
    name, text = bucket(s3, f"kept-{kept}"), json.dumps(with_minio(s3_endpoint)["minio.mine"])
    client: Any = boto3.client(
        "ssm" if kept == "env" else kept,
        endpoint_url=s3_endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    if kept == "ssm":
        client.put_parameter(Name="/scar/minio.mine", Value=text, Type="SecureString", Overwrite=True)
    elif kept == "secretsmanager":
        client.create_secret(Name="/scar/minio.mine", SecretString=text)
    place = "STORAGE_SECRET" if kept == "env" else "/scar/minio.mine"
    configuration = {
        **to({"storage_provider": "minio.mine", "path": name}),
        "storage_providers": {"minio.mine": f"{kept}:{place}"},
    }
    container = launch(configuration=configuration, environment={**credentials, "STORAGE_SECRET": text})
    outcome = container.run("env >$TMP_OUTPUT_DIR/env")
    assert not outcome.failed, outcome
    assert keys(s3, name) == ["env"]
    assert (b"STORAGE_SECRET" in body(s3, name, "env")) is (kept != "env")

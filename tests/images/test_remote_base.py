"""Bases in registries: names, tokens, platforms, and what a plan costs in requests."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from scar_components.images import ImageError, RemoteBlob, plan_image
from scar_components.images.image import is_on_loopback, parse_reference, parse_repository_url
from scar_components.images.registry import open_repository
from tests.images import images
from tests.images.bearer_registry import PASSWORD, BearerRegistry, running


@pytest.fixture
def server() -> Iterator[BearerRegistry]:
    """Return a registry with the image team/tool:1 for two platforms."""
    with running() as server:
        entries = []
        for architecture in ("amd64", "arm64"):
            files = images.oci_files(architecture=architecture)
            manifest = files[images.oci_manifest_name(files)]
            kind = "application/vnd.oci.image.manifest.v1+json"
            server.documents[f"/v2/team/tool/manifests/{images.digest(manifest)}"] = kind, manifest
            platform = {"os": "linux", "architecture": architecture}
            entries.append({"mediaType": kind, **images.described(manifest), "platform": platform})
            for name, data in files.items():
                if name.startswith("blobs/"):
                    server.documents[f"/v2/team/tool/blobs/{images.digest(data)}"] = "application/octet-stream", data
        index = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
        kind = "application/vnd.oci.image.index.v1+json"
        server.documents["/v2/team/tool/manifests/1"] = kind, index
        server.documents[f"/v2/team/tool/manifests/{images.digest(index)}"] = kind, index
        yield server


def test_only_the_documents_of_a_remote_base_are_read(server: BearerRegistry, bundler: Path) -> None:
    plan = plan_image(image=f"{server.host}/team/tool:1", bundle=bundler)

    assert [layer.diff_id for layer in plan.layers[:2]] == [images.digest(layer) for layer in images.layers()]
    assert {layer.source for layer in plan.layers[:2]} == {RemoteBlob(server.host, "team/tool")}
    assert not any(layer.digest in line for layer in plan.layers for line in server.log)
    assert json.loads(plan.config)["architecture"] == "amd64"
    assert server.scopes == ["/token?service=s&scope=repository%3Ateam%2Ftool%3Apull"]


def test_a_second_plan_asks_for_the_tag_only_and_a_digest_for_nothing(
    server: BearerRegistry, bundler: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_tag = plan_image(image=f"{server.host}/team/tool:1", bundle=bundler)
    server.log.clear()
    assert plan_image(image=f"{server.host}/team/tool:1", bundle=bundler) == by_tag
    assert server.log == []  # the functions of one program see one image

    monkeypatch.setattr("scar_components.images.remote_base.FRESH", 0.0)
    assert plan_image(image=f"{server.host}/team/tool:1", bundle=bundler) == by_tag
    assert [line for line in server.log if "/token" not in line] == ["HEAD /v2/team/tool/manifests/1"] * 2

    server.log.clear()
    digest = images.digest(server.documents["/v2/team/tool/manifests/1"][1])
    assert plan_image(image=f"{server.host}/team/tool:1@{digest}", bundle=bundler) == by_tag
    assert server.log == []


def test_a_registry_that_does_not_name_digests_is_understood(
    server: BearerRegistry, bundler: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_digests = plan_image(image=f"{server.host}/team/tool:1", bundle=bundler)
    server.sends_digests = False
    monkeypatch.setattr("scar_components.images.remote_base.FRESH", 0.0)

    assert plan_image(image=f"{server.host}/team/tool:1", bundle=bundler) == with_digests


def test_the_password_of_docker_login_is_used_and_never_shown(
    server: BearerRegistry, bundler: Path, tmp_path: Path
) -> None:
    server.needs_password = True
    with pytest.raises(ImageError, match=f"refuses the login; .*docker login {server.host}"):
        plan_image(image=f"{server.host}/team/tool:1", bundle=bundler)

    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text(json.dumps({"auths": {server.host: {"auth": PASSWORD}}}))
    assert plan_image(image=f"{server.host}/team/tool:1", bundle=bundler)


def test_a_credential_helper_is_asked(
    server: BearerRegistry, bundler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.needs_password = True
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text(json.dumps({"credsStore": "test"}))
    helper = tmp_path / "docker-credential-test"
    helper.write_text(
        f'#!/bin/sh\nread host; [ "$host" = "{server.host}" ] && echo \'{{"Username":"user","Secret":"password"}}\'\n'
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert plan_image(image=f"{server.host}/team/tool:1", bundle=bundler)


def test_a_busy_registry_is_asked_again(server: BearerRegistry, bundler: Path) -> None:
    server.busy = 2

    assert plan_image(image=f"{server.host}/team/tool:1", bundle=bundler)


def test_a_broken_download_goes_on_where_it_broke(server: BearerRegistry) -> None:
    data = bytes(range(256)) * 1000
    digest = images.digest(data)
    server.documents[f"/v2/team/tool/blobs/{digest}"] = "application/octet-stream", data
    server.break_after = len(data) // 2

    assert b"".join(open_repository(server.host, "team/tool").blob(digest, len(data))) == data
    assert server.log.count(f"GET /v2/team/tool/blobs/{digest}") == 3  # the first one was told to get a token


MISTAKES = {
    "no such tag": ("{host}/team/tool:2", "does not exist; check its name and tag"),
    "no such digest": ("{host}/team/tool@sha256:" + "0" * 64, "does not exist; check its name, tag or digest"),
    "unreachable": (
        "127.0.0.1:9/team/tool:1",
        r"127.0.0.1:9: cannot be reached \(.*refused\); check the network, or save the image .* as image_file",
    ),
    "not a name": ("Team Tool", "is not an image name; write it like debian:12"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_cannot_be_had_is_a_clear_error(server: BearerRegistry, bundler: Path, mistake: str) -> None:
    name, message = MISTAKES[mistake]
    with pytest.raises(ImageError, match=message):
        plan_image(image=name.format(host=server.host), bundle=bundler)


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("debian", "docker.io/library/debian:latest"),
        ("debian:12", "docker.io/library/debian:12"),
        ("grycap/cowsay", "docker.io/grycap/cowsay:latest"),
        ("docker.io/grycap/cowsay:1", "docker.io/grycap/cowsay:1"),
        ("index.docker.io/library/debian:12", "docker.io/library/debian:12"),
        ("ghcr.io/a/b/c:1.0_x-2", "ghcr.io/a/b/c:1.0_x-2"),
        ("localhost/a", "localhost/a:latest"),
        ("localhost:5000/a:1", "localhost:5000/a:1"),
        ("a/b@sha256:" + "1" * 64, "docker.io/a/b@sha256:" + "1" * 64),
        ("a/b:tag@sha256:" + "1" * 64, "docker.io/a/b@sha256:" + "1" * 64),
    ],
)
def test_names_mean_what_they_mean_to_docker(name: str, full: str) -> None:
    assert str(parse_reference(name)) == full


@pytest.mark.parametrize("name", ["", "Debian", "a b", "debian:", "a//b", "a@sha256:12", "-a", "host.io/", "a:b:c"])
def test_what_docker_refuses_as_a_name_is_refused(name: str) -> None:
    with pytest.raises(ImageError, match="is not an image name"):
        parse_reference(name)


def test_repository_addresses_are_checked() -> None:
    assert parse_repository_url("1.dkr.ecr.eu-west-1.amazonaws.com/a/b") == (
        "1.dkr.ecr.eu-west-1.amazonaws.com",
        "a/b",
    )
    for wrong in ("name", "host/", "host/a@sha256:1", "host/A"):
        with pytest.raises(ImageError, match="is not a repository; use host/name"):
            parse_repository_url(wrong)


def test_plain_http_is_for_this_machine_only() -> None:
    assert [is_on_loopback(host) for host in ("localhost:5000", "127.0.0.1:1", "127.1.2.3", "[::1]:80")] == [True] * 4
    assert [is_on_loopback(host) for host in ("127.0.0.1.example.org", "localhost.example.org", "10.0.0.1")] == [
        False
    ] * 3

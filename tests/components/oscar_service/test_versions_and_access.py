"""Versions of OSCAR, what its server refuses, and how it is reached."""

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scar_components.oscar_api import OscarError
from scar_components.oscar_service.service import RegisteredServiceProvider
from scar_pulumi.client.clients import Clients
from scar_pulumi.client.oscar import ClusterClient
from scar_pulumi.client.outputs import read_clusters
from tests.components.oscar_service.asking import minio, properties, raw
from tests.components.oscar_service.cluster import Cluster
from tests.components.oscar_service.server import PASSWORD, USER, Server, running


@pytest.fixture
def old_server() -> Iterator[Server]:
    with running(Cluster("4.0.0", "knative")) as server:
        yield server


SECRET = {"secrets": {"refresh_token": "token"}}


def test_version_4_0_has_one_port_and_replicas(provider: RegisteredServiceProvider, old_server: Server) -> None:
    cluster = old_server.cluster
    members = [{"type": "oscar", "cluster_id": "other", "service_name": "plants"}]
    more: dict[str, Any] = {"federation": {"members": members, "delegation": "random"}, "environment": SECRET}
    made = provider.create(properties(old_server, "plants", "photos/in", expose={"api_port": [8080]}, **more))
    service = cluster.services["plants"]
    assert service["expose"]["api_port"] == 8080
    assert (service["replicas"], service["delegation"]) == (members, "random")
    assert cluster.started("photos", "in/a.jpg") == {"plants"}
    outs = made.outs or {}
    assert (outs["version"], outs["synchronous"]) == ("4.0.0", False)  # it is exposed
    assert provider.read("plants", outs).inputs is None
    provider.delete("plants", {**outs, "delete_buckets": True})
    assert cluster.minio.buckets == {}
    with pytest.raises(OscarError, match=r"expose\.api_port: OSCAR 4\.0\.0 takes one port"):
        provider.create(properties(old_server, "more", expose={"api_port": [80, 81]}))


@pytest.mark.parametrize("version", ["4.0.0", "4.1.2"])
def test_up_destroy_up_and_two_steps_in_one_bucket_work_on_both_versions(
    provider: RegisteredServiceProvider, version: str
) -> None:
    with running(Cluster(version)) as server:
        for _ in range(2):
            reader = provider.create(properties(server, "reader", "photos/middle", "photos/out")).outs or {}
            writer = provider.create(properties(server, "writer", "inbox/in", "photos/middle")).outs or {}
            assert server.cluster.started("photos", "middle/a.jpg") == {"reader"}
            assert server.cluster.started("inbox", "in/a.jpg") == {"writer"}
            provider.delete("writer", writer)
            provider.delete("reader", reader)
            assert set(server.cluster.minio.buckets) == {"photos", "inbox"}
        server.cluster.minio.make("others")
        server.storage = "no-url"
        with pytest.raises(OscarError, match=rf"the bucket 'others' already exists, and OSCAR {version} reports"):
            provider.create(properties(server, "plants", "others/in"))


@pytest.mark.parametrize(("version", "replaced"), [("4.0.0", []), ("4.1.2", ["definition"])])
def test_a_service_with_an_interface_is_updated_where_that_keeps_its_script(
    provider: RegisteredServiceProvider, version: str, replaced: list[str]
) -> None:
    with running(Cluster(version)) as server:
        made = provider.create(properties(server, "plants", expose={"api_port": [80]})).outs
        larger = properties(server, "plants", expose={"api_port": [80]}, memory="1Gi")
        assert provider.diff("plants", made, larger).replaces == replaced
        if not replaced:
            provider.update("plants", made, larger)
            service = server.cluster.services["plants"]
            assert (service["memory"], service["script"]) == ("1Gi", "cat")
        other = properties(server, "plants", expose={"api_port": [81]})
        assert provider.diff("plants", made, other).replaces == ["definition"]


def test_version_4_1_has_federations(provider: RegisteredServiceProvider, server: Server, cluster: Cluster) -> None:
    members = [{"type": "oscar", "cluster_id": "other", "service_name": "plants"}]
    more: dict[str, Any] = {"replicas": members, "rescheduler_threshold": 30, "environment": SECRET}
    made = provider.create(properties(server, "plants", "photos/in", **more)).outs or {}
    federation = cluster.services["plants"]["federation"]
    expected = {"group_id": "plants", "topology": "star", "members": members, "rescheduler_threshold": 30}
    assert {key: federation[key] for key in expected} == expected
    unsigned = properties(server, "plants", "photos/in", **{**more, "environment": {}})
    with pytest.raises(OscarError, match=r"federation: OSCAR 4\.1 requires the secret refresh_token; add it to"):
        provider.diff("plants", made, unsigned)


def test_the_server_is_as_strict_as_the_real_one(cluster: Cluster) -> None:
    assert cluster.create(raw("a", cpu=0.5))[0] == 400
    assert cluster.create(raw("a", expose={"api_port": 80}))[0] == 400
    assert cluster.create({"name": "a", "image": "debian"})[0] == 400
    assert cluster.create(raw("a", expose={"api_port": [80]}))[0] == 500
    assert cluster.create(raw("a", input=[minio("ab/in")]))[0] == 500
    assert cluster.create(raw("a", input=[{"storage_provider": "s3.x", "path": "b/in"}]))[0] == 400
    assert cluster.create(raw("a", output=[{"storage_provider": "s3.x", "path": "bucket/in"}]))[0] == 500
    assert cluster.create(raw("a", input=[minio("both/in"), minio("both/more")]))[0] == 500
    assert cluster.create(raw("a", labels={"a": "b c"}))[0] == 500
    assert cluster.create(raw("a", federation={"members": [{}]}))[0] == 400
    assert cluster.services == {}
    assert cluster.bucket("absent") == (500, "NoSuchBucket: The specified bucket does not exist")
    assert cluster.create(raw("a")) == (201, None)
    token = cluster.services["a"]["token"]
    assert (cluster.update(raw("a", memory="1Gi")), cluster.services["a"]["token"]) == ((204, None), token)
    assert cluster.update(raw("a", expose={"api_port": [80]}))[0] == 500
    assert cluster.update(raw("a", volume={"size": "1Gi"}))[0] == 400
    assert cluster.create(raw("a"))[0] == 400
    assert cluster.update(raw("b")) == (404, None)


def test_wrong_credentials_and_addresses_are_told(provider: RegisteredServiceProvider, server: Server) -> None:
    wrong = {**properties(server, "plants"), "password": "wrong horse"}
    with pytest.raises(OscarError, match="refuses user 'oscar'; check the user and the password") as refused:
        provider.create(wrong)
    assert "wrong horse" not in str(refused.value)
    away = {**properties(server, "plants"), "endpoint": "http://127.0.0.1:9", "timeout": 0.2}
    with pytest.raises(OscarError, match=r"http://127\.0\.0\.1:9: cannot be reached \(.*refused.*\); check"):
        provider.create(away)
    with pytest.raises(OscarError, match="is not the URL of a cluster"):
        provider.create({**away, "endpoint": "127.0.0.1:x"})


@pytest.fixture
def certificate(server: Server, tmp_path: Path) -> Path:
    """Serve the cluster and its MinIO over TLS, with a certificate that nobody has signed."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=oscar", "-days", "1"]
    subprocess.run([*command, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.storage = server.endpoint.replace("http:", "https:")
    return certificate


def test_certificates_are_verified_unless_the_service_says_otherwise(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster, certificate: Path
) -> None:
    assert certificate.is_file()
    asked = {**properties(server, "plants", "photos/in"), "endpoint": server.storage}
    with pytest.raises(OscarError, match=r"its certificate is not trusted .*; use one that is"):
        provider.create(asked)
    made = provider.create({**asked, "verify_certificate": False}).outs or {}
    assert "plants" in cluster.services
    assert made["reported"] == ["photos/in"]


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_one_file_of_authorities_is_trusted_by_up_and_by_the_verbs_for_oscar_and_minio(
    provider: RegisteredServiceProvider,
    server: Server,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(certificate))
    keys = {**server.cluster.storage.settings(), "verify": True}
    monkeypatch.setattr(server.cluster.storage, "settings", lambda: {**keys, "endpoint": f"{server.storage}/minio"})
    asked = {**properties(server, "plants", "photos/in"), "endpoint": server.storage}
    assert provider.create(asked).outs["reported"] == ["photos/in"]

    cluster = read_clusters({"mine": {"endpoint": server.storage, "user": USER, "password": PASSWORD}})["mine"]
    client = ClusterClient(cluster, Clients())
    assert client.token("plants") == server.cluster.services["plants"]["token"]
    found = Clients().storage(client.storage()).list_objects_v2(Bucket="photos")
    assert [entry["Key"] for entry in found["Contents"]] == ["in/"]

"""The registry and ECR: pushing, pulling, deleting."""

import base64
import json
import os
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from scar_pulumi.cloud.ecr.registry import is_registry_path
from tests.world.fake_cloud import FakeCloud, digest_of, manifest_of, wait_for

OCI = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def repository(cloud: FakeCloud, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return a repository of the test's own, with a name of several parts."""
    name = f"team/{request.node.originalname.replace('_', '-')[:60]}"
    cloud.client("ecr").create_repository(repositoryName=name)
    yield name
    try:
        cloud.client("ecr").delete_repository(repositoryName=name, force=True)
    except ClientError:
        return


def test_a_pushed_image_can_be_pulled_by_tag_and_by_digest(cloud: FakeCloud, repository: str) -> None:
    digest = cloud.push(repository, "v1", b"some layer")
    status, headers, manifest = cloud.http("GET", f"/v2/{repository}/manifests/v1")
    assert (status, headers["docker-content-digest"], headers["content-type"]) == (200, digest, OCI)
    assert digest_of(manifest) == digest
    assert cloud.http("GET", f"/v2/{repository}/manifests/{digest}")[2] == manifest
    status, headers, body = cloud.http("HEAD", f"/v2/{repository}/manifests/{digest}")
    assert (status, headers["content-length"], body) == (200, str(len(manifest)), b"")
    layer = json.loads(manifest)["layers"][0]["digest"]
    assert cloud.http("GET", f"/v2/{repository}/blobs/{layer}")[2] == b"some layer"
    assert json.loads(cloud.http("GET", f"/v2/{repository}/tags/list")[2])["tags"] == ["v1"]


def test_ecr_describes_what_was_pushed(cloud: FakeCloud, repository: str) -> None:
    layer = b"x" * 1000
    digest = cloud.push(repository, "v1", layer)
    described = cloud.client("ecr").describe_images(repositoryName=repository)["imageDetails"]
    assert [(image["imageDigest"], image["imageTags"]) for image in described] == [(digest, ["v1"])]
    assert 1000 < described[0]["imageSizeInBytes"] < 1500
    assert described[0]["imageManifestMediaType"] == OCI
    with pytest.raises(ClientError, match="RepositoryNotEmptyException"):
        cloud.client("ecr").delete_repository(repositoryName=repository)


def test_clients_are_sent_to_the_local_registry_but_urls_stay_as_awss(cloud: FakeCloud, repository: str) -> None:
    data = cloud.client("ecr").get_authorization_token()["authorizationData"][0]
    assert data["proxyEndpoint"] == cloud.environment()["AWS_ENDPOINT_URL"]
    assert base64.b64decode(data["authorizationToken"]).startswith(b"AWS:")
    described = cloud.client("ecr").describe_repositories(repositoryNames=[repository])["repositories"][0]
    assert described["repositoryUri"] == f"000000000000.dkr.ecr.us-east-1.amazonaws.com/{repository}"


def test_a_token_says_which_region_is_meant(cloud: FakeCloud, repository: str) -> None:
    cloud.client("ecr", "eu-west-1").create_repository(repositoryName=repository)
    digest = cloud.push(repository, "there", region="eu-west-1")
    images = cloud.client("ecr", "eu-west-1").describe_images(repositoryName=repository)["imageDetails"]
    assert [image["imageDigest"] for image in images] == [digest]
    assert cloud.client("ecr").describe_images(repositoryName=repository)["imageDetails"] == []
    cloud.client("ecr", "eu-west-1").delete_repository(repositoryName=repository, force=True)


def test_pushing_to_a_repository_that_does_not_exist_is_refused(cloud: FakeCloud) -> None:
    status, _, body = cloud.http("POST", "/v2/none/blobs/uploads/")
    assert status == 404
    assert json.loads(body)["errors"][0]["code"] == "NAME_UNKNOWN"


def test_a_blob_may_come_in_pieces(cloud: FakeCloud, repository: str) -> None:
    location = cloud.http("POST", f"/v2/{repository}/blobs/uploads/")[1]["location"]
    status, headers, _ = cloud.http("PATCH", location, b"first ", content_range="0-5")
    assert (status, headers["range"]) == (202, "0-5")
    assert cloud.http("GET", location)[1]["range"] == "0-5"
    assert cloud.http("PATCH", location, b"again", content_range="0-4")[0] == 416
    assert cloud.http("PATCH", location, iter([b"second ", b"third"]))[1]["range"] == "0-17"
    digest = digest_of(b"first second third")
    assert cloud.http("PUT", f"{location}?digest={digest}", b"")[0] == 201
    assert cloud.http("GET", f"/v2/{repository}/blobs/{digest}", range="bytes=6-11")[2] == b"second"
    assert cloud.http("GET", f"/v2/{repository}/blobs/{digest}", range="bytes=18-")[0] == 416


def test_a_blob_may_come_in_one_request(cloud: FakeCloud, repository: str) -> None:
    digest = digest_of(b"at once")
    assert cloud.http("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", b"at once")[0] == 201
    assert cloud.http("HEAD", f"/v2/{repository}/blobs/{digest}")[1]["content-length"] == "7"


def test_a_blob_whose_bytes_are_not_its_digests_is_refused(cloud: FakeCloud, repository: str) -> None:
    location = cloud.http("POST", f"/v2/{repository}/blobs/uploads/")[1]["location"]
    digest = digest_of(b"promised")
    status, _, body = cloud.http("PUT", f"{location}?digest={digest}", b"delivered")
    assert (status, json.loads(body)["errors"][0]["code"]) == (400, "DIGEST_INVALID")
    assert cloud.http("HEAD", f"/v2/{repository}/blobs/{digest}")[0] == 404
    assert cloud.http("PATCH", location, b"more")[0] == 404


def test_an_upload_can_be_cancelled(cloud: FakeCloud, repository: str) -> None:
    location = cloud.http("POST", f"/v2/{repository}/blobs/uploads/")[1]["location"]
    assert cloud.http("DELETE", location)[0] == 204
    assert cloud.http("PATCH", location, b"more")[0] == 404


def test_a_blob_of_another_repository_is_mounted(cloud: FakeCloud, repository: str) -> None:
    cloud.client("ecr").create_repository(repositoryName="base")
    cloud.push("base", layer=b"shared")
    path = f"/v2/{repository}/blobs/uploads/?mount={digest_of(b'shared')}&from=base"
    assert cloud.http("POST", path)[0] == 201
    assert cloud.http("POST", f"/v2/{repository}/blobs/uploads/?mount={digest_of(b'unknown')}&from=base")[0] == 202
    cloud.client("ecr").delete_repository(repositoryName="base", force=True)


def test_a_manifest_without_its_layers_is_refused(cloud: FakeCloud, repository: str) -> None:
    manifest = manifest_of(b"nowhere", b"to be found")
    status, _, body = cloud.http("PUT", f"/v2/{repository}/manifests/v1", manifest, content_type=OCI)
    assert (status, json.loads(body)["errors"][0]["code"]) == (400, "MANIFEST_BLOB_UNKNOWN")
    for wrong in (b"no json", b"[]", b"{}"):
        assert cloud.http("PUT", f"/v2/{repository}/manifests/v1", wrong, content_type=OCI)[0] == 400


def test_an_immutable_tag_stays_where_it_is(cloud: FakeCloud, repository: str) -> None:
    cloud.client("ecr").put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
    first = cloud.push(repository, "v1", b"first")
    assert cloud.push(repository, "v1", b"first") == first
    with pytest.raises(AssertionError, match="TAG_INVALID"):
        cloud.push(repository, "v1", b"second")
    assert cloud.http("HEAD", f"/v2/{repository}/manifests/v1")[1]["docker-content-digest"] == first


def test_blobs_go_with_the_last_repository_that_refers_to_them(cloud: FakeCloud, repository: str) -> None:
    shared, own = os.urandom(64), os.urandom(64)
    cloud.client("ecr").create_repository(repositoryName="second")
    cloud.push(repository, layer=shared)
    cloud.push("second", layer=shared)
    cloud.push("second", layer=own)
    cloud.client("ecr").delete_repository(repositoryName="second", force=True)
    blobs = cloud.state / "images" / "blobs" / "sha256"
    assert (blobs / digest_of(shared)[7:]).exists()
    assert not (blobs / digest_of(own)[7:]).exists()
    cloud.client("ecr").delete_repository(repositoryName=repository, force=True)
    assert not (blobs / digest_of(shared)[7:]).exists()


def test_a_running_push_keeps_the_blobs_that_it_counts_on(cloud: FakeCloud, repository: str) -> None:
    layer = os.urandom(64)
    cloud.client("ecr").create_repository(repositoryName="leaving")
    cloud.push("leaving", layer=layer)
    assert cloud.http("HEAD", f"/v2/{repository}/blobs/{digest_of(layer)}")[0] == 200
    cloud.client("ecr").delete_repository(repositoryName="leaving", force=True)
    assert cloud.push(repository, "late", layer)


def test_deleting_an_image_in_ecr_deletes_it_in_the_registry(cloud: FakeCloud, repository: str) -> None:
    layer = os.urandom(64)
    digest = cloud.push(repository, "v1", layer)
    cloud.client("ecr").batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])
    assert cloud.http("GET", f"/v2/{repository}/manifests/v1")[0] == 404
    assert not (cloud.state / "images" / "blobs" / "sha256" / digest_of(layer)[7:]).exists()


def test_deleting_a_manifest_in_the_registry_deletes_it_in_ecr(cloud: FakeCloud, repository: str) -> None:
    digest = cloud.push(repository, "v1")
    assert cloud.http("DELETE", f"/v2/{repository}/manifests/{digest}")[0] == 202
    assert cloud.client("ecr").list_images(repositoryName=repository)["imageIds"] == []


def test_images_survive_a_restart(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    own_cloud.client("ecr").create_repository(repositoryName="kept")
    digest = own_cloud.push("kept", "v1")
    own_cloud.kill()
    own_cloud.start()
    assert own_cloud.http("HEAD", "/v2/kept/manifests/v1")[1]["docker-content-digest"] == digest
    assert wait_for(lambda: own_cloud.client("ecr").describe_images(repositoryName="kept")["imageDetails"])


@pytest.mark.parametrize(
    "path",
    [
        "/v2/",
        "/v2",
        "/v2/a/b/manifests/v1",
        "/v2/a/blobs/sha256:" + "a" * 64,
        "/v2/a/blobs/uploads/",
        "/v2/a/tags/list",
    ],
)
def test_registry_paths_are_known(path: str) -> None:
    assert is_registry_path(path)


@pytest.mark.parametrize("path", ["/v2/apis", "/v2/apis/x/routes", "/v2/email/identities", "/v2/tags/arn", "/v20/x"])
def test_paths_of_other_services_are_not_the_registrys(path: str) -> None:
    assert not is_registry_path(path)

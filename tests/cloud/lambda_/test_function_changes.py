"""Functions and the images they are made from: what a deployment fixes, and what follows a change."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.world.fake_cloud import ROLE, FakeCloud, image_uri


def test_a_changed_function_is_used_at_once_and_its_containers_retire(cloud: FakeCloud) -> None:
    functions = cloud.client("lambda")
    digest = cloud.function("changes", {"ANSWER": "1"})
    assert cloud.notes()[-1] == {"expect": digest, "architecture": "x86_64"}
    assert _invoke(cloud, "changes", b"{}")["Payload"].read() == b"1"
    functions.update_function_configuration(FunctionName="changes", Environment={"Variables": {"ANSWER": "2"}})
    assert _invoke(cloud, "changes", b"{}")["Payload"].read() == b"2"
    digest = cloud.push("changes", layer=b"new code")
    functions.update_function_code(FunctionName="changes", ImageUri=image_uri("changes", digest))
    assert cloud.notes()[-1] == {"expect": digest, "architecture": "x86_64"}
    _invoke(cloud, "changes", b"{}")
    assert cloud.calls("changes")[-1]["image"] == digest
    functions.delete_function(FunctionName="changes")
    assert sum(note == {"retire": "changes"} for note in cloud.notes()) == 3
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        _invoke(cloud, "changes", b"{}")


def test_a_tag_is_pinned_when_it_is_deployed(cloud: FakeCloud) -> None:
    functions = cloud.client("lambda")
    cloud.client("ecr").create_repository(repositoryName="tagged")
    first = cloud.push("tagged", "v1", b"first")
    uri = image_uri("tagged", "v1")
    functions.create_function(FunctionName="tagged", Role=ROLE, PackageType="Image", Code={"ImageUri": uri})
    second = cloud.push("tagged", "v1", b"second")
    _invoke(cloud, "tagged", b"{}")
    shown = functions.get_function(FunctionName="tagged")
    assert shown["Code"]["ImageUri"] == uri
    assert shown["Code"]["ResolvedImageUri"] == image_uri("tagged", first)
    assert shown["Configuration"]["CodeSha256"] == first.removeprefix("sha256:")
    assert functions.list_functions()["Functions"][-1]["CodeSha256"]
    functions.update_function_code(FunctionName="tagged", ImageUri=uri)
    _invoke(cloud, "tagged", b"{}")
    assert [call["image"] for call in cloud.calls("tagged")] == [first, second]


@pytest.mark.parametrize(
    ("uri", "words"),
    [(image_uri("none", "v1"), "does not exist"), ("docker.io/library/debian:12", "is not valid")],
)
def test_an_image_that_is_not_in_the_store_cannot_be_deployed(cloud: FakeCloud, uri: str, words: str) -> None:
    cloud.function("stays" + words[:2].strip())
    functions = cloud.client("lambda")
    with pytest.raises(ClientError, match=f"Source image {uri} {words}") as caught:
        functions.create_function(FunctionName="none", Role=ROLE, PackageType="Image", Code={"ImageUri": uri})
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"
    with pytest.raises(ClientError, match=f"Source image {uri} {words}"):
        functions.update_function_code(FunctionName="stays" + words[:2].strip(), ImageUri=uri)


def _invoke(cloud: FakeCloud, name: str, payload: bytes) -> Any:
    return cloud.client("lambda").invoke(FunctionName=name, Payload=payload)

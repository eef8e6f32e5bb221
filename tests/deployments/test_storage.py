"""Which storage a location means, and whose buckets are in use."""

from pathlib import Path
from typing import Any

import pytest

from scar_foundation.errors import InputError
from scar_pulumi.client.objects import Location
from scar_pulumi.deployments import Deployments
from tests.world.deployed import write_state


class Clients:
    """Returns what it is asked for instead of clients."""

    def client(self, service: str, region: str | None = None) -> Any:
        return service

    def storage(self, settings: Any) -> Any:
        return settings["endpoint"]


def cluster(name: str, *buckets: str) -> dict[str, Any]:
    inputs = [{"provider": f"minio.{name}", "path": f"{bucket}/in"} for bucket in buckets]
    storage = {f"minio.{name}": minio(name)}
    services = {"s": {"inputs": inputs, "token": "t"}}
    return {"endpoint": f"https://{name}", "password": "p", "storage": storage, "services": services}


def minio(name: str) -> dict[str, str]:
    return {"endpoint": f"https://minio.{name}", "access_key": "a", "secret_key": "s"}


@pytest.fixture
def deployments(directories: Path, monkeypatch: pytest.MonkeyPatch) -> Deployments:
    clusters = {"one": cluster("one", "letters"), "two": cluster("two")}
    buckets = [{"name": "pictures", "managed": True}]
    write_state(directories / "state", "video", {"functions": {}, "buckets": buckets, "oscar": clusters})
    monkeypatch.setattr(Deployments, "clients", Clients())
    return Deployments.find()


@pytest.mark.parametrize(
    ("place", "client"),
    [
        ("pictures/in", "s3"),
        ("s3.other/pictures", "s3"),
        ("minio.one/letters", "https://minio.one"),
        ("minio.two/letters", "https://minio.two"),
    ],
)
def test_a_location_names_its_storage(deployments: Deployments, place: str, client: str) -> None:
    assert deployments.storage(Location.parse(place)) == client


def test_storage_without_an_s3_interface_is_refused(deployments: Deployments) -> None:
    with pytest.raises(InputError, match="storage of type onedata has no S3 interface"):
        deployments.storage(Location.parse("onedata.here/space"))


def test_a_bucket_is_in_use_in_its_own_storage_only(deployments: Deployments) -> None:
    def user(place: str) -> str | None:
        stack = deployments.stack_using(Location.parse(place))
        return stack.project if stack else None

    assert user("pictures") == "video"
    assert user("minio.one/letters") == "video"
    assert (user("letters"), user("minio.one/pictures")) == (None, None)

"""Components as programs of other languages declare them: the engine has the plugin construct them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pytest

from scar_pulumi.cloud import LocalCloud
from tests.world.aws_plugin import Bench, client
from tests.world.plugins import SDK_LEFTOVERS, changes

pytestmark = SDK_LEFTOVERS
COUNT = 40  # more than the engine works on at once, and than a plugin of ours answers by default


class Declared(pulumi.ComponentResource):
    """What an SDK that was made from the schema sends to the engine."""

    managed: pulumi.Output[bool]

    def __init__(self, name: str, bucket: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("scar:index:StorageBucket", name, {"bucket": bucket, "managed": None}, opts, remote=True)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    cloud = LocalCloud(tmp_path_factory.mktemp("cloud"))
    cloud.start()
    yield cloud.environment()["AWS_ENDPOINT_URL"]
    cloud.stop()


def test_many_at_once_are_the_resources_that_python_programs_have(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The engine has no use for the Python that it finds first.
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "wrong" / "python3").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'wrong'}{os.pathsep}{os.environ['PATH']}")

    def foreign() -> None:
        eu = aws.Provider("eu", region="eu-central-1", access_key="AKIA", secret_key="hidden")
        for number in range(COUNT):
            Declared(f"b{number}", f"foreign-{number}")
        far = Declared("far", "foreign-far", pulumi.ResourceOptions(providers=[eu]))
        pulumi.export("managed", far.managed)

    def python() -> None:
        from scar_components import StorageBucket

        eu = aws.Provider("eu", region="eu-central-1", access_key="AKIA", secret_key="hidden")
        for number in range(COUNT):
            StorageBucket(f"b{number}", {"bucket": f"foreign-{number}"})
        far = StorageBucket("far", {"bucket": "foreign-far"}, pulumi.ResourceOptions(provider=eu))
        pulumi.export("managed", far.managed)

    bench = Bench(tmp_path, endpoint)
    made = bench.stack(foreign).up()
    assert changes(made) == {"create": COUNT + 3}
    assert made.outputs["managed"].value is True
    s3 = client(endpoint, "s3")
    assert s3.get_bucket_location(Bucket="foreign-far")["LocationConstraint"] == "eu-central-1"
    assert changes(bench.stack(foreign).up()) == {}
    assert changes(bench.stack(python).up()) == {}
    bench.stack(python).destroy()

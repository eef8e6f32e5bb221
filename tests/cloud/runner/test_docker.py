"""The Docker executor against a client that records what it is asked for; Docker itself is not at hand in tests."""

import asyncio
import io
import json
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest
from docker.errors import DockerException, ImageNotFound

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud.runner.executors import Sandbox
from scar_pulumi.cloud.runner.executors.docker import Docker, container_options, write_archive
from scar_pulumi.cloud.runner.image import StoredImage, read_image
from scar_pulumi.cloud.runner.runner import choose_executor
from tests.cloud.runner import images


class FakeContainer:
    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.ended = threading.Event()
        self.code = 0
        self.removed = False

    def attach(self, **_: Any) -> Any:
        yield b"printed\n"
        self.ended.wait(10)

    def start(self) -> None:
        """Run until it is killed."""

    def wait(self) -> dict[str, int]:
        self.ended.wait(10)
        return {"StatusCode": self.code}

    def kill(self) -> None:
        self.code = 137
        self.ended.set()

    def stats(self, **_: Any) -> Any:
        return iter([{"memory_stats": {"usage": 30 * 2**20}}, {"memory_stats": {}}])

    def remove(self, force: bool) -> None:
        self.removed = force


class FakeDocker:
    """Both collections of the client in one."""

    def __init__(self) -> None:
        self.containers = self.images = self
        self.created: list[FakeContainer] = []
        self.left: list[FakeContainer] = []
        self.filters: Any = None
        self.loaded: list[bytes] = []
        self.closed = False

    def version(self) -> dict[str, str]:
        return {"Version": "1.2.3"}

    def list(self, **wanted: Any) -> list[FakeContainer]:
        self.filters = wanted
        return self.left

    def create(self, image: str, **options: Any) -> FakeContainer:
        self.created.append(FakeContainer({"image": image, **options}))
        return self.created[-1]

    def get(self, tag: str) -> None:
        if not self.loaded:
            raise ImageNotFound(tag)

    def load(self, archive: Any) -> None:
        self.loaded.append(archive.read())

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    client = FakeDocker()
    monkeypatch.setattr("docker.from_env", lambda: client)
    return client


@pytest.fixture
def small(store: images.Store) -> StoredImage:
    return read_image(store, store.add([images.layer([images.Entry("a", b"x")])], Cmd=["x"]))


def _sandbox(image: StoredImage) -> Sandbox:
    return Sandbox("ab" * 16, "thumbs", image, ("/run", "it"), "/work", 256, 512, {"TOKEN": "s"})


def test_a_container_is_given_what_lambda_gives(small: StoredImage) -> None:
    options = container_options(_sandbox(small))
    limits = {limit["Name"]: limit["Hard"] for limit in options.pop("ulimits")}
    assert limits == {"nofile": 1024, "core": 0}
    assert options == {
        "name": "scar-thumbs-abababababab",
        "entrypoint": ["/run", "it"],
        "working_dir": "/work",
        "environment": {"TOKEN": "s"},
        "user": "993:990",
        "network_mode": "host",
        "read_only": True,
        "tmpfs": {"/tmp": "size=512m,mode=0700,uid=993,gid=990,exec"},
        "mem_limit": "768m",
        "memswap_limit": "768m",
        "pids_limit": 1024,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "init": True,
        "auto_remove": True,
    }


def test_an_image_is_loaded_once_as_docker_saves_it(
    fake: FakeDocker, small: StoredImage, store: images.Store, tmp_path: Path
) -> None:
    async def scenario() -> None:
        executor = Docker(tmp_path, store)
        await executor.start()
        await executor.prepare(small)
        await executor.prepare(small)
        await executor.close()

    asyncio.run(scenario())
    (content,) = fake.loaded
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        member = archive.extractfile("manifest.json")
        assert member is not None
        (manifest,) = json.load(member)
        assert set(archive.getnames()) == {"manifest.json", manifest["Config"], *manifest["Layers"]}
    assert manifest["RepoTags"] == [f"scar-pulumi-local:{small.digest.removeprefix('sha256:')}"]
    assert fake.closed


def test_a_layer_that_occurs_twice_is_written_once(small: StoredImage, store: images.Store) -> None:
    double = StoredImage(small.digest, small.config_path, small.layers * 2)
    buffer = io.BytesIO()
    write_archive(double, "x:y", buffer)
    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as archive:
        assert len(archive.getnames()) == 3


def test_output_memory_and_end_of_a_container_are_followed(
    fake: FakeDocker, small: StoredImage, store: images.Store, tmp_path: Path
) -> None:
    async def scenario() -> None:
        import os

        executor = Docker(tmp_path, store)
        await executor.start()
        process = await executor.launch(_sandbox(small))
        seen = b""
        while b"printed" not in seen:
            try:
                seen += os.read(process.output, 100)
            except BlockingIOError:
                await asyncio.sleep(0.01)
        while not process.memory():
            await asyncio.sleep(0.01)
        assert process.memory() == 30
        await process.kill()
        assert await process.exited == 137
        assert not process.out_of_memory()
        os.close(process.output)

    asyncio.run(scenario())


def test_containers_of_a_killed_predecessor_are_swept_and_no_others(
    fake: FakeDocker, store: images.Store, tmp_path: Path
) -> None:
    fake.left = [FakeContainer({})]
    asyncio.run(Docker(tmp_path, store).start())
    assert fake.left[0].removed
    (label,) = fake.filters["filters"].values()
    other = Docker(tmp_path / "other", store)
    asyncio.run(other.start())
    assert fake.filters["filters"]["label"] != label


def test_docker_is_taken_where_bubblewrap_cannot_work(
    fake: FakeDocker, store: images.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scar_pulumi.cloud.runner.executors.bubblewrap_process._candidates", lambda: iter(()))
    chosen = asyncio.run(choose_executor("auto", tmp_path, store))
    assert chosen.name == "docker"
    assert chosen.describe()["program"] == "Docker 1.2.3"


def test_with_neither_the_reasons_and_the_way_out_are_told(
    store: images.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise DockerException("no socket")

    monkeypatch.setattr("docker.from_env", refuse)
    monkeypatch.setattr("scar_pulumi.cloud.runner.executors.bubblewrap_process._candidates", lambda: iter(()))
    with pytest.raises(LocalCloudError, match=r"there is no bwrap.*no socket.*install Docker"):
        asyncio.run(choose_executor("auto", tmp_path, store))
    with pytest.raises(LocalCloudError, match="there is no executor 'podman'"):
        asyncio.run(choose_executor("podman", tmp_path, store))

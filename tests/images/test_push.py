"""Pushing to a real registry: nothing is sent twice, and what breaks off is sent again."""

import json
import os
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from scar_components.images import FileRange, ImageError, ImagePlan, is_pushed, plan_image, push
from tests.images import images
from tests.images.servers import Registry


@pytest.fixture
def repository(registry: Registry, tmp_path: Path) -> str:
    return registry.create(f"first-{tmp_path.name[-60:].lower().strip('_')}")


@pytest.fixture
def other_repository(registry: Registry, tmp_path: Path) -> str:
    return registry.create(f"other-{tmp_path.name[-60:].lower().strip('_')}")


def pulled(repository: str, digest: str) -> dict[str, bytes]:
    """Manifest and blobs of an image, checked against their digests."""
    host, _, name = repository.partition("/")

    def get(kind: str, reference: str) -> bytes:
        with urllib.request.urlopen(f"http://{host}/v2/{name}/{kind}/{reference}") as response:
            data: bytes = response.read()
        assert images.digest(data) == reference
        return data

    manifest = get("manifests", digest)
    document = json.loads(manifest)
    blobs = [part["digest"] for part in (document["config"], *document["layers"])]
    return {digest: manifest} | {blob: get("blobs", blob) for blob in blobs}


def test_what_is_pushed_can_be_pulled_and_is_not_sent_again(
    registry: Registry, repository: str, plan: ImagePlan
) -> None:
    registry.requests()
    assert not is_pushed(repository, plan.digest)
    first = push(plan, repository)
    sent = registry.bytes_received()
    second = push(plan, repository)

    assert is_pushed(repository, plan.digest)
    assert sent == first.bytes_sent == len(plan.config) + sum(layer.size for layer in plan.layers)
    assert registry.bytes_received() == second.bytes_sent == 0
    contents = pulled(repository, plan.digest)
    assert contents[plan.digest] == plan.manifest
    assert images.digest(plan.config) in contents


def test_a_new_script_sends_one_small_layer(
    registry: Registry, repository: str, plan: ImagePlan, tmp_path: Path, bundler: Path
) -> None:
    push(plan, repository)
    registry.requests()
    script = tmp_path / "script"
    script.write_text("echo")
    changed = plan_image(image_file=str(tmp_path / "base.tar"), script=str(script), bundle=bundler)
    report = push(changed, repository)

    assert set(report.uploaded) == {images.digest(changed.config), changed.layers[-1].digest}
    assert registry.bytes_received() == len(changed.config) + changed.layers[-1].size


def test_another_repository_of_the_registry_gets_the_layers_without_their_bytes(
    registry: Registry, repository: str, other_repository: str, plan: ImagePlan
) -> None:
    push(plan, repository)
    registry.requests()
    report = push(plan, other_repository)

    assert set(report.mounted) == {layer.digest for layer in plan.layers}
    assert report.uploaded == (images.digest(plan.config),)
    assert registry.bytes_received() == len(plan.config)
    assert len(pulled(other_repository, plan.digest)) == 6


def test_functions_pushed_at_once_send_their_base_once(
    registry: Registry, tmp_path: Path, bundler: Path, plan: ImagePlan
) -> None:
    repositories = [registry.create(f"many-{number}-{tmp_path.name[-40:].strip('_').lower()}") for number in range(8)]
    registry.requests()
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda repository: push(plan, repository), repositories))

    uploads = [digest for report in reports for digest in report.uploaded]
    assert all(uploads.count(layer.digest) == 1 for layer in plan.layers)
    assert all(is_pushed(repository, plan.digest) for repository in repositories)


def test_a_note_of_a_vanished_repository_does_no_harm(
    registry: Registry, repository: str, plan: ImagePlan, cache: Path
) -> None:
    push(plan, repository)
    for note in (cache / "holders").iterdir():
        note.write_text("gone")
    fresh = registry.create(f"fresh-{Path(repository).name}")

    report = push(plan, fresh)
    assert len(report.uploaded) == 5
    assert len(pulled(fresh, plan.digest)) == 6


class Cutter:
    """A way to the registry that is cut some bytes into the first big request, and then again, `cuts` times."""

    def __init__(self, target: int, after: int, cuts: int) -> None:
        self._target, self._after, self.cuts_left = target, after, cuts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets = [self._listener]
        self._threads: list[threading.Thread] = []
        self._run(self._accept)

    def _run(self, target: Callable[..., None], *arguments: Any) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._sockets += [client, server]
            self._run(self._carry, client, server, True)
            self._run(self._carry, server, client, False)

    def _carry(self, source: socket.socket, sink: socket.socket, limited: bool) -> None:
        carried = 0
        with suppress(OSError):
            while data := source.recv(65536):
                carried += len(data)
                if limited and carried > self._after and self.cuts_left:
                    self.cuts_left -= 1
                    break
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut everything; all threads end."""
        for end in self._sockets:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for end in self._sockets:
            end.close()


@pytest.fixture
def incompressible(tmp_path: Path, bundler: Path) -> ImagePlan:
    data = os.urandom(3 << 20)
    archive = images.docker_old(tmp_path / "random.tar", [images.tar({"data": data})])
    return plan_image(image_file=str(archive), bundle=bundler)


@pytest.fixture
def cutter(registry: Registry) -> Iterator[Cutter]:
    cutter = Cutter(registry.port, after=1 << 20, cuts=2)
    yield cutter
    cutter.close()


def test_an_upload_that_breaks_off_is_done_again(
    registry: Registry, repository: str, incompressible: ImagePlan, cutter: Cutter
) -> None:
    push(incompressible, repository.replace(str(registry.port), str(cutter.port)))

    assert cutter.cuts_left == 0
    assert len(pulled(repository, incompressible.digest)) == 5


def test_a_registry_that_always_breaks_off_ends_in_one_sentence(
    registry: Registry, repository: str, incompressible: ImagePlan, cutter: Cutter
) -> None:
    cutter.cuts_left = 1000
    with pytest.raises(ImageError, match=r"127\.0\.0\.1:\d+: cannot be reached \(.+\); check the network$"):
        push(incompressible, repository.replace(str(registry.port), str(cutter.port)))
    assert not is_pushed(repository, incompressible.digest)


def test_a_missing_repository_is_named(registry: Registry, plan: ImagePlan) -> None:
    with pytest.raises(ImageError, match=r": has no repository absent \(.+\); check the name, and that it exists"):
        push(plan, f"127.0.0.1:{registry.port}/absent")
    assert not is_pushed(f"127.0.0.1:{registry.port}/absent", plan.digest)


def test_a_base_copied_from_a_registry_is_streamed_from_there(
    registry: Registry, repository: str, plan: ImagePlan, bundler: Path
) -> None:
    """The base is in one registry and the function's repository in another: here the same one under two names."""
    base = json.loads(plan.manifest)
    base_plan = ImagePlan(
        json.dumps({**base, "layers": base["layers"][:2], "config": images.described(_plain(plan))}).encode(),
        _plain(plan),
        plan.layers[:2],
    )
    push(base_plan, repository)
    host, _, name = repository.partition("/")
    copied = plan_image(image=f"{host}/{name}@{base_plan.digest}", bundle=bundler)
    target = registry.create(f"copy-{name}")
    report = push(copied, target.replace("127.0.0.1", "localhost"))

    assert {layer.digest for layer in base_plan.layers} <= set(report.uploaded)
    assert len(pulled(target, copied.digest)) == 6
    # In the same registry the base's layers are mounted.
    mounted = push(copied, registry.create(f"mount-{name}"))
    assert {layer.digest for layer in base_plan.layers} <= set(mounted.mounted)


def _plain(plan: ImagePlan) -> bytes:
    config = json.loads(plan.config)
    config["config"] = {"Entrypoint": ["/bin/tool"]}
    config["rootfs"]["diff_ids"] = config["rootfs"]["diff_ids"][:2]
    return json.dumps(config).encode()


def test_ecr_is_found_through_its_authorization(
    registry: Registry, plan: ImagePlan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = registry.create(f"ecr-{tmp_path.name[-40:].strip('_').lower()}").partition("/")[2]
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", registry.endpoint)
    url = f"000000000000.dkr.ecr.us-east-1.amazonaws.com/{name}"
    push(plan, url)

    assert is_pushed(url, plan.digest)
    assert len(pulled(f"127.0.0.1:{registry.port}/{name}", plan.digest)) == 6


def test_layers_of_a_lost_cache_are_a_clear_error(registry: Registry, repository: str, plan: ImagePlan) -> None:
    assert isinstance(plan.layers[0].source, FileRange)
    plan.layers[0].source.path.unlink()

    with pytest.raises(ImageError, match=r"cannot be read .*; put the file back and run again"):
        push(plan, repository)

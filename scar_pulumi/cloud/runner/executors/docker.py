"""Containers through Docker's interface: Docker itself, or Podman's socket (DOCKER_HOST).

It is the second choice: /tmp is in memory, and containers of a killed local cloud live until its next start.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from scar_foundation.limits import MIB
from scar_pulumi.cloud.runner.configuration import Images
from scar_pulumi.cloud.runner.executors import GROUP, USER, ExecutorUnavailable, LaunchError, Sandbox
from scar_pulumi.cloud.runner.image import StoredImage

_REPOSITORY = "scar-pulumi-local"
_LABEL = "scar-pulumi.runner"
_KILLED = 137


class Docker:
    """Runs containers with Docker."""

    name = "docker"

    def __init__(self, directory: Path, images: Images) -> None:
        self._directory = directory
        self._images = images
        # Marks the containers of this directory, so that those of other local clouds are left alone.
        self._owner = hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:16]
        self._client: docker.DockerClient | None = None
        self._version = ""

    async def start(self) -> None:
        """Connect to Docker and remove what a killed runner left. Raises ExecutorUnavailable."""
        try:
            await asyncio.to_thread(self._connect)
        except (DockerException, requests.RequestException, OSError) as error:
            raise ExecutorUnavailable(f"docker: it does not answer ({error})") from error

    def _connect(self) -> None:
        self._client = docker.from_env()
        self._version = str(self._client.version().get("Version", ""))
        for container in self._docker.containers.list(all=True, filters={"label": f"{_LABEL}={self._owner}"}):
            with contextlib.suppress(APIError):
                container.remove(force=True)

    @property
    def _docker(self) -> docker.DockerClient:
        assert self._client is not None
        return self._client

    async def prepare(self, image: StoredImage) -> None:
        """Load an image that Docker does not have yet."""
        try:
            await asyncio.to_thread(self._load, image)
        except DockerException as error:
            raise LaunchError(f"image {image.digest}: Docker cannot load it: {error}") from error

    def _load(self, image: StoredImage) -> None:
        try:
            self._docker.images.get(_tag(image))
        except ImageNotFound:
            with tempfile.TemporaryFile(dir=self._directory) as archive:
                write_archive(image, _tag(image), archive)
                archive.seek(0)
                self._docker.images.load(archive)

    async def launch(self, sandbox: Sandbox) -> "DockerProcess":
        """Start a container."""
        try:
            container = await asyncio.to_thread(self._create, sandbox)
            process = DockerProcess(container)
            await process.start()
        except DockerException as error:
            raise LaunchError(f"{sandbox.function}: Docker cannot start the container: {error}") from error
        return process

    def _create(self, sandbox: Sandbox) -> Any:
        return self._docker.containers.create(
            _tag(sandbox.image),
            command=[],
            labels={_LABEL: self._owner, "scar-pulumi.function": sandbox.function},
            **container_options(sandbox),
        )

    async def collect(self, in_use: Iterable[str]) -> None:
        """Remove loaded images that are no longer in the store."""
        await asyncio.to_thread(self._collect, set(in_use))

    def _collect(self, in_use: set[str]) -> None:
        with contextlib.suppress(DockerException, requests.RequestException):
            for found in self._docker.images.list(_REPOSITORY):
                for tag in found.tags:
                    digest = "sha256:" + tag.rpartition(":")[2]
                    if digest not in in_use and not self._exists(digest):
                        self._docker.images.remove(tag)

    def _exists(self, digest: str) -> bool:
        try:
            self._images.manifest(digest)
        except KeyError:
            return False
        return True

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await asyncio.to_thread(self._client.close)

    def describe(self) -> dict[str, object]:
        """Return what is used."""
        return {
            "program": f"Docker {self._version}",
            "root_filesystem": "Docker's",
            "temporary_storage": "memory",
            "user": f"{USER}:{GROUP}",
            "memory_limit": "Docker's",
            "process_limit": "Docker's",
        }


def container_options(sandbox: Sandbox) -> dict[str, Any]:
    """Return the options of a container that is confined as on Lambda, or as a job is."""
    confinement = sandbox.confinement
    return {
        "name": f"scar-{sandbox.function[:40]}-{sandbox.name[:12]}",
        "entrypoint": list(sandbox.command),
        "working_dir": sandbox.working_directory,
        "environment": dict(sandbox.environment),
        "user": f"{confinement.user}:{confinement.group}",
        "network_mode": "host",  # the local cloud listens on loopback
        "pids_limit": confinement.processes,
        "ulimits": [_limit("nofile", confinement.open_files), _limit("core", 0)],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "init": True,
        "auto_remove": True,
        **(_job_options(sandbox) if confinement.writable else _confined_options(sandbox)),
        **_memory(sandbox.memory + (0 if confinement.writable else sandbox.ephemeral_storage)),
    }


def _memory(megabytes: int) -> dict[str, str]:
    return {"mem_limit": f"{megabytes}m", "memswap_limit": f"{megabytes}m"}


def _confined_options(sandbox: Sandbox) -> dict[str, Any]:
    """Return the options of a container that may only write to /tmp, which is in memory."""
    owner = f"uid={sandbox.confinement.user},gid={sandbox.confinement.group}"
    options = f"size={sandbox.ephemeral_storage}m,mode=0700,{owner},exec"
    return {"read_only": True, "tmpfs": {"/tmp": options}, **_shared(sandbox)}  # noqa: S108


def _job_options(sandbox: Sandbox) -> dict[str, Any]:
    capabilities = [name.removeprefix("CAP_") for name in sandbox.confinement.capabilities]
    return {"read_only": False, "cap_add": capabilities, **_shared(sandbox)}


def _shared(sandbox: Sandbox) -> dict[str, Any]:
    """Return the options for what the container shares with this machine: memory, directories, GPUs."""
    memory = sandbox.confinement.shared_memory
    options: dict[str, Any] = {}
    if memory:
        options["shm_size"] = f"{memory}m"
    if sandbox.volumes:
        modes = {True: "ro", False: "rw"}
        options["volumes"] = {
            str(volume.source): {"bind": volume.target, "mode": modes[volume.read_only]} for volume in sandbox.volumes
        }
    if sandbox.gpus:
        numbers = [str(number) for number in sandbox.gpus]
        options["device_requests"] = [
            docker.types.DeviceRequest(driver="nvidia", device_ids=numbers, capabilities=[["gpu"]])
        ]
    return options


def _limit(name: str, value: int) -> docker.types.Ulimit:
    return docker.types.Ulimit(name=name, soft=value, hard=value)


def write_archive(image: StoredImage, tag: str, target: Any) -> None:
    """Write an image as `docker save` does. Docker loads compressed layers, too."""
    with tarfile.open(fileobj=target, mode="w") as archive:
        names = [f"{layer.digest.partition(':')[2]}.tar" for layer in image.layers]
        for name, layer in dict(zip(names, image.layers, strict=True)).items():
            archive.add(layer.path, name, filter=_plain)
        archive.add(image.config_path, "config.json", filter=_plain)
        content = json.dumps([{"Config": "config.json", "RepoTags": [tag], "Layers": names}]).encode()
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(content)
        archive.addfile(entry, BytesIO(content))


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mode, entry.uid, entry.gid, entry.uname, entry.gname = 0o644, 0, 0, "", ""
    return entry


def _tag(image: StoredImage) -> str:
    return f"{_REPOSITORY}:{image.digest.partition(':')[2]}"


class DockerProcess:
    """A container under Docker. Threads follow its output, its end and its memory, as the SDK blocks."""

    def __init__(self, container: Any) -> None:
        self._container = container
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = self._loop.create_future()
        self._peak = 0
        self._was_killed = False
        self.output, self._input = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.output, False)

    async def start(self) -> None:
        """Start the container and follow its output from the first byte. Raises DockerException."""
        stream = await asyncio.to_thread(self._container.attach, stdout=True, stderr=True, stream=True, logs=True)
        try:
            await asyncio.to_thread(self._container.start)
        except DockerException:
            os.close(self.output)
            os.close(self._input)
            raise
        for target, arguments in ((self._copy, (stream,)), (self._wait, ()), (self._watch, ())):
            threading.Thread(target=target, args=arguments, daemon=True).start()

    def memory(self) -> int:
        """Return the most megabytes that Docker has reported."""
        return self._peak

    def out_of_memory(self) -> bool:
        """Return whether it was killed other than by `kill`: Docker does not tell why a removed container died."""
        return not self._was_killed and self.exited.done() and self.exited.result() == _KILLED

    def terminate(self) -> bool:
        """Send SIGTERM, without waiting for Docker."""
        if not self.exited.done():
            self._was_killed = True
            threading.Thread(target=self._send, args=("SIGTERM",), daemon=True).start()
        return True

    async def kill(self) -> None:
        """Kill the container and wait until it is gone."""
        if not self.exited.done():
            self._was_killed = True
            with contextlib.suppress(APIError, NotFound):
                await asyncio.to_thread(self._container.kill)
        await asyncio.shield(self.exited)

    def _send(self, signal: str) -> None:
        with contextlib.suppress(DockerException, requests.RequestException):
            self._container.kill(signal=signal)

    def _copy(self, stream: Any) -> None:
        try:
            for part in stream:
                os.write(self._input, part)
        except (OSError, DockerException, requests.RequestException):
            pass  # the container or its reader is gone
        finally:
            os.close(self._input)

    def _wait(self) -> None:
        try:
            code = int(self._container.wait()["StatusCode"])
        except (DockerException, requests.RequestException):
            code = 255  # removed before it could be asked
        self._tell(self.exited.set_result, code)

    def _watch(self) -> None:
        with contextlib.suppress(DockerException, requests.RequestException):
            for report in self._container.stats(stream=True, decode=True):
                used = int(report.get("memory_stats", {}).get("usage", 0))
                self._peak = max(self._peak, -(-used // MIB))

    def _tell(self, call: Callable[..., object], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            self._loop.call_soon_threadsafe(call, *arguments)

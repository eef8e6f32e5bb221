"""One event of a service in its container: the files, variables and log that OSCAR gives it.

https://docs.oscar.grycap.net/invoking-async/
"""

import contextlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scar_pulumi.cloud.oscar.refusals import megabytes
from scar_pulumi.cloud.oscar.specification import place
from scar_pulumi.cloud.oscar.store import Services, StoredService
from scar_pulumi.cloud.runner import ContainerExit, ContainerRun, Runner, Volume

CONFIG = "/oscar/config"
PROVIDERS = "/run/secrets/providers"
"""What /var/run/secrets/providers leads to."""
ANSWER = "/oscar/answer"
_LONGEST_VARIABLE = 96 * 1024
"""Bytes; one string of an environment cannot be longer than 128 KiB: MAX_ARG_STRLEN, execve(2)."""
_NOT_CONFIGURATION = ("script", "environment", "token", "image_file")
_STORAGE = 10 * 1024
"""Megabytes that a container may write; what it does not write takes no room."""


class JobLogs:
    """A log sink of the runner, for which a log stream is the path of a file."""

    def put(self, _log_group: str, log_stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Write (milliseconds since the epoch, message) pairs; the log of a removed job is dropped."""
        lines = "".join(f"{moment(time / 1000)} {_whole(message)}" for time, message in events)
        with contextlib.suppress(OSError), Path(log_stream).open("a", encoding="utf-8") as file:
            file.write(lines)


def read_log(path: Path, *, timestamps: bool = False) -> str:
    """Return what a job has printed so far. Raises FileNotFoundError."""
    text = path.read_text(encoding="utf-8")
    if timestamps:
        return text
    return "".join(line.partition(" ")[2] for line in text.splitlines(keepends=True))


def moment(seconds: float) -> str:
    """Return a time as RFC 3339 writes it, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _whole(message: str) -> str:
    line = message.removesuffix("\n").replace("\n", " ").replace("\r", " ")
    return f"{line}\n"


def configuration_files(definition: Mapping[str, Any], event: bytes) -> dict[str, bytes]:
    """Return the files below /oscar/config, this job's event among them."""
    kept = {key: value for key, value in definition.items() if key not in _NOT_CONFIGURATION}
    named = {key: [_named(entry) for entry in definition[key]] for key in ("input", "output")}
    # JSON is YAML, and needs no reader of its own.
    files = {"function_config.yaml": json.dumps({**kept, **named}, indent=1).encode(), "event": event}
    script = definition.get("script")
    return {**files, "script.sh": str(script).encode()} if script else files


def _named(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a place with its provider's whole name."""
    found = place(entry)
    filters = {key: entry.get(key) or [] for key in ("prefix", "suffix")}
    return {**entry, **filters, "storage_provider": f"{found.kind}.{found.identifier}"}


def with_storage(definition: Mapping[str, Any], storage: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition with the settings of its cluster's own MinIO."""
    providers = definition["storage_providers"]
    minio = {**providers.get("minio", {}), "default": dict(storage)}
    return {**definition, "storage_providers": {**providers, "minio": minio}}


def provider_files(storage: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of the secret `minio.default`, of the settings of the cluster's own MinIO."""
    keys = {"accessKey": storage["access_key"], "secretKey": storage["secret_key"], "oidc_uid": "minio"}
    return {f"minio.default/{name}": str(value).encode() for name, value in keys.items()}


def variables(
    definition: Mapping[str, Any], secrets: Mapping[str, str], job: str, event: bytes, endpoint: str
) -> dict[str, str]:
    """Return the container's environment variables; `endpoint` is the local cloud's, for AWS clients."""
    text = event.decode("utf-8", "replace")
    small = len(event) <= _LONGEST_VARIABLE and "\0" not in text
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        **definition["environment"]["variables"],
        **secrets,
        **({"EVENT": text} if small else {}),
        "JOB_UUID": job,
        "RESOURCE_ID": f"oscar-{definition['name']}",
        "SCAR_EVENT_FILE": f"{CONFIG}/event",
        "SCAR_ANSWER_FILE": f"{ANSWER}/answer",
    }


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files that any user of the container can read; the folder's parents are closed to others."""
    folder.mkdir(mode=0o755)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(mode=0o755, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)


@dataclass(frozen=True)
class Outcome:
    """How a container ended, and what it answered."""

    result: ContainerExit
    answer: bytes


class Containers:
    """Runs services as OSCAR's jobs do; `endpoint` is the local cloud's, `storage` returns a cluster's own settings."""

    def __init__(
        self, runner: Runner, endpoint: str, services: Services, storage: Callable[[str], Mapping[str, Any]]
    ) -> None:
        self._runner = runner
        self._endpoint = endpoint
        self._services = services
        self._storage = storage
        self._logs = JobLogs()

    async def run(
        self, service: StoredService, name: str, event: bytes, *, folder: Path, log: Path, started: Callable[[], None]
    ) -> Outcome:
        """Run an event to its end. `folder` is the container's own and is deleted afterwards.

        Raises LocalCloudError when no container can be started, RunnerStoppedError when the runner stops first.
        """
        try:
            task = self._task(service, name, event, folder, log)
            result = await self._runner.run(task, started, self._logs)
            return Outcome(result, _answer(folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _task(self, service: StoredService, name: str, event: bytes, folder: Path, log: Path) -> ContainerRun:
        shutil.rmtree(folder, ignore_errors=True)  # what a kill has left
        folder.mkdir(mode=0o700, parents=True)
        log.touch(mode=0o600)
        storage = self._storage(service.cluster)
        definition = with_storage(service.definition, storage)
        secrets = self._services.secrets(service.cluster, service.name) or {}
        write_files(folder / "config", configuration_files(definition, event))
        write_files(folder / "providers", provider_files(storage))
        (folder / "answer").mkdir()
        (folder / "answer").chmod(0o777)  # whoever the image's user is; the folder above is closed to others
        return ContainerRun(
            name=service.name,
            image=service.image,
            memory=megabytes(definition["memory"]),
            storage=_STORAGE,
            log_group=f"oscar/{service.cluster}/{service.name}",
            log_stream=str(log),
            volumes=(
                Volume(folder / "config", CONFIG, read_only=True),
                Volume(folder / "providers", PROVIDERS, read_only=True),
                Volume(folder / "answer", ANSWER),
            ),
            environment=variables(definition, secrets, name, event, self._endpoint),
        )


def _answer(folder: Path) -> bytes:
    path = folder / "answer" / "answer"
    return path.read_bytes() if path.is_file() and not path.is_symlink() else b""

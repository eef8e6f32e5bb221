"""What the runner is given and what it returns: plain data, and the two interfaces that it needs from its user."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from scar_foundation.limits import MIB


@dataclass(frozen=True)
class FunctionConfiguration:
    """One deployed configuration of a function. Equal configurations share warm containers.

    `memory` and `ephemeral_storage` are megabytes, `timeout` is seconds, `image` is the digest of a manifest in the
    local image store. `entry_point`, `command` and `working_directory` override the image's own (Lambda's ImageConfig).
    """

    name: str
    arn: str
    version: str
    region: str
    account: str
    image: str
    memory: int
    timeout: int
    ephemeral_storage: int
    environment: Mapping[str, str]
    log_group: str
    architecture: str = "x86_64"
    entry_point: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    working_directory: str | None = None

    def __post_init__(self) -> None:
        """Copy the environment, so that the caller can change its mapping without changing containers."""
        object.__setattr__(self, "environment", dict(self.environment))


@dataclass(frozen=True)
class InvocationResult:
    """The result of one invocation.

    `error` is None or what Lambda returns in X-Amz-Function-Error; `log_tail` is the last 4 KB of the log; times are
    milliseconds, `init_ms` only where this invocation started its container; `max_memory_mb` is megabytes.
    """

    payload: bytes
    error: Literal["Handled", "Unhandled"] | None
    log_tail: bytes
    duration_ms: float
    billed_ms: int
    init_ms: float | None
    max_memory_mb: int


class LogSink(Protocol):
    """Where log lines go. It may block: each stream calls it in order, from a thread for logs."""

    def put(self, log_group: str, log_stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Take a batch of (milliseconds since the epoch, message). Must not raise."""


class Images(Protocol):
    """The local cloud's image store, as the runner reads it."""

    def manifest(self, digest: str) -> bytes:
        """Return the manifest's bytes. Raises KeyError when there is none."""

    def blob_path(self, digest: str) -> Path:
        """Return the file that holds a blob. Raises KeyError when there is none."""


def _tunable(name: str, default: int) -> int:
    text = os.environ.get(f"SCAR_LOCAL_{name}", "")
    return max(1, int(text)) if text.isdecimal() else default


@dataclass(frozen=True)
class Limits:
    """How much runs at once and how long idle containers live. SCAR_LOCAL_<NAME> in the environment sets each limit.

    `background` limits the events from buckets, queues and schedules, over all functions; `synchronous` limits the
    calls whose callers wait. An idle container is removed after `idle_seconds`, when more than `idle_containers` are
    idle, or when all containers together have more memory than `container_memory` megabytes (default: half of the
    machine's).
    """

    background: int = field(default_factory=lambda: _tunable("BACKGROUND", max(4, 2 * (os.cpu_count() or 1))))
    synchronous: int = field(default_factory=lambda: _tunable("SYNCHRONOUS", 64))
    idle_seconds: float = field(default_factory=lambda: _tunable("IDLE_SECONDS", 300))
    idle_containers: int = field(default_factory=lambda: _tunable("IDLE_CONTAINERS", 24))
    container_memory: int = field(default_factory=lambda: _tunable("CONTAINER_MEMORY", _half_of_memory()))


def _half_of_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB // 2


PROGRAM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Names that Lambda reserves: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
_RESERVED_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
}


def container_environment(
    function: FunctionConfiguration,
    image: Iterable[tuple[str, str]],
    endpoint: Mapping[str, str],
    runtime_api: str,
    log_stream: str,
) -> dict[str, str]:
    """Merge variables; the last wins: defaults, image, local cloud, function, what Lambda reserves."""
    merged = {
        "PATH": PROGRAM_PATH,
        **dict(image),
        **endpoint,
        **function.environment,
        **{name: value for name, value in endpoint.items() if name in _RESERVED_CREDENTIALS},
        **_reserved(function, runtime_api, log_stream),
    }
    return {name: value for name, value in merged.items() if _valid(name, value)}


def _reserved(function: FunctionConfiguration, runtime_api: str, log_stream: str) -> dict[str, str]:
    return {
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": "/var/task",
        "TZ": function.environment.get("TZ", ":UTC"),
    }


def _valid(name: str, value: str) -> bool:
    return bool(name) and "=" not in name and "\0" not in name + value

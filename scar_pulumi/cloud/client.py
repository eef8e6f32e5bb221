"""The local cloud seen from outside: start, stop and ask the daemon of one state directory.

Nothing of the daemon is imported here.
"""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scar_foundation.directories import local_cloud_directory
from scar_foundation.errors import LocalCloudError
from scar_foundation.locks import exclusive, try_lock
from scar_pulumi.cloud.layout import Layout, endpoint_environment, shortage
from scar_pulumi.cloud.ministack_environment import install_ministack, with_ministack

COMMAND = (sys.executable, "-P", "-m", "scar_pulumi.cloud.server")
"""The daemon's command line, without the state directory."""

_EXTRA = ("h11", "starlette")
"""Packages from the extra `local` that the daemon cannot do without."""
_STOP_SECONDS = 60.0
_START_SECONDS = 120.0
_DETAILS = ("events", "images", "jobs", "journal_bytes", "oscar", "requests", "runner", "snapshot_seconds")
_LOG_BYTES = 10 * 1024 * 1024
_LOG_LINES = 15
# The daemon, and so the containers, get nothing else of the caller's environment: above all no credentials.
_KEPT = frozenset(
    {
        *("DOCKER_CERT_PATH", "DOCKER_HOST", "DOCKER_TLS_VERIFY", "HOME", "LANG", "LD_LIBRARY_PATH", "LOGNAME", "PATH"),
        *("PYTHONPATH", "SHELL", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV"),
    }
)
_KEPT_PREFIXES = ("LC_", "SCAR_", "XDG_")


@dataclass(frozen=True)
class Status:
    """A running local cloud. `started` is seconds since the epoch; `details` tells of events, images and the runner."""

    pid: int
    port: int
    endpoint: str
    started: float
    version: str
    details: dict[str, Any] = field(default_factory=dict)


class LocalCloud:
    """The local cloud of a state directory, by default the user's.

    Every method works whether or not a daemon runs, and after one was killed.
    """

    def __init__(self, state: Path | None = None) -> None:
        self._layout = Layout((state or local_cloud_directory()).absolute())

    def start(self, progress: Callable[[str], None] = lambda _text: None) -> Status:
        """Start the daemon unless it runs, and return once it answers. Raises LocalCloudError with the cause.

        Two starts at the same time make one daemon. A daemon of another version of this package is replaced.
        """
        if running := self.status():
            from importlib.metadata import version  # noqa: PLC0415 - slow to import

            if running.version == (ours := version("scar-pulumi")):
                return running
            progress(f"restarting the local cloud: version {running.version} is running, this is {ours}")
            self.stop()
        if any(importlib.util.find_spec(name) is None for name in _EXTRA):
            raise LocalCloudError("local cloud: parts of it are not installed; run: pip install 'scar-pulumi[local]'")
        with self._locked():
            if running := self.status():
                return running
            install_ministack(progress)
            progress("starting the local cloud")
            self._wait_for_predecessor()
            _launch(self._layout, lambda: self.status() is not None, progress)
        if running := self.status():
            return running
        raise LocalCloudError(f"local cloud: it ended right after its start; see its log, {self._layout.log}")

    def stop(self) -> None:
        """Stop the daemon, which saves its state first. Do nothing when none runs."""
        if not self._layout.root.is_dir():
            return
        with self._locked():
            pid = self._daemon_pid()
            if pid is None:
                return
            _signal(pid, signal.SIGTERM)
            if not self._wait_until_gone(_STOP_SECONDS):
                # What it had not saved is in its journal.
                _signal(pid, signal.SIGKILL)
                if not self._wait_until_gone(10.0):
                    raise LocalCloudError(
                        f"local cloud: process {pid} does not end; kill it, and see its log, {self._layout.log}"
                    )

    def status(self) -> Status | None:
        """Return what the running daemon says of itself, or None."""
        try:
            known = json.loads(self._layout.daemon.read_bytes())
        except (OSError, ValueError):
            return None
        # Once the daemon is gone its port may belong to another process, even to one that never answers.
        answer = _ask(known["port"], "/_scar/status") if self._daemon_pid() == known["pid"] else None
        if answer is None or answer.get("instance") != known["instance"]:
            return None
        details = {key: answer[key] for key in _DETAILS if key in answer}
        return Status(answer["pid"], answer["port"], answer["endpoint"], answer["started"], answer["version"], details)

    def reset(self) -> None:
        """Stop the daemon and delete everything in the local cloud, without asking. The port is kept."""
        self.stop()
        if not self._layout.root.is_dir():
            return
        with self._locked():
            kept = (self._layout.port, self._layout.start_lock, self._layout.daemon_lock)
            for path in self._layout.root.iterdir():
                if path not in kept:
                    _remove(path)

    def logs(self, follow: bool = False) -> Iterator[str]:
        """Yield the lines of the daemon's own log; with `follow`, wait for more until the caller stops asking."""
        if not self._layout.log.is_file():
            return
        with self._layout.log.open(errors="replace") as file:
            while True:
                if line := file.readline():
                    yield line.rstrip("\n")
                elif not follow:
                    return
                else:
                    time.sleep(0.2)

    def environment(self) -> dict[str, str]:
        """Return the variables that point AWS clients here and away from the user's accounts; unset AWS_PROFILE, too.

        Raises LocalCloudError when the local cloud was never started, as it has no port yet.
        """
        try:
            port = int(self._layout.port.read_text())
        except (OSError, ValueError):
            raise LocalCloudError("local cloud: it was never started; run: scar-pulumi local start") from None
        nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        return {**endpoint_environment(port), **nothing}

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._layout.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with exclusive(self._layout.start_lock):
            yield

    def _daemon_pid(self) -> int | None:
        """Return the process that holds the daemon's lock; as long as it does, no other process has its number."""
        with contextlib.suppress(FileNotFoundError), self._layout.daemon_lock.open("r+") as lock:
            if not try_lock(lock):
                return int(lock.read() or 0) or None
        return None

    def _wait_until_gone(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._daemon_pid() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _wait_for_predecessor(self) -> None:
        """Give a daemon that was started or stopped by other means a moment to answer or to end."""
        deadline = time.monotonic() + 10.0
        while (pid := self._daemon_pid()) is not None and self.status() is None:
            if time.monotonic() > deadline:
                raise LocalCloudError(
                    f"local cloud: process {pid} runs but does not answer; run: scar-pulumi local stop, "
                    f"or see its log, {self._layout.log}"
                )
            time.sleep(0.05)


def clean_environment() -> dict[str, str]:
    """Return the caller's environment without what the daemon must not see."""
    return {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)} | {
        "PYTHONUNBUFFERED": "1"
    }


def _launch(layout: Layout, answers: Callable[[], bool], progress: Callable[[str], None]) -> None:
    """Start the daemon, detached from the caller's terminal and session, and return once it answers."""
    try:
        layout.create()
    except OSError as error:
        raise LocalCloudError(
            f"local cloud: it cannot start: {error}; it needs to write to its state directory, {layout.root}"
        ) from error
    if problem := shortage(layout.root):
        raise LocalCloudError(f"local cloud: it cannot start: {problem}")
    if layout.log.is_file() and layout.log.stat().st_size > _LOG_BYTES:
        layout.log.replace(layout.log.with_suffix(".log.1"))
    layout.log.touch(mode=0o600)
    with layout.log.open("ab") as log:
        begin = log.tell()
        process = subprocess.Popen(
            [*COMMAND, "--state", str(layout.root)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=with_ministack(clean_environment()),
            start_new_session=True,
        )
    _wait(process, layout, begin, answers, progress)


def _wait(
    process: subprocess.Popen[bytes],
    layout: Layout,
    begin: int,
    answers: Callable[[], bool],
    progress: Callable[[str], None],
) -> None:
    started = time.monotonic()
    told = 2.0
    while not answers():
        waited = time.monotonic() - started
        if process.poll() is not None:
            raise LocalCloudError(_explain(f"it ended with status {process.returncode}", layout, begin))
        if waited > _START_SECONDS:
            process.kill()
            process.wait()
            raise LocalCloudError(_explain(f"it did not answer within {_START_SECONDS:.0f} s", layout, begin))
        if waited > told:
            progress(f"still starting the local cloud ({waited:.0f} s)")
            told += 5.0
        time.sleep(0.03)
    # The daemon outlives this process on purpose; without this, Popen would warn about it.
    process.returncode = 0


def _explain(what: str, layout: Layout, begin: int) -> str:
    with layout.log.open("rb") as file:
        file.seek(begin)
        lines = file.read().decode(errors="replace").splitlines()
    tail = "\n".join(f"  {line}" for line in lines[-_LOG_LINES:])
    return f"local cloud: it cannot start: {what}. The end of {layout.log}:\n{tail}"


def _ask(port: int, path: str) -> dict[str, Any] | None:
    from scar_foundation.http import HttpClient, NoAnswer  # noqa: PLC0415 - there may be nobody to ask

    try:
        with HttpClient(seconds=10) as client:
            answer = json.loads(client.request("GET", f"http://127.0.0.1:{port}{path}").data)
    except (NoAnswer, ValueError):
        return None
    return answer if isinstance(answer, dict) else None


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _remove(path: Path) -> None:
    if not path.is_dir() or path.is_symlink():
        path.unlink()
        return
    # An image may contain directories that not even their owner may write to.
    for folder, names, _ in os.walk(path):
        for name in names:
            inner = Path(folder) / name
            if not inner.is_symlink():
                inner.chmod(stat.S_IRWXU)
    shutil.rmtree(path)

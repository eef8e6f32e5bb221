"""The local cloud seen from outside: start, stop and ask the daemon of one state directory."""

import contextlib
import fcntl
import http.client
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
from scar_pulumi.cloud.layout import Layout, endpoint_environment, shortage
from scar_pulumi.cloud.ministack_environment import install_ministack, with_ministack

_STOP_SECONDS = 60.0
_EXTRA = ("h11", "starlette")
"""Of the packages that the extra `local` brings, those that nothing works without."""
_DETAILS = ("events", "images", "jobs", "journal_bytes", "oscar", "requests", "runner", "snapshot_seconds")


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
    """The local cloud of a state directory, by default `local` in scar-pulumi's own.

    Every method works whether or not a daemon runs, and after one was killed.
    """

    def __init__(self, state: Path | None = None) -> None:
        self._layout = Layout((state or local_cloud_directory()).absolute())

    def start(self, progress: Callable[[str], None] = lambda _text: None) -> Status:
        """Makes sure that the local cloud answers; two at once start one. Raises LocalCloudError with the cause.

        One that an earlier version of this package started is started anew.
        """
        if running := self.status():
            from importlib.metadata import version  # noqa: PLC0415 - slow to import

            if running.version == (ours := version("scar-pulumi")):
                return running
            progress(f"restarting the local cloud: version {running.version} is running, this is {ours}")
            self.stop()
        if any(importlib.util.find_spec(name) is None for name in _EXTRA):
            raise LocalCloudError("local cloud: a part of it is not installed; run: pip install 'scar-pulumi[local]'")
        with self._locked():
            if running := self.status():
                return running
            install_ministack(progress)
            progress("starting the local cloud")
            self._wait_for_predecessor()
            launch_daemon(self._layout, lambda: self.status() is not None, progress)
        if running := self.status():
            return running
        raise LocalCloudError(f"local cloud: it went away at once; its log is {self._layout.log}")

    def stop(self) -> None:
        """Stops the daemon, which saves its state; does nothing when none runs."""
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
                    raise LocalCloudError(f"local cloud: process {pid} does not end; its log is {self._layout.log}")

    def status(self) -> Status | None:
        """The running daemon, or None."""
        try:
            known = json.loads(self._layout.daemon.read_bytes())
        except (OSError, ValueError):
            return None
        # Where that daemon is no more, the port may be somebody else's: one who lets us wait for an answer, even.
        answer = _ask(known["port"], "/_scar/status") if self._daemon_pid() == known["pid"] else None
        if answer is None or answer.get("instance") != known["instance"]:
            return None
        details = {key: answer[key] for key in _DETAILS if key in answer}
        return Status(answer["pid"], answer["port"], answer["endpoint"], answer["started"], answer["version"], details)

    def reset(self) -> None:
        """Stops the daemon and deletes everything in the local cloud. The port is kept. Asks nothing."""
        self.stop()
        if not self._layout.root.is_dir():
            return
        with self._locked():
            kept = (self._layout.port, self._layout.start_lock, self._layout.daemon_lock)
            for path in self._layout.root.iterdir():
                if path not in kept:
                    _remove(path)

    def logs(self, follow: bool = False) -> Iterator[str]:
        """The daemon's own log, line by line; `follow` goes on until the caller stops asking."""
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
        """Variables that lead AWS clients here, and away from the user's accounts; AWS_PROFILE must be unset beside.

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
        self._layout.start_lock.touch(mode=0o600)
        with self._layout.start_lock.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _daemon_pid(self) -> int | None:
        """The process that holds the daemon's lock: while it is held, the number in it cannot be another's."""
        try:
            with self._layout.daemon_lock.open("r+") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(lock.read() or 0) or None
        except FileNotFoundError:
            pass
        return None

    def _wait_until_gone(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._daemon_pid() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _wait_for_predecessor(self) -> None:
        """A daemon that is starting or stopping without this class, or hangs, has a moment to get ready or go."""
        deadline = time.monotonic() + 10.0
        while (pid := self._daemon_pid()) is not None and self.status() is None:
            if time.monotonic() > deadline:
                raise LocalCloudError(
                    f"local cloud: process {pid} runs but does not answer; run: scar-pulumi local stop, "
                    f"or look into {self._layout.log}"
                )
            time.sleep(0.05)


def _ask(port: int, path: str) -> dict[str, Any] | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = json.loads(connection.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else None


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _remove(path: Path) -> None:
    if not path.is_dir() or path.is_symlink():
        path.unlink()
        return
    # An image may bring directories that not even their owner may write to.
    for folder, names, _ in os.walk(path):
        for name in names:
            inner = Path(folder) / name
            if not inner.is_symlink():
                inner.chmod(stat.S_IRWXU)
    shutil.rmtree(path)


COMMAND = (sys.executable, "-P", "-m", "scar_pulumi.cloud.server")
"""What is run; the state directory is added."""

# Nothing else of the caller's environment gets into the daemon, and so into containers: above all no credentials.
_KEPT = frozenset(
    {
        *("DOCKER_CERT_PATH", "DOCKER_HOST", "DOCKER_TLS_VERIFY", "HOME", "LANG", "LD_LIBRARY_PATH", "LOGNAME", "PATH"),
        *("PYTHONPATH", "SHELL", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV"),
    }
)
_KEPT_PREFIXES = ("LC_", "SCAR_", "XDG_")
_DEADLINE = 120.0
_LOG_LIMIT = 10 * 1024 * 1024
_TAIL = 15


def launch_daemon(layout: Layout, answers: Callable[[], bool], progress: Callable[[str], None]) -> None:
    """Starts the daemon, detached from the caller's terminal and session; returns when it answers."""
    try:
        layout.create()
    except OSError as error:
        raise LocalCloudError(f"local cloud: it cannot start: {error}; its state belongs in {layout.root}") from error
    if problem := shortage(layout.root):
        raise LocalCloudError(f"local cloud: it cannot start: {problem}")
    if layout.log.is_file() and layout.log.stat().st_size > _LOG_LIMIT:
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


def clean_environment() -> dict[str, str]:
    """The caller's environment without what is none of the daemon's business."""
    return {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)} | {
        "PYTHONUNBUFFERED": "1"
    }


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
        if waited > _DEADLINE:
            process.kill()
            process.wait()
            raise LocalCloudError(_explain(f"it did not answer within {_DEADLINE:.0f} s", layout, begin))
        if waited > told:
            progress(f"still starting the local cloud ({waited:.0f} s)")
            told += 5.0
        time.sleep(0.03)
    # It lives on without a parent that waits for it, which is not a mistake worth a ResourceWarning.
    process.returncode = 0


def _explain(what: str, layout: Layout, begin: int) -> str:
    with layout.log.open("rb") as file:
        file.seek(begin)
        lines = file.read().decode(errors="replace").splitlines()
    tail = "\n".join(f"  {line}" for line in lines[-_TAIL:])
    return f"local cloud: it cannot start: {what}. The end of {layout.log}:\n{tail}"

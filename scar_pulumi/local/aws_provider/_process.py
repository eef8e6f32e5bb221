"""The plugin's process: says its port, serves until told to stop or until the engine is gone."""

import os
import select
import signal
import sys
from threading import Event, Thread

from scar_pulumi.local.aws_provider import _stubs

_GRACE = 2.0
_MAX_MESSAGE = 400 * 1024 * 1024
# The endpoint is on loopback: neither the user's account nor a proxy has a part in it.
_UNWANTED = ("PROXY", "_CA_BUNDLE")
_NEUTRAL = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def main() -> None:
    """Serve on a free loopback port until SIGTERM, SIGINT, or the end of the engine's process."""
    _neutralise_environment()
    _stubs.load()
    from scar_pulumi.local.aws_provider import _server  # noqa: PLC0415 - needs the stubs

    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server, port = _server.start(_MAX_MESSAGE)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    Thread(target=_watch_engine, args=(stop,), daemon=True).start()
    stop.wait()
    server.stop(_GRACE).wait()
    # A call in work after the grace would keep the interpreter; the journal knows of it.
    os._exit(0)


def _watch_engine(stop: Event) -> None:
    """The engine reads our output until it ends, however it ends."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    while not any(state & (select.POLLERR | select.POLLHUP) for _, state in poll.poll()):
        pass
    stop.set()


def _neutralise_environment() -> None:
    for name in list(os.environ):
        if name.upper().endswith(_UNWANTED) or name in {"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"}:
            del os.environ[name]
    os.environ.update(_NEUTRAL)

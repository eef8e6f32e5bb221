"""The local cloud's daemon: `python -m scar_pulumi.cloud.server --state DIR`. `LocalCloud` starts and stops it."""

import argparse
import asyncio
import fcntl
import hashlib
import json
import logging
import os
import resource
import secrets
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, cast

from scar_foundation.errors import LocalCloudError
from scar_foundation.files import write_whole
from scar_pulumi.cloud.layout import DEFAULT_ACCOUNT, DEFAULT_REGION, HOST, Layout, endpoint_environment

ALREADY_RUNNING = 3
"""Exit status when another daemon has this state directory."""

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None, runner: Any = None) -> int:
    """Serve until SIGTERM or SIGINT. `runner` replaces the runner's class, for tests of the rest."""
    parser = argparse.ArgumentParser(prog="python -m scar_pulumi.cloud.server", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the state directory")
    layout = Layout(parser.parse_args(arguments).state.resolve())
    try:
        layout.create()
    except LocalCloudError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    # Nobody else can enter the directory, and the modes of images' files must not depend on the user's mask.
    os.umask(0o022)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("scar_pulumi").setLevel(logging.INFO)
    lock = layout.daemon_lock.open("a+")
    if not _take(lock):
        _log.error("another local cloud runs in %s", layout.root)
        return ALREADY_RUNNING
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    try:
        listener = _listen(layout)
    except LocalCloudError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    port = listener.getsockname()[1]
    _set_environment(layout, port)
    _raise_file_limit()
    return asyncio.run(_serve(layout, listener, port, runner))


def _take(lock: IO[str]) -> bool:
    """Lock the file for as long as this process lives. A process that checks the lock holds it for a moment, too."""
    for _ in range(20):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


async def _serve(layout: Layout, listener: socket.socket, port: int, runner: Any) -> int:
    from hypercorn.asyncio import serve  # noqa: PLC0415 - after the environment is set
    from hypercorn.config import Config  # noqa: PLC0415
    from hypercorn.utils import LifespanFailureError  # noqa: PLC0415

    from scar_pulumi.cloud.daemon import Daemon  # noqa: PLC0415
    from scar_pulumi.cloud.runner import Runner  # noqa: PLC0415

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    identity = _identity(layout, port)
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.backlog = 4096
    config.errorlog = logging.getLogger("hypercorn")
    config.keep_alive_timeout = 600
    config.h11_max_incomplete_size = 256 * 1024
    config.startup_timeout = 600
    config.graceful_timeout = 2
    config.shutdown_timeout = 120
    daemon = Daemon(layout, identity, endpoint_environment(port), runner or Runner)
    write_whole(layout.daemon, json.dumps(identity).encode())
    _log.info("local cloud %(version)s on %(endpoint)s, process %(pid)d", identity)
    try:
        await serve(cast(Any, daemon), config, shutdown_trigger=stop.wait)
    except LifespanFailureError:
        return 1
    return 0


def _identity(layout: Layout, port: int) -> dict[str, Any]:
    from importlib.metadata import version  # noqa: PLC0415 - slow to import

    return {
        "instance": secrets.token_hex(16),
        "state": str(layout.root),
        "pid": os.getpid(),
        "port": port,
        "endpoint": f"http://{HOST}:{port}",
        "started": time.time(),
        "version": version("scar-pulumi"),
    }


# Below the ports that Linux gives to outgoing connections, which would take the kept one while nobody listens:
# https://docs.kernel.org/networking/ip-sysctl.html (ip_local_port_range)
_PORTS = range(20_000, 30_000)
_TRIES = 50
_PATIENCE = 3.0
"""Seconds for an earlier daemon's connections to end."""


def _listen(layout: Layout) -> socket.socket:
    """Return a socket on the port that the state folder has: addresses of deployed functions contain it.

    The first start chooses it. Raises LocalCloudError when another program has it.
    """
    kept = int(layout.port.read_text()) if layout.port.is_file() else 0
    asked = os.environ.get("SCAR_LOCAL_PORT", "")
    wanted = int(asked) if asked.isdecimal() and int(asked) else kept
    listener = _on_port(wanted) if wanted else _on_a_free_port(layout.root)
    if listener is None:
        raise LocalCloudError(
            f"port {wanted} is taken by another program, and the addresses of what is deployed here have it; end that "
            "program, or start once with SCAR_LOCAL_PORT set to another port; then run `scar-pulumi refresh` for each "
            "stack, as its HTTP addresses have changed"
        )
    listener.listen(4096)
    write_whole(layout.port, str(listener.getsockname()[1]).encode())
    return listener


def _on_port(port: int) -> socket.socket | None:
    """Return a socket on a port; None when it is still taken after some seconds."""
    deadline = time.monotonic() + _PATIENCE
    while (listener := _bound(port)) is None and time.monotonic() < deadline:
        time.sleep(0.1)
    return listener


def _on_a_free_port(root: Path) -> socket.socket:
    """Return a socket on a port of its own for this folder: another cloud of the same user starts with another one."""
    first = int.from_bytes(hashlib.sha256(os.fsencode(root)).digest()[:4])
    for number in range(_TRIES):
        if listener := _bound(_PORTS[(first + number) % len(_PORTS)]):
            return listener
    raise LocalCloudError(f"no port from {_PORTS[0]} to {_PORTS[-1]} is free; set SCAR_LOCAL_PORT to one that is")


def _bound(port: int) -> socket.socket | None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        return None
    return listener


def _set_environment(layout: Layout, port: int) -> None:
    """Remove the user's accounts from the environment, and set MiniStack's documented variables."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "PULUMI_", "MINISTACK_", "LAMBDA_"))]:
        del os.environ[name]
    os.environ |= {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "MINISTACK_ACCOUNT_ID": DEFAULT_ACCOUNT,
        "MINISTACK_REGION": DEFAULT_REGION,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(layout.working),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(layout.objects),
        # Deliveries end at the event queue, which is what limits how many functions run.
        "LAMBDA_ACCOUNT_CONCURRENCY": "0",
        "LOG_LEVEL": "WARNING",
        **endpoint_environment(port),
    }


def _raise_file_limit() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536), most))


if __name__ == "__main__":
    sys.exit(main())

"""The local cloud's daemon: `python -m scar_pulumi.cloud.server --state DIR`. `LocalCloud` starts and stops it."""

import argparse
import asyncio
import fcntl
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
    listener = _listen(layout.port)
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


def _listen(port_file: Path) -> socket.socket:
    """Return a socket on the port of last time if that is free, else on a free one, which is then kept."""
    wanted = int(port_file.read_text()) if port_file.is_file() else 0
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, wanted))
    except OSError:
        _log.warning("port %d is taken; using another from now on", wanted)
        listener.bind((HOST, 0))
    listener.listen(4096)
    write_whole(port_file, str(listener.getsockname()[1]).encode())
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

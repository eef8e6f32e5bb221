"""A plugin's process: prints its port, serves until it is told to stop or the engine is gone."""

import importlib.util
import os
import select
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread
from types import ModuleType
from typing import Any


def load_stubs() -> None:
    """Make `pulumi.runtime.proto.*_pb2` importable without running the packages' own `__init__` modules."""
    if "pulumi" in sys.modules:
        return
    spec = importlib.util.find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("pulumi is not installed; reinstall scar-pulumi", name="pulumi")
    root = spec.submodule_search_locations[0]
    _shell("pulumi", root)
    _shell("pulumi.runtime", f"{root}/runtime")
    _shell("pulumi.runtime.proto", f"{root}/runtime/proto")


def _shell(name: str, directory: str) -> None:
    module = ModuleType(name)
    module.__path__ = [directory]
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


PARALLEL = 32
"""Calls at once: as many as the engine has resources in work by default on eight cores."""
_GRACE = 2.0
_MAX_MESSAGE = 400 * 1024 * 1024


def serve(provider: Callable[[], Any], calls: int = PARALLEL) -> None:
    """Serve a provider on a free loopback port until SIGTERM, SIGINT, or the end of the engine's process.

    `provider` is called once the stubs of the engine's protocol can be imported. `calls` are answered at once.
    """
    load_stubs()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server, port = _start(provider(), calls)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    Thread(target=_watch_engine, args=(stop,), daemon=True).start()
    stop.wait()
    server.stop(_GRACE).wait()
    # A call in work after the grace would keep the interpreter; the next `up` finds what it has made.
    os._exit(0)


def without_proxies() -> None:
    """Drop the proxies of the environment: the endpoint is on loopback."""
    for name in list(os.environ):
        if name.upper().endswith("PROXY"):
            del os.environ[name]


def _start(provider: Any, calls: int) -> tuple[Any, int]:
    import grpc  # noqa: PLC0415 - after the stubs
    from pulumi.runtime.proto import provider_pb2_grpc  # noqa: PLC0415

    options = [("grpc.max_receive_message_length", _MAX_MESSAGE), ("grpc.max_send_message_length", _MAX_MESSAGE)]
    server = grpc.server(ThreadPoolExecutor(max_workers=calls), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def _watch_engine(stop: Event) -> None:
    """Set `stop` when the engine is gone: it reads our output until it ends, however it ends."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    while not any(state & (select.POLLERR | select.POLLHUP) for _, state in poll.poll()):
        pass
    stop.set()

"""Telling the engine what a long operation waits for, as a status beside the resource."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

_operation: ContextVar[tuple[Any, str] | None] = ContextVar("operation", default=None)


class Engine:
    """The engine's own interface, where it gave its address; else nothing is told."""

    def __init__(self, address: str = "") -> None:
        self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address)) if address else None

    @contextlib.contextmanager
    def during(self, urn: str) -> Iterator[None]:
        """Let `say` speak of a resource while one operation on it runs."""
        token = _operation.set((self._stub, urn) if self._stub else None)
        try:
            yield
        finally:
            _operation.reset(token)


def say(message: str) -> None:
    """Show what is waited for; it is gone once the operation ends."""
    if operation := _operation.get():
        stub, urn = operation
        status = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=message, urn=urn, ephemeral=True)
        with contextlib.suppress(grpc.RpcError):  # the operation goes on where nobody listens
            stub.Log(status, timeout=5)

"""One resource of a program, asked of the stand-in as the engine asks it."""

from typing import Any

from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2

from scar_foundation.plugin.values import from_struct
from tests.world.plugins import Plugin


class Resource:
    """One resource of a program, with what the engine would keep of it."""

    def __init__(self, plugin: Plugin, token: str, name: str) -> None:
        self._stub = plugin.stub
        self._token, self._name = token, name
        self._urn = f"urn:pulumi:local::project::{token}::{name}"
        self.id = ""
        self.inputs: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}

    def check(self, news: dict[str, Any]) -> dict[str, Any]:
        request = provider_pb2.CheckRequest(urn=self._urn, olds=struct(self.inputs), news=struct(news), randomSeed=b"1")
        answer = self._stub.Check(request)
        assert not answer.failures
        return from_struct(answer.inputs)

    def create(self, timeout: float = 20, preview: bool = False, **news: Any) -> dict[str, Any]:
        inputs = self.check(news)
        request = provider_pb2.CreateRequest(urn=self._urn, properties=struct(inputs), timeout=timeout, preview=preview)
        answer = self._stub.Create(request)
        outputs = from_struct(answer.properties)
        if not preview:
            self.id, self.inputs, self.outputs = answer.id, inputs, outputs
        return outputs

    def diff(self, **news: Any) -> Any:
        request = provider_pb2.DiffRequest(
            urn=self._urn,
            id=self.id,
            olds=struct(self.outputs),
            old_inputs=struct(self.inputs),
            news=struct(self.check(news)),
        )
        return self._stub.Diff(request)

    def update(self, **news: Any) -> None:
        inputs = self.check(news)
        request = provider_pb2.UpdateRequest(
            urn=self._urn,
            id=self.id,
            olds=struct(self.outputs),
            old_inputs=struct(self.inputs),
            news=struct(inputs),
            timeout=20,
        )
        self.inputs, self.outputs = inputs, from_struct(self._stub.Update(request).properties)

    def read(self) -> dict[str, Any] | None:
        request = provider_pb2.ReadRequest(
            urn=self._urn, id=self.id, properties=struct(self.outputs), inputs=struct(self.inputs)
        )
        answer = self._stub.Read(request)
        return from_struct(answer.inputs) if answer.id else None

    def delete(self) -> None:
        request = provider_pb2.DeleteRequest(urn=self._urn, id=self.id, properties=struct(self.outputs), timeout=20)
        self._stub.Delete(request)


def struct(properties: dict[str, Any]) -> Struct:
    made = Struct()
    made.update(properties)
    return made

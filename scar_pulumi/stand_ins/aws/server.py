"""The engine's side: `pulumirpc.ResourceProvider` over gRPC.

https://github.com/pulumi/pulumi/blob/master/proto/pulumi/provider.proto
"""

import json
from typing import Any

from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2

from scar_pulumi.stand_ins.aws import reading
from scar_pulumi.stand_ins.aws.cloud import Cloud, read_configuration
from scar_pulumi.stand_ins.aws.invokes import invoke
from scar_pulumi.stand_ins.aws.journal import Journal, default_directory
from scar_pulumi.stand_ins.aws.lifecycle import Lifecycle
from scar_pulumi.stand_ins.aws.types import find
from scar_pulumi.stand_ins.plugin.failures import ProviderError
from scar_pulumi.stand_ins.plugin.provider import (
    StandIn,
    check_answer,
    difference_answer,
    proposed_name,
    resource_type,
    told,
)
from scar_pulumi.stand_ins.plugin.values import Properties, conceal, from_struct, reveal, to_struct, top


class Provider(StandIn):
    """The stand-in provider as the engine sees it."""

    package = "aws"

    def __init__(self) -> None:
        super().__init__()
        self._configured: Lifecycle | None = None
        self._cloud_: Cloud | None = None

    def check_settings(self, settings: Properties) -> None:
        """Refuse any endpoint beyond loopback."""
        read_configuration(settings)

    def configure(self, settings: Properties) -> None:
        """Take region, endpoints and tags."""
        self._cloud_ = Cloud(read_configuration(reveal(settings)))
        self._configured = Lifecycle(self._cloud_, Journal(default_directory()))

    @told
    def GetSchema(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Describe what is served."""
        from scar_pulumi.stand_ins.aws.schema import schema  # noqa: PLC0415 - seldom needed

        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema(self.version)))

    @told
    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Answer a function call of the program."""
        return provider_pb2.InvokeResponse(
            **{"return": to_struct(invoke(self._cloud, request.tok, reveal(from_struct(request.args))))}
        )

    @told
    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Check and complete the inputs of a resource."""
        raw = from_struct(request.news)
        type_, olds = find(resource_type(request)), reveal(from_struct(request.olds))
        checked = self._lifecycle.check(
            type_, request.urn, olds, reveal(raw), seed=request.randomSeed, proposed=proposed_name(request)
        )
        return check_answer(checked.inputs, raw, checked.failures)

    @told
    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Say which properties change and whether that needs a replacement."""
        type_ = find(resource_type(request))
        olds, old_inputs, news = (reveal(from_struct(s)) for s in (request.olds, request.old_inputs, request.news))
        found, delete_first = self._lifecycle.diff(type_, request.urn, olds, old_inputs, news)
        found.ignore(request.ignoreChanges)
        return difference_answer(
            found.paths,
            found.replaces,
            replacing=lambda path: top(path) in found.replaces,
            delete_first=delete_first,
            computed=frozenset({"tagsAll"}),
        )

    @told
    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Create a resource, or foresee what that would give."""
        raw = from_struct(request.properties)
        type_, inputs = find(resource_type(request)), reveal(raw)
        if request.preview:
            foreseen = reading.foresee_create(self._cloud, type_, inputs)
            return provider_pb2.CreateResponse(properties=to_struct(_concealed(foreseen, raw)))
        with self.engine.during(request.urn):
            id_, created = self._lifecycle.create(type_, request.urn, inputs, request.timeout)
        return provider_pb2.CreateResponse(id=id_, properties=to_struct(_concealed(created, raw)))

    @told
    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Read a resource: with its state for a refresh, by its id alone for an import."""
        state, inputs = from_struct(request.properties), from_struct(request.inputs)
        live = self._lifecycle.read(
            find(resource_type(request)), request.urn, request.id, reveal(state), reveal(inputs)
        )
        if live is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=live.id,
            properties=to_struct(_concealed(live.outputs, state)),
            inputs=to_struct(conceal(live.inputs, inputs)),
        )

    @told
    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Change a resource in place, or foresee what that would give."""
        raw, type_ = from_struct(request.news), find(resource_type(request))
        olds, old_inputs, news = reveal(from_struct(request.olds)), reveal(from_struct(request.old_inputs)), reveal(raw)
        if request.preview:
            updated = reading.foresee_update(self._cloud, type_, news, olds)
        else:
            with self.engine.during(request.urn):
                updated = self._lifecycle.update(type_, request.urn, olds, old_inputs, news, timeout=request.timeout)
        return provider_pb2.UpdateResponse(properties=to_struct(_concealed(updated, raw)))

    @told
    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Delete a resource."""
        state = reveal(from_struct(request.properties))
        with self.engine.during(request.urn):
            self._lifecycle.delete(find(resource_type(request)), request.urn, state, request.timeout)
        return Empty()

    @property
    def _cloud(self) -> Cloud:
        if self._cloud_ is None:
            raise ProviderError("the engine called the stand-in aws provider before configuring it")
        return self._cloud_

    @property
    def _lifecycle(self) -> Lifecycle:
        if self._configured is None:
            raise ProviderError("the engine called the stand-in aws provider before configuring it")
        return self._configured


def _concealed(outputs: Properties, raw: Properties) -> Properties:
    return {**conceal(outputs, {**raw, "tagsAll": raw.get("tagsAll") or raw.get("tags")})}

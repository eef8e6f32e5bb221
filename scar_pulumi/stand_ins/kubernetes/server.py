"""The engine's side: `pulumirpc.ResourceProvider` over gRPC.

https://github.com/pulumi/pulumi/blob/master/proto/pulumi/provider.proto
"""

import json
from typing import Any

from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2

from scar_pulumi.stand_ins.kubernetes.cluster import Configuration, read_configuration
from scar_pulumi.stand_ins.kubernetes.lifecycle import Lifecycle
from scar_pulumi.stand_ins.kubernetes.objects import check, foreseen, hide, is_autonamed, settle_namespace
from scar_pulumi.stand_ins.plugin.failures import ProviderError, UnservedError
from scar_pulumi.stand_ins.plugin.provider import (
    StandIn,
    check_answer,
    difference_answer,
    proposed_name,
    resource_type,
    told,
)
from scar_pulumi.stand_ins.plugin.values import Properties, from_struct, reveal, to_struct


class Provider(StandIn):
    """The stand-in provider as the engine sees it."""

    package = "kubernetes"

    def __init__(self) -> None:
        super().__init__()
        self._configured: Lifecycle | None = None

    def check_settings(self, settings: Properties) -> None:
        """Refuse any API server beyond loopback."""
        read_configuration(settings)

    def configure(self, settings: Properties) -> None:
        """Take the API server and whom it is asked as."""
        self._configured = Lifecycle(read_configuration(reveal(settings)))

    @told
    def GetSchema(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Describe the package; kinds are the cluster's, so none is listed."""
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": "kubernetes", "version": self.version}))

    @told
    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Functions of the genuine plugin (Helm, Kustomize) are not served."""
        raise UnservedError(
            f"{request.tok}: is not served by the stand-in kubernetes provider; "
            "install the genuine plugin: pulumi plugin install resource kubernetes"
        )

    @told
    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Check and complete the inputs of a resource."""
        raw, token = from_struct(request.news), resource_type(request)
        name = request.urn.rpartition("::")[2]
        olds = reveal(from_struct(request.olds))
        checked = check(token, name, olds, reveal(raw), seed=request.randomSeed, proposed=proposed_name(request))
        if not checked.failures:
            settle_namespace(self._lifecycle.kinds, checked.inputs, self._configuration.namespace)
        return check_answer(checked.inputs, raw, checked.failures)

    @told
    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Say which properties change and whether that needs a replacement."""
        olds, old_inputs, news = (reveal(from_struct(s)) for s in (request.olds, request.old_inputs, request.news))
        found = self._lifecycle.diff(olds, old_inputs, news)
        found.ignore(list(request.ignoreChanges))
        renamed = "metadata.name" in found.paths or "metadata.namespace" in found.paths
        return difference_answer(
            found.paths,
            found.replaced,
            replacing=found.is_replacing,
            delete_first=bool(found.replaced) and not renamed and not is_autonamed(news),
        )

    @told
    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Create a resource, or foresee what that would give."""
        raw = from_struct(request.properties)
        inputs = reveal(raw)
        if request.preview:
            outputs = self._lifecycle.foresee_create(request.urn, inputs)
            return provider_pb2.CreateResponse(properties=to_struct(hide(outputs, raw)))
        with self.engine.during(request.urn):
            id_, outputs = self._lifecycle.create(request.urn, inputs, request.timeout)
        return provider_pb2.CreateResponse(id=id_, properties=to_struct(hide(outputs, raw)))

    @told
    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Read a resource: with its state for a refresh, by its id alone for an import."""
        state, inputs = from_struct(request.properties), from_struct(request.inputs)
        token = check(resource_type(request), "", {}, {}, seed=b"", proposed=None).inputs
        known = {"apiVersion": token["apiVersion"], "kind": token["kind"], **reveal(state)}
        found = self._lifecycle.read(request.urn, request.id, known, reveal(inputs))
        if found is None:
            return provider_pb2.ReadResponse()
        outputs, live_inputs = found
        return provider_pb2.ReadResponse(
            id=request.id,
            properties=to_struct(hide(outputs, inputs)),
            inputs=to_struct(hide(live_inputs, inputs)),
        )

    @told
    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Change a resource in place, or foresee what that would give."""
        raw, olds = from_struct(request.news), reveal(from_struct(request.olds))
        news = reveal(raw)
        if request.preview:
            outputs = foreseen(olds, reveal(from_struct(request.old_inputs)), news)
        else:
            with self.engine.during(request.urn):
                outputs = self._lifecycle.update(olds, news, request.timeout)
        return provider_pb2.UpdateResponse(properties=to_struct(hide(outputs, raw)))

    @told
    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Delete a resource."""
        with self.engine.during(request.urn):
            self._lifecycle.delete(request.id, reveal(from_struct(request.properties)), request.timeout)
        return Empty()

    @property
    def _configuration(self) -> Configuration:
        return self._lifecycle.configuration

    @property
    def _lifecycle(self) -> Lifecycle:
        if self._configured is None:
            raise ProviderError("the engine called the stand-in kubernetes provider before configuring it")
        return self._configured

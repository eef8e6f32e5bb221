"""The engine's side: `pulumirpc.ResourceProvider` over gRPC.

https://github.com/pulumi/pulumi/blob/master/proto/pulumi/provider.proto
"""

import functools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from scar_pulumi.local.aws_provider import _configuration, _outputs, _status
from scar_pulumi.local.aws_provider._calls import PARALLEL, Cloud
from scar_pulumi.local.aws_provider._errors import ProviderError
from scar_pulumi.local.aws_provider._journal import Journal, default_directory
from scar_pulumi.local.aws_provider._lifecycle import Lifecycle
from scar_pulumi.local.aws_provider._progress import Engine
from scar_pulumi.local.aws_provider._wire import Properties, conceal, from_struct, has_unknown, reveal, to_struct
from scar_pulumi.local.aws_provider.invokes import invoke
from scar_pulumi.local.aws_provider.types import find

_KINDS = {
    "add": provider_pb2.PropertyDiff.ADD,
    "delete": provider_pb2.PropertyDiff.DELETE,
    "update": provider_pb2.PropertyDiff.UPDATE,
}
_REPLACE_KINDS = {
    "add": provider_pb2.PropertyDiff.ADD_REPLACE,
    "delete": provider_pb2.PropertyDiff.DELETE_REPLACE,
    "update": provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


def start(max_message: int) -> tuple[Any, int]:
    """Start serving; returns the server and its port on 127.0.0.1."""
    options = [("grpc.max_receive_message_length", max_message), ("grpc.max_send_message_length", max_message)]
    server = grpc.server(ThreadPoolExecutor(max_workers=PARALLEL), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def _told(method: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """Every failure reaches the engine as one sentence that holds no secret of the request."""

    @functools.wraps(method)
    def answer(self: Any, request: Any, context: Any) -> Any:
        try:
            return method(self, request, context)
        except Exception as error:  # noqa: BLE001 - the process serves other resources too
            _status.abort(context, error, request)

    return answer


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """The stand-in provider as the engine sees it."""

    def __init__(self) -> None:
        self._configured: Lifecycle | None = None
        self._cloud_: Cloud | None = None
        self._engine = Engine()

    @_told
    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Say what the engine may send; must agree with `Configure`."""
        self._engine = Engine(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, supports_autonaming_configuration=True)

    @_told
    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Answer with the version of the SDK that is served."""
        return plugin_pb2.PluginInfo(version=_version())

    @_told
    def GetSchema(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Describe what is served."""
        from scar_pulumi.local.aws_provider._schema import schema  # noqa: PLC0415 - seldom needed

        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema(_version())))

    @_told
    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Refuse any endpoint beyond loopback as soon as it is known."""
        settings = reveal(from_struct(request.news))
        if not has_unknown(settings):
            _configuration.read(settings)
        return provider_pb2.CheckResponse(inputs=request.news)

    @_told
    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """No setting of the provider replaces its resources."""
        changed = from_struct(request.old_inputs or request.olds) != from_struct(request.news)
        change = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=change)

    @_told
    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Take the settings; nothing is called yet."""
        self._cloud_ = Cloud(_configuration.read(reveal(from_struct(request.args))))
        self._configured = Lifecycle(self._cloud_, Journal(default_directory()))
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    @_told
    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Answer a function call of the program."""
        return provider_pb2.InvokeResponse(
            **{"return": to_struct(invoke(self._cloud, request.tok, reveal(from_struct(request.args))))}
        )

    @_told
    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Check and complete the inputs of a resource."""
        raw = from_struct(request.news)
        type_, olds = find(_type(request)), reveal(from_struct(request.olds))
        checked = self._lifecycle.check(
            type_, request.urn, olds, reveal(raw), seed=request.randomSeed, proposed=_naming(request)
        )
        failures = [provider_pb2.CheckFailure(property=path, reason=reason) for path, reason in checked.failures]
        return provider_pb2.CheckResponse(inputs=to_struct(conceal(checked.inputs, raw)), failures=failures)

    @_told
    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Say which properties change and whether that needs a replacement."""
        type_ = find(_type(request))
        olds, old_inputs, news = (reveal(from_struct(s)) for s in (request.olds, request.old_inputs, request.news))
        found, delete_first = self._lifecycle.diff(type_, request.urn, olds, old_inputs, news)
        found.ignore(request.ignoreChanges)
        replaced = frozenset(found.replaces)
        detailed = {
            path: provider_pb2.PropertyDiff(
                kind=(_REPLACE_KINDS if found.top(path) in replaced else _KINDS)[kind], inputDiff=path != "tagsAll"
            )
            for path, kind in found.paths.items()
        }
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if found.paths else provider_pb2.DiffResponse.DIFF_NONE,
            replaces=found.replaces,
            diffs=sorted(found.changed),
            deleteBeforeReplace=delete_first,
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    @_told
    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Create a resource, or foresee what that would give."""
        raw = from_struct(request.properties)
        type_, inputs = find(_type(request)), reveal(raw)
        if request.preview:
            outputs = _outputs.foresee_create(self._cloud, type_, inputs)
            return provider_pb2.CreateResponse(properties=to_struct(_concealed(outputs, raw)))
        with self._engine.during(request.urn):
            id_, outputs = self._lifecycle.create(type_, request.urn, inputs, request.timeout)
        return provider_pb2.CreateResponse(id=id_, properties=to_struct(_concealed(outputs, raw)))

    @_told
    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Read a resource: with its state for a refresh, by its id alone for an import."""
        state, inputs = from_struct(request.properties), from_struct(request.inputs)
        live = self._lifecycle.read(find(_type(request)), request.urn, request.id, reveal(state), reveal(inputs))
        if live is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=live.id,
            properties=to_struct(_concealed(live.outputs, state)),
            inputs=to_struct(conceal(live.inputs, inputs)),
        )

    @_told
    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Change a resource in place, or foresee what that would give."""
        raw, type_ = from_struct(request.news), find(_type(request))
        olds, old_inputs, news = reveal(from_struct(request.olds)), reveal(from_struct(request.old_inputs)), reveal(raw)
        if request.preview:
            outputs = _outputs.foresee_update(self._cloud, type_, news, olds)
        else:
            with self._engine.during(request.urn):
                outputs = self._lifecycle.update(type_, request.urn, olds, old_inputs, news, timeout=request.timeout)
        return provider_pb2.UpdateResponse(properties=to_struct(_concealed(outputs, raw)))

    @_told
    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Delete a resource."""
        state = reveal(from_struct(request.properties))
        with self._engine.during(request.urn):
            self._lifecycle.delete(find(_type(request)), request.urn, state, request.timeout)
        return Empty()

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Calls in work are short; they end by themselves."""
        return Empty()

    def Attach(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """The engine needs nothing from us that it does not ask for."""
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


def _type(request: Any) -> str:
    # Engines before 3.136 send the URN only: urn:pulumi:stack::project::parent$type::name.
    return str(request.type or request.urn.split("::")[2].rpartition("$")[2])


def _naming(request: Any) -> str | None:
    """The name that `pulumi:autonaming` asks for; "" when it forbids automatic names."""
    options = provider_pb2.CheckRequest.AutonamingOptions
    if not request.HasField("autonaming"):
        return None
    return "" if request.autonaming.mode == options.DISABLE else str(request.autonaming.proposed_name)


def _concealed(outputs: Properties, raw: Properties) -> Properties:
    return {**conceal(outputs, {**raw, "tagsAll": raw.get("tagsAll") or raw.get("tags")})}


def _version() -> str:
    try:
        return version("pulumi-aws")
    except PackageNotFoundError:
        return "7.0.0"

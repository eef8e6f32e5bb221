# ruff: noqa: ARG002, N802 - the names and parameters of the provider's methods are the gRPC service's
"""The provider that the engine sees, the same for every plugin of ours: `pulumirpc.ResourceProvider` over gRPC.

A plugin brings its `Package`: how its settings are read, and what is done with its resources.
https://github.com/pulumi/pulumi/blob/master/proto/pulumi/provider.proto
"""

import contextlib
import functools
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from threading import Event
from typing import Any, Generic, TypeVar

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, provider_pb2_grpc

from scar_foundation.plugin.failures import ProviderError, abort
from scar_foundation.plugin.values import (
    Properties,
    conceal,
    from_struct,
    has_unknown,
    is_within,
    reveal,
    to_struct,
    top_level,
)

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

_SettingsT = TypeVar("_SettingsT")


@dataclass(frozen=True)
class Resource:
    """The resource that a request is about."""

    type: str
    """Its token, such as `aws:sqs/queue:Queue`."""
    urn: str
    id: str = ""

    @property
    def name(self) -> str:
        """Its name in the program: the last part of the URN, which may hold `::` itself."""
        return self.urn.split("::", 3)[-1]

    @property
    def component(self) -> str:
        """Type of the component or resource that it is a part of, such as `ApiGatewayEndpoint`; "" for none."""
        parent = self.urn.split("::")[2].rpartition("$")[0].rpartition("$")[2]
        return "" if parent == "pulumi:pulumi:Stack" else parent.rpartition(":")[2]


@dataclass(frozen=True)
class Naming:
    """What an automatic name is made from."""

    seed: bytes = b""
    proposed: str | None = None
    """The name that `pulumi:autonaming` asks for; "" when it forbids automatic names."""


@dataclass
class Checked:
    """Inputs as they go into the state, and what is wrong with them as (property path, sentence)."""

    inputs: Properties = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Difference:
    """Changed property paths as "add", "delete" or "update", and what they mean for the resource."""

    paths: dict[str, str] = field(default_factory=dict)
    replacing: tuple[str, ...] = ()
    """Paths at or below which a change replaces the resource."""
    delete_first: bool = False
    """A replacement can only be made once the old resource is gone."""
    outputs: frozenset[str] = frozenset()
    """Those of the changed properties that are outputs."""
    elsewhere: bool = False
    """The resource changes although none of its properties does."""

    @property
    def changed(self) -> frozenset[str]:
        """The top-level properties that changed."""
        return frozenset(map(top_level, self.paths))

    @property
    def replaced(self) -> list[str]:
        """The changed paths that replace the resource."""
        return [path for path in self.paths if is_within(path, self.replacing)]

    def ignore(self, ignored: Iterable[str]) -> None:
        """Leave out what the program told the engine to ignore."""
        self.paths = {path: kind for path, kind in self.paths.items() if not is_within(path, ignored)}


@dataclass(frozen=True)
class Found:
    """A resource as it is: its id, its outputs, and the inputs that a program would have to give for it."""

    id: str
    outputs: Properties
    inputs: Properties


class Lifecycle(ABC):
    """What a plugin does with its resources. Thread-safe.

    All properties are plain: secrets are revealed before and concealed again afterwards.
    """

    @abstractmethod
    def invoke(self, token: str, arguments: Properties) -> Properties:
        """Return the result of a function that a program calls; raise UnservedError for an unknown one."""

    @abstractmethod
    def check(self, resource: Resource, olds: Properties, news: Properties, naming: Naming) -> Checked:
        """Check and complete the inputs of a resource; `olds` are its inputs so far, empty for a new one."""

    @abstractmethod
    def diff(self, resource: Resource, olds: Properties, old_inputs: Properties, news: Properties) -> Difference:
        """Compare new inputs with the old ones and with the outputs, `olds`."""

    @abstractmethod
    def foresee_create(self, resource: Resource, inputs: Properties) -> Properties:
        """Return the outputs of a create as far as a preview can tell."""

    @abstractmethod
    def create(self, resource: Resource, inputs: Properties, timeout: float) -> tuple[str, Properties]:
        """Create the resource; return its id and outputs. A timeout of 0 is the default one."""

    @abstractmethod
    def read(self, resource: Resource, state: Properties, inputs: Properties) -> Found | None:
        """Read the resource: with its state for a refresh, by its id alone for an import. None when it is gone."""

    @abstractmethod
    def foresee_update(
        self, resource: Resource, olds: Properties, old_inputs: Properties, news: Properties
    ) -> Properties:
        """Return the outputs of an update as far as a preview can tell."""

    @abstractmethod
    def update(
        self, resource: Resource, olds: Properties, old_inputs: Properties, news: Properties, timeout: float
    ) -> Properties:
        """Change the resource in place and return its outputs."""

    @abstractmethod
    def delete(self, resource: Resource, state: Properties, timeout: float) -> None:
        """Delete the resource and wait until it is gone; one that is gone already is fine."""

    def conceal(self, outputs: Properties, marked: Properties) -> Properties:
        """Return outputs in which whatever is secret in `marked` is secret again."""
        return dict(conceal(outputs, marked))


@dataclass(frozen=True)
class Package(Generic[_SettingsT]):
    """The package that a plugin serves, and what is done for it."""

    name: str
    read_settings: Callable[[Properties], _SettingsT]
    """Raises UnservedError for settings that lead off this machine, or that are not served."""
    lifecycle: Callable[[_SettingsT], Lifecycle]
    schema: Callable[[str], dict[str, Any]]
    """The package schema of what is served, given the version."""
    distribution: str = ""
    """The Python distribution whose version is the package's. Default: Pulumi's SDK of the package."""
    sentences: tuple[type[Exception], ...] = ()
    """Further errors whose text is written for the user; of others it is told where they were raised."""

    @property
    def version(self) -> str:
        """The version of the package."""
        try:
            return version(self.distribution or f"pulumi-{self.name}")
        except PackageNotFoundError:
            return "0.0.0"


@dataclass(frozen=True)
class Operation:
    """One operation on a resource: the engine's log, where the engine gave its address, and whether it is cancelled."""

    urn: str
    log: Any = None
    cancelled: Event = field(default_factory=Event)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Let `show_progress` and `pause` speak of this operation while it runs."""
        token = _operation.set(self)
        try:
            yield
        finally:
            _operation.reset(token)


_operation: ContextVar[Operation | None] = ContextVar("operation", default=None)


class CancelledError(ProviderError):
    """The user pressed Ctrl-C while an operation waited."""


def pause(seconds: float) -> None:
    """Sleep in an operation that waits for something; raise CancelledError as soon as the user cancels."""
    operation = _operation.get() or Operation("")
    if operation.cancelled.wait(seconds):
        raise CancelledError("cancelled while it waited")


def cancellation() -> Callable[[], None]:
    """Return what raises CancelledError, in any thread, once the user has cancelled the operation of this one."""
    operation = _operation.get() or Operation("")

    def check() -> None:
        if operation.cancelled.is_set():
            raise CancelledError("cancelled before it was done; the next `up` goes on")

    return check


def show_progress(message: str) -> None:
    """Show beside the resource what its operation waits for; the message is gone once the operation ends."""
    _log(message, ephemeral=True)


def tell(message: str) -> None:
    """Tell the user something about the resource of this operation, as part of what the engine prints."""
    _log(message, ephemeral=False)


def _log(message: str, *, ephemeral: bool) -> None:
    operation = _operation.get()
    if operation and operation.log:
        status = engine_pb2.LogRequest(
            severity=engine_pb2.INFO, message=message, urn=operation.urn, ephemeral=ephemeral
        )
        with contextlib.suppress(grpc.RpcError):  # the operation goes on where nobody listens
            operation.log.Log(status, timeout=5)


def explaining(method: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """Let every failure reach the engine as one sentence that holds no secret of the request."""

    @functools.wraps(method)
    def answer(self: Any, request: Any, context: Any) -> Any:
        try:
            return method(self, request, context)
        except Exception as error:  # noqa: BLE001 - the process serves other resources too
            abort(context, error, request, self.package.sentences)

    return answer


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """A provider as the engine sees it, whatever it provides."""

    has_components = False
    """Whether it constructs components, whose inputs may be resources and outputs of others."""

    def __init__(self, package: Package[Any]) -> None:
        self.package = package
        self._configured: Lifecycle | None = None
        self._log: Any = None
        self._cancelled = Event()

    @explaining
    def Handshake(self, request: Any, context: Any) -> Any:
        """Say what the engine may send; must agree with `Configure`."""
        if request.engine_address:
            self._log = engine_pb2_grpc.EngineStub(grpc.insecure_channel(request.engine_address))
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True,
            supports_autonaming_configuration=True,
            accept_resources=self.has_components,
            accept_outputs=self.has_components,
        )

    @explaining
    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        """Answer with the version of the SDK that is served."""
        return plugin_pb2.PluginInfo(version=self.package.version)

    @explaining
    def GetSchema(self, request: Any, context: Any) -> Any:
        """Describe what is served."""
        return provider_pb2.GetSchemaResponse(schema=json.dumps(self.package.schema(self.package.version)))

    @explaining
    def CheckConfig(self, request: Any, context: Any) -> Any:
        """Check the settings as soon as they are known."""
        settings = _plain(request.news)
        if not has_unknown(settings):
            self.package.read_settings(settings)
        return provider_pb2.CheckResponse(inputs=request.news)

    @explaining
    def DiffConfig(self, request: Any, context: Any) -> Any:
        """Compare settings; none of the provider's replaces its resources."""
        changed = from_struct(request.old_inputs or request.olds) != from_struct(request.news)
        change = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=change)

    @explaining
    def Configure(self, request: Any, context: Any) -> Any:
        """Take the settings; nothing is called yet."""
        self._configured = self.package.lifecycle(self.package.read_settings(_plain(request.args)))
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True,
            supportsPreview=True,
            supports_autonaming_configuration=True,
            acceptResources=self.has_components,
            acceptOutputs=self.has_components,
        )

    @explaining
    def Invoke(self, request: Any, context: Any) -> Any:
        """Answer a function call of the program."""
        result = self._lifecycle.invoke(request.tok, _plain(request.args))
        return provider_pb2.InvokeResponse(**{"return": to_struct(result)})

    @explaining
    def Check(self, request: Any, context: Any) -> Any:
        """Check and complete the inputs of a resource."""
        marked = from_struct(request.news)
        naming = Naming(request.randomSeed, _proposed_name(request))
        checked = self._lifecycle.check(_resource(request), _plain(request.olds), reveal(marked), naming)
        failures = [provider_pb2.CheckFailure(property=path, reason=reason) for path, reason in checked.failures]
        return provider_pb2.CheckResponse(inputs=to_struct(conceal(checked.inputs, marked)), failures=failures)

    @explaining
    def Diff(self, request: Any, context: Any) -> Any:
        """Say which properties change and whether that needs a replacement."""
        olds, old_inputs, news = (_plain(struct) for struct in (request.olds, request.old_inputs, request.news))
        found = self._lifecycle.diff(_resource(request), olds, old_inputs, news)
        found.ignore(request.ignoreChanges)
        return _diff_response(found)

    @explaining
    def Create(self, request: Any, context: Any) -> Any:
        """Create a resource, or foresee what that would give."""
        marked, resource = from_struct(request.properties), _resource(request)
        with self._operation(request.urn):
            if request.preview:
                id_, outputs = "", self._lifecycle.foresee_create(resource, reveal(marked))
            else:
                id_, outputs = self._lifecycle.create(resource, reveal(marked), request.timeout)
        return provider_pb2.CreateResponse(id=id_, properties=self._struct(outputs, marked))

    @explaining
    def Read(self, request: Any, context: Any) -> Any:
        """Read a resource: with its state for a refresh, by its id alone for an import."""
        state, inputs = from_struct(request.properties), from_struct(request.inputs)
        with self._operation(request.urn):
            found = self._lifecycle.read(_resource(request), reveal(state), reveal(inputs))
        if found is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=found.id,
            properties=self._struct(found.outputs, {**state, **inputs}),
            inputs=self._struct(found.inputs, inputs),
        )

    @explaining
    def Update(self, request: Any, context: Any) -> Any:
        """Change a resource in place, or foresee what that would give."""
        marked, resource = from_struct(request.news), _resource(request)
        olds, old_inputs, news = _plain(request.olds), _plain(request.old_inputs), reveal(marked)
        with self._operation(request.urn):
            if request.preview:
                outputs = self._lifecycle.foresee_update(resource, olds, old_inputs, news)
            else:
                outputs = self._lifecycle.update(resource, olds, old_inputs, news, request.timeout)
        return provider_pb2.UpdateResponse(properties=self._struct(outputs, marked))

    @explaining
    def Delete(self, request: Any, context: Any) -> Any:
        """Delete a resource."""
        with self._operation(request.urn):
            self._lifecycle.delete(_resource(request), _plain(request.properties), request.timeout)
        return Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        """End what waits at once; calls in work are short."""
        self._cancelled.set()
        return Empty()

    def Attach(self, request: Any, context: Any) -> Any:
        """Do nothing: the engine needs nothing from us that it does not ask for."""
        return Empty()

    def _operation(self, urn: str) -> AbstractContextManager[None]:
        return Operation(urn, self._log, self._cancelled).running()

    @property
    def _lifecycle(self) -> Lifecycle:
        if self._configured is None:
            raise ProviderError(f"the engine called the {self.package.name} provider before configuring it")
        return self._configured

    def _struct(self, properties: Properties, marked: Properties) -> Struct:
        return to_struct(self._lifecycle.conceal(properties, marked))


def _plain(struct: Struct) -> Properties:
    return dict(reveal(from_struct(struct)))


def _resource(request: Any) -> Resource:
    # Engines before 3.136 send the URN only: urn:pulumi:stack::project::parent$type::name.
    type_ = request.type or request.urn.split("::")[2].rpartition("$")[2]
    return Resource(type_, request.urn, getattr(request, "id", ""))


def _proposed_name(request: Any) -> str | None:
    if not request.HasField("autonaming"):
        return None
    disabled = request.autonaming.mode == provider_pb2.CheckRequest.AutonamingOptions.DISABLE
    return "" if disabled else str(request.autonaming.proposed_name)


def _diff_response(found: Difference) -> Any:
    replaced = found.replaced
    detailed = {
        path: provider_pb2.PropertyDiff(
            kind=(_REPLACE_KINDS if path in replaced else _KINDS)[kind], inputDiff=top_level(path) not in found.outputs
        )
        for path, kind in found.paths.items()
    }
    changes = bool(found.paths) or found.elsewhere
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if changes else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=replaced,
        diffs=sorted(found.changed),
        deleteBeforeReplace=bool(replaced) and found.delete_first,
        detailedDiff=detailed,
        hasDetailedDiff=not found.elsewhere,
    )

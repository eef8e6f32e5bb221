"""What every stand-in provider does alike: `pulumirpc.ResourceProvider` over gRPC.

https://github.com/pulumi/pulumi/blob/master/proto/pulumi/provider.proto
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar

from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from scar_pulumi.stand_ins.plugin.failures import abort
from scar_pulumi.stand_ins.plugin.progress import Engine
from scar_pulumi.stand_ins.plugin.values import Properties, conceal, from_struct, has_unknown, reveal, to_struct, top

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


def told(method: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """Every failure reaches the engine as one sentence that holds no secret of the request."""

    @functools.wraps(method)
    def answer(self: Any, request: Any, context: Any) -> Any:
        try:
            return method(self, request, context)
        except Exception as error:  # noqa: BLE001 - the process serves other resources too
            abort(context, error, request)

    return answer


def resource_type(request: Any) -> str:
    """The token of a request's resource."""
    # Engines before 3.136 send the URN only: urn:pulumi:stack::project::parent$type::name.
    return str(request.type or request.urn.split("::")[2].rpartition("$")[2])


def proposed_name(request: Any) -> str | None:
    """The name that `pulumi:autonaming` asks for; "" when it forbids automatic names."""
    options = provider_pb2.CheckRequest.AutonamingOptions
    if not request.HasField("autonaming"):
        return None
    return "" if request.autonaming.mode == options.DISABLE else str(request.autonaming.proposed_name)


def check_answer(inputs: Properties, raw: Properties, failures: Iterable[tuple[str, str]]) -> Any:
    """The answer to Check: the completed inputs, as secret as they came, and what is wrong with which property."""
    found = [provider_pb2.CheckFailure(property=path, reason=reason) for path, reason in failures]
    return provider_pb2.CheckResponse(inputs=to_struct(conceal(inputs, raw)), failures=found)


def difference_answer(
    paths: Mapping[str, str],
    replaced: Iterable[str],
    *,
    replacing: Callable[[str], bool],
    delete_first: bool,
    computed: frozenset[str] = frozenset(),
) -> Any:
    """The answer to Diff: changed paths as "add", "delete" or "update", those that replace, and what to replace."""
    detailed = {
        path: provider_pb2.PropertyDiff(
            kind=(_REPLACE_KINDS if replacing(path) else _KINDS)[kind], inputDiff=path not in computed
        )
        for path, kind in paths.items()
    }
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if paths else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=list(replaced),
        diffs=sorted({top(path) for path in paths}),
        deleteBeforeReplace=delete_first,
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """A provider as the engine sees it, without what it provides."""

    package: ClassVar[str]
    """The package whose plugin it stands in for, such as `aws`."""

    def __init__(self) -> None:
        self.engine = Engine()

    @property
    def version(self) -> str:
        """The version of the SDK that is served."""
        try:
            return version(f"pulumi-{self.package}")
        except PackageNotFoundError:
            return "0.0.0"

    @told
    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Say what the engine may send; must agree with `Configure`."""
        self.engine = Engine(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, supports_autonaming_configuration=True)

    @told
    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Answer with the version of the SDK that is served."""
        return plugin_pb2.PluginInfo(version=self.version)

    @told
    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Check the settings as soon as they are known."""
        settings = reveal(from_struct(request.news))
        if not has_unknown(settings):
            self.check_settings(settings)
        return provider_pb2.CheckResponse(inputs=request.news)

    @told
    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """No setting of the provider replaces its resources."""
        changed = from_struct(request.old_inputs or request.olds) != from_struct(request.news)
        change = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=change)

    @told
    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Take the settings; nothing is called yet."""
        self.configure(from_struct(request.args))
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    def check_settings(self, settings: dict[str, Any]) -> None:
        """Raise UnservedError for settings that lead off this machine, or that are not served."""
        raise NotImplementedError

    def configure(self, settings: dict[str, Any]) -> None:
        """Take the provider's settings, in which secrets are still marked."""
        raise NotImplementedError

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Calls in work are short, or end with the process."""
        return Empty()

    def Attach(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """The engine needs nothing from us that it does not ask for."""
        return Empty()

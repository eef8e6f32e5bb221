"""What every stand-in answers alike.

https://github.com/pulumi/pulumi/blob/master/proto/pulumi/provider.proto
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar

from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from scar_pulumi.stand_ins.plugin.progress import Engine
from scar_pulumi.stand_ins.plugin.requests import told
from scar_pulumi.stand_ins.plugin.wire import from_struct, has_unknown, reveal


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

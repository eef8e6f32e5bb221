"""HTTP APIs as the gateway sees them: the interface that makes them, and the requests to them."""

from functools import partial

from scar_pulumi.cloud.api_gateway.access_log import AccessLog
from scar_pulumi.cloud.api_gateway.addresses import url_of
from scar_pulumi.cloud.api_gateway.authorization import Authorization
from scar_pulumi.cloud.api_gateway.control_plane import ControlPlane
from scar_pulumi.cloud.api_gateway.endpoint import HttpEndpoint
from scar_pulumi.cloud.api_gateway.integration import LambdaIntegration
from scar_pulumi.cloud.api_gateway.issuers import Issuers
from scar_pulumi.cloud.api_gateway.store import Store
from scar_pulumi.cloud.lambda_.functions import Functions
from scar_pulumi.cloud.lambda_.invocations import Invocations
from scar_pulumi.cloud.layout import Layout
from scar_pulumi.cloud.logs.log_sink import CloudLogSink
from scar_pulumi.cloud.ministack.upstream import Upstream


class HttpApis:
    """The parts that belong together; `address` is the local cloud's own."""

    def __init__(
        self,
        layout: Layout,
        address: str,
        *,
        functions: Functions,
        invocations: Invocations,
        upstream: Upstream,
        logs: CloudLogSink,
    ) -> None:
        store = Store(layout.apis)
        integration = LambdaIntegration(functions, invocations, upstream)
        authorization = Authorization(Issuers(layout.token_keys))
        self.control = ControlPlane(store, partial(url_of, address))
        self.endpoint = HttpEndpoint(store, authorization, integration, AccessLog(logs))

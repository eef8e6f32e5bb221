"""HTTP APIs as the gateway sees them: the interface that makes them, and the requests to them."""

from functools import partial

from scar_pulumi.local.functions import Functions
from scar_pulumi.local.http_endpoint.access_log import AccessLog
from scar_pulumi.local.http_endpoint.addresses import url_of
from scar_pulumi.local.http_endpoint.authorization import Authorization
from scar_pulumi.local.http_endpoint.control_plane import ControlPlane
from scar_pulumi.local.http_endpoint.endpoint import HttpEndpoint
from scar_pulumi.local.http_endpoint.integration import LambdaIntegration
from scar_pulumi.local.http_endpoint.issuers import Issuers
from scar_pulumi.local.http_endpoint.store import Store
from scar_pulumi.local.invocations import Invocations
from scar_pulumi.local.layout import Layout
from scar_pulumi.local.log_sink import CloudLogSink
from scar_pulumi.local.upstream import Upstream


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

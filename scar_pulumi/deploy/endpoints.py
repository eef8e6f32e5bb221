"""The HTTP endpoints of an FDL file: one API for all functions that name the same, in each region."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from pulumi import Output

from scar_components import ApiGatewayEndpoint, LambdaContainerFunction
from scar_pulumi.deploy.endpoint_arguments import api_of, endpoint_arguments
from scar_pulumi.fdl import Fdl, Function


def declare_endpoints(fdl: Fdl, functions: Mapping[str, LambdaContainerFunction]) -> dict[str, dict[str, Any]]:
    """Declare every API; return what the data plane needs to know of it, by function."""
    having = sorted((function for function in fdl.functions if function.api_gateway), key=_place)
    groups = [(place, list(group)) for place, group in groupby(having, key=_place)]
    names = [name for (name, _), _ in groups]
    found: dict[str, dict[str, Any]] = {}
    for (name, region), group in groups:
        whole = f"{name}-{region}" if names.count(name) > 1 else name
        endpoint = ApiGatewayEndpoint(f"{whole}-endpoint", endpoint_arguments(group, functions))
        found |= {function.name: _outputs(function, endpoint) for function in group}
    return found


def _outputs(function: Function, endpoint: ApiGatewayEndpoint) -> dict[str, Any]:
    name, api = function.name, api_of(function)
    found: dict[str, Any] = {
        "url": endpoint.function_urls.apply(lambda urls: urls[name]),
        "asyncUrl": endpoint.async_urls.apply(lambda urls: urls[name]),
        "auth": api.authorization,
    }
    if api.http_method != "ANY":
        found["method"] = api.http_method
    if api.ui:
        found["page"] = Output.concat(found["url"], "/ui" if api.authorization == "JWT" else "/")
    return (
        {**found, "domain": {"name": api.domain["domain_name"], "target": endpoint.domain_target}}
        if api.domain
        else found
    )


def _place(function: Function) -> tuple[str, str]:
    return api_of(function).name, function.region or ""

"""The HTTP endpoints of an FDL file: one API for all functions that name the same, in each region."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, cast

from pulumi import Output

from scar_components import ApiGatewayEndpoint, LambdaContainerFunction
from scar_components.endpoint_arguments import ApiGatewayEndpointArgs, EndpointFunction
from scar_pulumi.fdl import Fdl, Function
from scar_pulumi.fdl.endpoint import ApiGateway

_EVERYTHING = "{proxy+}"


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


def endpoint_arguments(
    group: Sequence[Function], functions: Mapping[str, LambdaContainerFunction]
) -> ApiGatewayEndpointArgs:
    """Return what the component takes of the functions behind one API."""
    apis = [_api(function) for function in group]
    first = apis[0]
    # What an API has once, one of its functions gives; the language has checked that they do not contradict each other.
    tokens = next((api.tokens for api in apis if api.tokens), None)
    domain = next((api.domain for api in apis if api.domain), None)
    shared = sum(api.path_part == _EVERYTHING for api in apis) > 1
    arguments = {
        "api_name": first.name,
        "stage": first.stage_name,
        "functions": [_function(function, functions[function.name], shared=shared) for function in group],
        "tokens": tokens and {"issuer": tokens.issuer, "audience": list(tokens.audience)},
        "cors": next((api.cors for api in apis if api.cors), None),
        "throttling": next((api.throttling for api in apis if api.throttling), None),
        "domain": domain and {"name": domain["domain_name"], "certificate_arn": domain["certificate_arn"]},
        "log_retention": group[0].log_retention,
        "region": group[0].region,
        "tags": {key: value for key, value in group[0].tags.items() if _all_have(group, key, value)},
    }
    return cast(ApiGatewayEndpointArgs, {key: value for key, value in arguments.items() if value})


def _function(function: Function, component: LambdaContainerFunction, *, shared: bool) -> EndpointFunction:
    """Return a function of an endpoint; of several that want every path, each has those below its name."""
    api = _api(function)
    given: EndpointFunction = {
        "function_name": function.name,
        "function_arn": component.arn,
        "path": function.name if shared and api.path_part == _EVERYTHING else api.path_part,
        "method": api.http_method,
        "authorization": api.authorization,
    }
    if api.tokens and api.tokens.scopes:
        given["scopes"] = list(api.tokens.scopes)
    if api.ui:
        given["page"] = True
    return given


def _outputs(function: Function, endpoint: ApiGatewayEndpoint) -> dict[str, Any]:
    name, api = function.name, _api(function)
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
    return _api(function).name, function.region or ""


def _api(function: Function) -> ApiGateway:
    assert function.api_gateway is not None, function.name
    return function.api_gateway


def _all_have(group: Sequence[Function], key: str, value: str) -> bool:
    return all(function.tags.get(key) == value for function in group)

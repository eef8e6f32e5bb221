"""."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from scar_components.endpoint_arguments import ApiGatewayEndpointArgs, EndpointFunction
from scar_pulumi.fdl import Function
from scar_pulumi.fdl.endpoint import ApiGateway

if TYPE_CHECKING:
    from scar_components import LambdaContainerFunction

_EVERYTHING = "{proxy+}"


def endpoint_arguments(
    group: Sequence[Function], functions: Mapping[str, "LambdaContainerFunction"]
) -> ApiGatewayEndpointArgs:
    """Return what the component takes of the functions behind one API."""
    apis = [api_of(function) for function in group]
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


def _function(function: Function, component: "LambdaContainerFunction", *, shared: bool) -> EndpointFunction:
    """Return a function of an endpoint; of several that want every path, each has those below its name."""
    api = api_of(function)
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


def api_of(function: Function) -> ApiGateway:
    """Return the endpoint of a function that has one."""
    assert function.api_gateway is not None, function.name
    return function.api_gateway


def _all_have(group: Sequence[Function], key: str, value: str) -> bool:
    return all(function.tags.get(key) == value for function in group)

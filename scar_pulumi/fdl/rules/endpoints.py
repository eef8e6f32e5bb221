"""Rules about HTTP endpoints: whose tokens they take, functions that share an API, pages, and who may call."""

from itertools import groupby
from typing import Any

from scar_foundation.limits import HTTP_API_PATH, HTTP_API_TIMEOUT
from scar_pulumi.fdl.document import Document, FunctionValues

_BY_TOKEN = ("JWT", "COGNITO_USER_POOLS")
_ASYNC = "async"
# What an API has once, for all functions behind it; one of them is enough to give it.
_COMMON = ("stage_name", "cors", "domain", "jwt", "throttling")


def endpoints_agree(document: Document) -> None:
    """Check that tokens have an issuer, and that functions of one API have different paths."""
    endpoints = [function for function in document.functions() if _api(function).get("name")]
    for function in endpoints:
        _tokens_have_an_issuer(document, function)
        _path_is_free(document, function)
    for _, group in groupby(sorted(endpoints, key=_place), key=_place):
        _share(document, list(group))


def _api(function: FunctionValues) -> dict[str, Any]:
    section: dict[str, Any] = function.values.get("api_gateway", {})
    return section


def _place(function: FunctionValues) -> tuple[str, str]:
    """Two functions of one API have the same: APIs are where their functions are."""
    return str(_api(function)["name"]), str(function.settings.get("region") or "")


def _tokens_have_an_issuer(document: Document, function: FunctionValues) -> None:
    kind = _api(function).get("method", {}).get("authorizationType")
    if kind in _BY_TOKEN and not _api(function).get("jwt"):
        path = f"{function.path}.api_gateway.method.authorizationType"
        document.error(
            path, f"'{kind}' needs the issuer and the audience of the tokens", "add jwt: {issuer: …, audience: […]}"
        )


def _path_is_free(document: Document, function: FunctionValues) -> None:
    if str(_api(function).get("path_part")).split("/")[-1] == _ASYNC:
        path = f"{function.path}.api_gateway.path_part"
        document.error(path, f"ends in '{_ASYNC}', which is reserved for asynchronous calls", "choose another path")


def _share(document: Document, functions: list[FunctionValues]) -> None:
    if len(functions) < 2:
        return
    for key in _COMMON:
        giving = [function for function in functions if _api(function).get(key)]
        for other in giving[1:]:
            if _api(other)[key] != _api(giving[0])[key]:
                path = f"{other.path}.api_gateway.{key}"
                message = (
                    f"differs from that of '{giving[0].name}', with which it shares the API '{_api(other)['name']}'"
                )
                document.error(
                    path, message, "an API has only one: give both functions the same, or their APIs different names"
                )
    _paths_differ(document, functions)


def _paths_differ(document: Document, functions: list[FunctionValues]) -> None:
    everything = [function for function in functions if _api(function).get("path_part") == HTTP_API_PATH]
    if len(everything) > 1:
        for function in everything:
            message = f"shares the API '{_api(function)['name']}' with others, so its path is /{function.name}"
            document.warning(f"{function.path}.api_gateway", message, "set another one with path_part")
    taken: dict[str, FunctionValues] = {}
    for function in functions:
        path = str(_api(function).get("path_part")).strip("/")
        path = str(function.name) if path == HTTP_API_PATH and len(everything) > 1 else path
        if path in taken:
            message = f"'{path}' is also the path of '{taken[path].name}' in the same API"
            document.error(f"{function.path}.api_gateway.path_part", message, "give each a path of its own")
        taken.setdefault(path, function)


# A browser cannot sign requests as AWS wants it, and gets no token of other kinds from the user.
_WITHOUT_PAGE = {
    "AWS_IAM": "browsers cannot sign requests with AWS credentials",
    "CUSTOM": "the page does not know what the authorizer wants",
}


def callers_can_be_told(document: Document) -> None:
    """Check that an endpoint's authorization is one that the file can describe."""
    for function in document.functions():
        api = function.values.get("api_gateway", {})
        if api.get("name") and api.get("method", {}).get("authorizationType") == "CUSTOM":
            path = f"{function.path}.api_gateway.method.authorizationType"
            message = "'CUSTOM' needs an authorizer function, which FDL cannot name"
            document.error(path, message, "use JWT or AWS_IAM")


def pages_can_be_opened(document: Document) -> None:
    """Check that a browser can get a function's page and call the function from it."""
    for function in document.functions():
        api = function.values.get("api_gateway", {})
        if api.get("ui") and api.get("name"):
            _check_page(document, function, api.get("method", {}).get("authorizationType"), api.get("http_method"))


def _check_page(document: Document, function: FunctionValues, authorization: str | None, method: str | None) -> None:
    path = f"{function.path}.api_gateway"
    if reason := _WITHOUT_PAGE.get(authorization or ""):
        message = f"there is no page with authorizationType {authorization}: {reason}"
        document.error(f"{path}.ui", message, "leave out 'ui', or use authorizationType NONE or JWT")
    if method not in (None, "ANY"):
        message = f"there is no page with http_method {method}: browsers get it with GET and call with POST"
        document.error(f"{path}.ui", message, "leave out 'ui' or 'http_method'")


def costs_are_meant(document: Document) -> None:
    """Warn of endpoints that anyone can call, and of answers that come too late."""
    for function in document.functions():
        _warn_of_endpoint(document, function)
    for service in document.services():
        expose = service.values.get("expose", {})
        if expose.get("api_port") and not expose.get("set_auth"):
            message = "anyone who knows the address can use the service"
            document.warning(f"{service.path}.expose", message, "ask for a password with set_auth: true")


def _warn_of_endpoint(document: Document, function: FunctionValues) -> None:
    api = function.values.get("api_gateway", {})
    if not api.get("name"):
        if document.given(f"{function.path}.api_gateway") and document.is_own(f"{function.path}.api_gateway"):
            message = "has no effect without 'name'"
            document.warning(f"{function.path}.api_gateway", message, "add the name of the API")
        return
    path = f"{function.path}.api_gateway"
    if api.get("method", {}).get("authorizationType", "NONE") == "NONE":
        message = "anyone who knows the address can run the function, at your cost"
        document.warning(path, message, "restrict it to your account with method: {authorizationType: AWS_IAM}")
    timeout = function.settings.get("timeout")
    if timeout is not None and timeout > HTTP_API_TIMEOUT and document.given(f"{function.path}.lambda.timeout"):
        message = (
            f"calls over HTTP get 504 after {HTTP_API_TIMEOUT} s, while the function runs on for up to {timeout} s"
        )
        document.warning(path, message, "call asynchronously, or lower lambda.timeout")

"""Warnings about what is legal, but may cost money or data."""

from scar_pulumi.fdl._document import Document, FunctionValues

# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
_LONGEST_CALL = 29


def costs_are_meant(document: Document) -> None:
    """Endpoints that everybody can call, and answers that come too late."""
    for function in document.functions():
        _api(document, function)
    for service in document.services():
        expose = service.values.get("expose", {})
        if expose.get("api_port") and not expose.get("set_auth"):
            message = "everybody who knows the address can use the service"
            document.warning(f"{service.path}.expose", message, "set_auth: true asks for a password")


def _api(document: Document, function: FunctionValues) -> None:
    api = function.values.get("api_gateway", {})
    if not api.get("name"):
        if document.given(f"{function.path}.api_gateway") and document.is_own(f"{function.path}.api_gateway"):
            message = "has no effect without 'name'"
            document.warning(f"{function.path}.api_gateway", message, "give the API a name to have one")
        return
    path = f"{function.path}.api_gateway"
    if api.get("method", {}).get("authorizationType", "NONE") == "NONE":
        message = "everybody who knows the address can run the function, at your cost"
        document.warning(path, message, "method: {authorizationType: AWS_IAM} lets only your account")
    timeout = function.settings.get("timeout")
    if timeout is not None and timeout > _LONGEST_CALL and document.given(f"{function.path}.lambda.timeout"):
        message = f"calls over HTTP get 504 after {_LONGEST_CALL} s, and the function goes on until its {timeout} (s)"
        document.warning(path, message, "call asynchronously, or lower lambda.timeout")

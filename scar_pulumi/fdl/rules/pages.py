"""What the page in front of a function (`ui: true`) needs of its endpoint."""

from scar_pulumi.fdl._document import Document, FunctionValues

# A browser cannot sign requests as AWS wants it, and gets no token of other kinds from the user.
_CANNOT = {
    "AWS_IAM": "browsers cannot sign requests with AWS credentials",
    "CUSTOM": "the page does not know what the authorizer wants",
}


def pages_can_be_opened(document: Document) -> None:
    """A page is where a browser gets it, and can call the function from there."""
    for function in document.functions():
        api = function.values.get("api_gateway", {})
        if api.get("ui") and api.get("name"):
            _page(document, function, api.get("method", {}).get("authorizationType"), api.get("http_method"))


def _page(document: Document, function: FunctionValues, authorization: str | None, method: str | None) -> None:
    path = f"{function.path}.api_gateway"
    if reason := _CANNOT.get(authorization or ""):
        message = f"a page cannot be had with authorizationType {authorization}: {reason}"
        document.error(f"{path}.ui", message, "leave out 'ui', or let everybody call, or those with a token")
    if method not in (None, "ANY"):
        message = f"a page cannot be had with http_method {method}: it is fetched with GET and calls with POST"
        document.error(f"{path}.ui", message, "leave out 'ui' or 'http_method'")

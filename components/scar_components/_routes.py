"""The routes of an endpoint's functions, as plain data.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pulumi

from scar_components.endpoint_arguments import EndpointFunction

EVERYTHING = "{proxy+}"
LAUNCH = "launch"
"""The path by which SCAR's users know a function that has every path."""
ASYNC = "async"
"""The last part of the path on which a call is answered before the function runs."""

PAGE = "ui"
"""The last part of the path of the page to try the function in a browser."""

AUTHORIZATIONS = ("NONE", "AWS_IAM", "JWT")
# All but OPTIONS: without a route for it, the gateway answers a browser's question before a call by itself, where a
# route with an authorization would refuse it. https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class Place(NamedTuple):
    """Where a function is called, relative to the stage: the path of its URL, and all paths that lead to it."""

    url: str
    asynchronous: str
    paths: tuple[str, ...]


def place(function: EndpointFunction) -> Place:
    """Return where a function is called."""
    path = function.get("path", EVERYTHING).strip("/")
    if path == EVERYTHING:
        url = f"/{LAUNCH}"
        return Place(url, f"{url}/{ASYNC}", (f"/{EVERYTHING}", f"{url}/{ASYNC}"))
    url = f"/{path}"
    below = () if path.endswith("+}") else (f"{url}/{EVERYTHING}", f"{url}/{ASYNC}")
    return Place(url, f"{url}/{ASYNC}", (url, *below))


def route_keys(function: EndpointFunction, *, cors: bool) -> Iterator[tuple[str, str]]:
    """Return the keys of a function's routes, each with its authorization."""
    method, authorization = function.get("method", "ANY"), function.get("authorization", "NONE")
    methods = _METHODS if method == "ANY" and cors and authorization != "NONE" else (method,)
    for path in place(function).paths:
        yield from ((f"{one} {path}", authorization) for one in methods)
    if function.get("page") and authorization == "JWT":
        yield f"GET {place(function).url}/{PAGE}", "NONE"


def route_name(key: str) -> str:
    """Return the part that a route has in its resource's name."""
    method, _, path = key.partition(" ")
    words = re.sub(r"[^A-Za-z0-9]+", "-", path.replace("{proxy+}", "any")).strip("-")
    return f"{words}-{method.lower()}"


def check(functions: Sequence[EndpointFunction], *, tokens: bool) -> None:
    """Complain about functions that no API can have beside each other.

    Raises:
        pulumi.RunError: What is wrong and what to do.
    """
    taken: dict[str, str] = {}
    for function in functions:
        name = function["function_name"]
        _check_one(function, tokens=tokens)
        for key in (f"{function.get('method', 'ANY')} {path}" for path in place(function).paths):
            if key in taken:
                raise pulumi.RunError(f"functions {taken[key]} and {name} both answer {key!r}; give each a path")
            taken[key] = name


def _check_one(function: EndpointFunction, *, tokens: bool) -> None:
    name, authorization = function["function_name"], function.get("authorization", "NONE")
    if authorization not in AUTHORIZATIONS:
        raise pulumi.RunError(
            f"{name}: authorization {authorization!r} is none of an HTTP API; it has {', '.join(AUTHORIZATIONS)}"
        )
    if authorization == "JWT" and not tokens:
        raise pulumi.RunError(f"{name}: authorization JWT needs to know whose tokens it accepts; give `tokens`")
    path = function.get("path", EVERYTHING).strip("/")
    if path == ASYNC or path.endswith(f"/{ASYNC}"):
        raise pulumi.RunError(f"{name}: path {path!r} ends in {ASYNC!r}, which is kept for calls nobody waits for")

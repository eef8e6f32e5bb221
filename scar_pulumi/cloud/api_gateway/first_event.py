"""A request as functions get it that were made for REST APIs: the payload of format 1.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from typing import Any
from urllib.parse import parse_qs

from scar_pulumi.cloud.api_gateway.event import Call, body_of, context, headers_of


def first_payload(call: Call) -> dict[str, Any]:
    """The event; what a request does not have is null."""
    cookie = call.request.header("cookie")
    headers = headers_of(call) | ({"cookie": cookie} if cookie else {})
    query = parse_qs(call.request.query, keep_blank_values=True)
    body, encoded = body_of(call.request)
    return {
        "version": "1.0",
        "resource": call.route.path or call.route.key,
        "path": call.path,
        "httpMethod": call.request.method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": _context(call),
        "pathParameters": dict(call.variables) or None,
        "stageVariables": dict(call.stage_variables) or None,
        "body": body,
        "isBase64Encoded": encoded,
    }


def _context(call: Call) -> dict[str, Any]:
    known = context(call)
    http = known.pop("http")
    key = known.pop("routeKey")
    return {
        **known,
        "extendedRequestId": known["requestId"],
        "httpMethod": http["method"],
        "identity": {"sourceIp": http["sourceIp"], "userAgent": http["userAgent"]},
        "path": http["path"],
        "protocol": http["protocol"],
        "requestTime": known.pop("time"),
        "requestTimeEpoch": known.pop("timeEpoch"),
        "resourceId": key,
        "resourcePath": call.route.path or key,
    }

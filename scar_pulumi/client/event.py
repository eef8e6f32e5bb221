"""A call as the event that Lambda hands to a function, without a gateway between."""

import base64
import json

from scar_pulumi.client.call import Body, Call


def event_of(call: Call) -> bytes:
    """Return the event: JSON as it stands, anything else wrapped so that the supervisor unpacks the input file."""
    if call.parameters:
        return _request(call)
    if call.body is None:
        return b"{}"
    return call.body.content if call.body.is_json else json.dumps(_encoded(call.body)).encode()


def _request(call: Call) -> bytes:
    """The event that a gateway would make of a call: only requests have parameters.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    parameters: dict[str, str] = {}
    for name, value in call.parameters:
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    event = {
        "version": "2.0",
        "requestContext": {"http": {"method": "POST"}},
        "headers": {"x-amz-invocation-type": "Event"} if call.later else {},
        "queryStringParameters": parameters,
        "body": _encoded(call.body) if call.body else "",
        "isBase64Encoded": call.body is not None,
    }
    return json.dumps(event).encode()


def _encoded(body: Body) -> str:
    return base64.b64encode(body.content).decode()

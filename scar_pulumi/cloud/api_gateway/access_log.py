"""Access logs: a line for each request, in the stage's format.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
"""

import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any

from scar_pulumi.cloud.api_gateway.apis import HttpApi, Stage
from scar_pulumi.cloud.api_gateway.lambda_integration import IntegrationResponse
from scar_pulumi.cloud.api_gateway.payload_formats import Arrival, RoutedRequest, request_time
from scar_pulumi.cloud.logs.cloudwatch import CloudLogSink

_VARIABLE = re.compile(r"\$context\.([A-Za-z]+(?:\.[A-Za-z]+)*)")


class AccessLog:
    """Writes to the log groups of stages."""

    def __init__(self, logs: CloudLogSink) -> None:
        self._logs = logs
        self._known: set[str] = set()

    def write(self, api: HttpApi, stage: Stage, arrival: Arrival, known: Mapping[str, Any]) -> None:
        """Write a line, if the stage has an access log."""
        if not stage.log_group:
            return
        if stage.log_group not in self._known:
            self._known.add(stage.log_group)
            self._logs.expect(stage.log_group, api.account, api.region)
        stream = hashlib.sha256(f"{api.id}/{stage.name}".encode()).hexdigest()[:32]
        self._logs.put(stage.log_group, stream, [(int(arrival.time * 1000), line(stage.log_format, known))])


def variables(
    api: HttpApi, stage: Stage, arrival: Arrival, call: RoutedRequest | None, outcome: IntegrationResponse
) -> dict[str, Any]:
    """Return what is known of a request and its answer, by the names that formats use."""
    request, status = arrival.request, outcome.response.status_code
    return {
        "accountId": api.account,
        "apiId": api.id,
        "domainName": request.header("host"),
        "error.message": outcome.problem,
        "httpMethod": request.method,
        "identity.sourceIp": arrival.source,
        "identity.userAgent": request.header("user-agent"),
        "integration.requestId": outcome.request_id,
        "integrationErrorMessage": outcome.problem,
        "integrationStatus": status if outcome.request_id else None,
        "path": call.path if call else None,
        "protocol": arrival.protocol,
        "requestId": arrival.id,
        "requestTime": request_time(arrival.time),
        "requestTimeEpoch": int(arrival.time * 1000),
        "responseLatency": int((time.time() - arrival.time) * 1000),
        "responseLength": len(outcome.response.body),
        "routeKey": call.route.key if call else None,
        "stage": stage.name,
        "status": status,
    }


def line(form: str, known: Mapping[str, Any]) -> str:
    """Return the format with its variables filled in; what is not known is a dash."""
    return _VARIABLE.sub(lambda found: _text(known.get(found[1])), form)


def _text(value: Any) -> str:
    text = "-" if value in (None, "") else str(value)
    # A client must not be able to write what looks like another field or another line.
    return text.translate({ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r"})

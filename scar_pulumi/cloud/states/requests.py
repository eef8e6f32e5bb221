"""Requests to Step Functions: checked against botocore's description, and the errors and pages of the answers."""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

from scar_foundation.limits import STATES_NAME_CHARACTERS, STATES_NAME_PATTERN, STATES_PAGE
from scar_pulumi.cloud.asgi import Response, json_response
from scar_pulumi.cloud.service import ServiceError
from scar_pulumi.cloud.service_models import request_mistakes, service_model
from scar_pulumi.cloud.signature import Caller

TARGET = "AWSStepFunctions."


class StatesError(ServiceError):
    """The request is refused, with AWS's code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(400, code, message)


def json_error(error: ServiceError) -> Response:
    """Return an error in AWS's JSON protocol."""
    body = {"__type": error.code, "message": error.message}
    return json_response(body, error.status, {"x-amzn-errortype": error.code})


def check_request(operation: str, document: Mapping[str, Any]) -> None:
    """Compare a request with the operation's description. Raises StatesError with all mistakes."""
    if operation not in service_model("stepfunctions").operation_names:
        raise StatesError(
            "UnknownOperationException", f"{operation or 'a request without a target'}: unknown operation"
        )
    if wrong := request_mistakes("stepfunctions", operation, document, frozenset()):
        raise StatesError("ValidationException", wrong)


def check_name(name: str) -> None:
    """Raise StatesError for a name that Step Functions does not take."""
    if len(name) > STATES_NAME_CHARACTERS or not re.fullmatch(STATES_NAME_PATTERN, name):
        raise StatesError(
            "InvalidName",
            f"Invalid Name: '{name}' must have 1 to {STATES_NAME_CHARACTERS} characters, no blanks and none of "
            '<>{}[]?*"#%\\^|~`$&,;:/',
        )


def machine_arn(caller: Caller, name: str) -> str:
    """Return the ARN of a state machine."""
    return f"arn:aws:states:{caller.region}:{caller.account}:stateMachine:{name}"


def check_arn(arn: str, kind: str) -> None:
    """Raise StatesError for what is no ARN of its kind: stateMachine, execution or mapRun."""
    if not re.fullmatch(rf"arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]{{12}}:{kind}:\S+", arn):
        raise StatesError("InvalidArn", f"Invalid Arn: '{arn}' is no ARN of a {kind}")


def bounds(document: Mapping[str, Any]) -> tuple[int, int]:
    """Return where a page starts and how many items it has. Raises StatesError."""
    size = document.get("maxResults") or STATES_PAGE.default or 0
    if size not in STATES_PAGE:
        raise StatesError("ValidationException", f"maxResults must be {STATES_PAGE}")
    token = document.get("nextToken")
    try:
        return int(base64.urlsafe_b64decode(token)) if token else 0, size
    except ValueError:
        raise StatesError("InvalidToken", "Invalid Token: nextToken was not issued by Step Functions") from None


def page_of(items: Sequence[Any], start: int, size: int, key: str) -> dict[str, Any]:
    """Return a page; `items` are its own and, if there is a next page, the first of that."""
    answer: dict[str, Any] = {key: list(items[:size])}
    if len(items) > size:
        answer["nextToken"] = base64.urlsafe_b64encode(str(start + size).encode()).decode()
    return answer

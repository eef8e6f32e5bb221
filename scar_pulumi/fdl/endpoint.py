"""What a file says of the HTTP endpoint of a function."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Tokens:
    """Whose tokens an endpoint accepts; a token needs one of the scopes, if there are any."""

    issuer: str
    audience: tuple[str, ...]
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiGateway:
    """An HTTP endpoint in front of a function.

    Attributes:
        name: Name of the API.
        http_method: Method that is answered, or "ANY".
        authorization: "NONE" lets everybody call; "AWS_IAM", "JWT" or "CUSTOM".
        path_part: Path below the stage.
        stage_name: Name of the stage, part of the URL.
        ui: Whether there is a page to try the function in a browser.
        tokens: Whose tokens count with "JWT".
        cors: Which pages of other origins may call, in the file's words; empty for none.
        throttling: `rate_limit` (calls per second) and `burst_limit` (calls at once), as far as given.
        domain: `domain_name` and `certificate_arn` of a domain of one's own; empty for none.
    """

    name: str
    http_method: str
    authorization: str
    path_part: str
    stage_name: str
    ui: bool = False
    tokens: Tokens | None = None
    cors: Mapping[str, Any] = field(default_factory=dict)
    throttling: Mapping[str, int] = field(default_factory=dict)
    domain: Mapping[str, str] = field(default_factory=dict)

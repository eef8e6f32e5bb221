"""Who may call: routes without authorization, with signatures, and with tokens.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control.html
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from scar_pulumi.cloud.api_gateway.apis import HttpApi
from scar_pulumi.cloud.api_gateway.json_web_tokens import (
    IssuerKeys,
    TokenError,
    claim_text,
    granted_scopes,
    verified_claims,
)
from scar_pulumi.cloud.api_gateway.lambda_integration import json_message
from scar_pulumi.cloud.api_gateway.payload_formats import RoutedRequest
from scar_pulumi.cloud.asgi import Request, Response
from scar_pulumi.cloud.signature import signature_of


class Authorization:
    """Checks a call against what its route asks for."""

    def __init__(self, issuers: IssuerKeys) -> None:
        self._issuers = issuers

    async def check(self, api: HttpApi, call: RoutedRequest) -> Mapping[str, Any] | Response:
        """What the function is told of the caller, or the refusal."""
        match call.route.authorization:
            case "NONE":
                return {}
            case "AWS_IAM":
                return _signed(api, call)
            case "JWT":
                return await self._bearer(api, call)
        return json_message(500, "Internal Server Error")  # custom authorizers are functions, which nobody deploys here

    async def _bearer(self, api: HttpApi, call: RoutedRequest) -> Mapping[str, Any] | Response:
        authorizer = api.authorizers.get(call.route.authorizer) or {}
        expected = authorizer.get("jwtConfiguration") or {}
        token = _token(authorizer.get("identitySource") or (), call)
        if not token:
            return _unauthorized("")
        try:
            claims = await verified_claims(token, expected, self._issuers)
        except TokenError as error:
            return _unauthorized(f' scope="" error="invalid_token" error_description="{error}"')
        granted = granted_scopes(claims)
        if call.route.scopes and not granted & set(call.route.scopes):
            return json_message(403, "Forbidden")
        told = {name: claim_text(value) for name, value in claims.items()}
        return {"jwt": {"claims": told, "scopes": sorted(granted & set(call.route.scopes)) or None}}


def _signed(api: HttpApi, call: RoutedRequest) -> Mapping[str, Any] | Response:
    key = signer(call.request, api.region, call.arrival.time)
    if key is None:
        return json_message(403, "Forbidden")
    root = f"arn:aws:iam::{api.account}:root"
    identity = {"accessKey": key, "accountId": api.account, "callerId": api.account, "cognitoIdentity": None}
    return {"iam": {**identity, "principalOrgId": None, "userArn": root, "userId": api.account}}


def _token(sources: Any, call: RoutedRequest) -> str:
    """The token where the authorizer looks for it: `$request.header.NAME` or `$request.querystring.NAME`."""
    for source in sources:
        _, _, place = str(source).partition("$request.")
        kind, _, name = place.partition(".")
        value = call.request.header(name) if kind == "header" else call.request.parameter(name)
        if value:
            start, _, rest = value.partition(" ")
            return rest.strip() if start.lower() == "bearer" else value
    return ""


def _unauthorized(details: str) -> Response:
    response = json_message(401, "Unauthorized")
    response.headers.append((b"www-authenticate", f"Bearer{details}".encode("latin-1", "replace")))
    return response


_ACCESS_KEYS = re.compile(r"test|[0-9]{12}")
_SECRET = "test"  # noqa: S105 - what `scar-pulumi local env` hands out


def signer(request: Request, region: str, now: float) -> str | None:
    """The access key that signed a request for this region; None where nobody did who may."""
    found = signature_of(request)
    if found is None or (found.region, found.service) != (region, "execute-api"):
        return None
    # Every service but S3 has the path, as it was sent, encoded once more.
    path = quote(request.path or "/", safe="/-_.~")
    body = hashlib.sha256(request.body).hexdigest()
    may = _ACCESS_KEYS.fullmatch(found.key) and found.is_fresh(now)
    return found.key if may and found.is_of(_SECRET, request, path=path, payload=body) else None

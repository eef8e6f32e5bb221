"""Who may call a route: everybody, callers with signatures (AWS_IAM), or callers with tokens (JWT).

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control.html
"""

import re
from collections.abc import Mapping
from typing import Any

from scar_pulumi.cloud.api_gateway.apis import HttpApi
from scar_pulumi.cloud.api_gateway.json_web_tokens import (
    IssuerKeys,
    TokenError,
    claim_text,
    granted_scopes,
    verified_claims,
)
from scar_pulumi.cloud.api_gateway.payload_formats import RoutedRequest
from scar_pulumi.cloud.service import ServiceError
from scar_pulumi.cloud.signature import signature_of

_ACCESS_KEYS = re.compile(r"test|[0-9]{12}")
_SECRET = "test"  # noqa: S105 - what `scar-pulumi local env` hands out


class Authorization:
    """Checks a call against the authorization of its route."""

    def __init__(self, issuers: IssuerKeys) -> None:
        self._issuers = issuers

    async def check(self, api: HttpApi, call: RoutedRequest) -> Mapping[str, Any]:
        """Return what the function is told of the caller; raise ServiceError when the caller may not call."""
        match call.route.authorization:
            case "NONE":
                return {}
            case "AWS_IAM":
                return _signed(api, call)
            case "JWT":
                return await self._bearer(api, call)
        # Custom authorizers are functions, which nobody deploys here.
        raise ServiceError(500, "InternalServerError", "Internal Server Error")

    async def _bearer(self, api: HttpApi, call: RoutedRequest) -> Mapping[str, Any]:
        authorizer = api.authorizers.get(call.route.authorizer) or {}
        expected = authorizer.get("jwtConfiguration") or {}
        token = _token(authorizer.get("identitySource") or (), call)
        if not token:
            raise _unauthorized("")
        try:
            claims = await verified_claims(token, expected, self._issuers)
        except TokenError as error:
            raise _unauthorized(f' scope="" error="invalid_token" error_description="{error}"') from error
        granted = granted_scopes(claims)
        if call.route.scopes and not granted & set(call.route.scopes):
            raise _forbidden()
        told = {name: claim_text(value) for name, value in claims.items()}
        return {"jwt": {"claims": told, "scopes": sorted(granted & set(call.route.scopes)) or None}}


def _signed(api: HttpApi, call: RoutedRequest) -> Mapping[str, Any]:
    signature = signature_of(call.request)
    if signature is None or (signature.region, signature.service) != (api.region, "execute-api"):
        raise _forbidden()
    if not _ACCESS_KEYS.fullmatch(signature.key) or not signature.is_valid(_SECRET, call.request, call.arrival.time):
        raise _forbidden()
    root = f"arn:aws:iam::{api.account}:root"
    identity = {"accessKey": signature.key, "accountId": api.account, "callerId": api.account, "cognitoIdentity": None}
    return {"iam": {**identity, "principalOrgId": None, "userArn": root, "userId": api.account}}


def _token(sources: Any, call: RoutedRequest) -> str:
    """Return the token from where the authorizer looks: `$request.header.NAME` or `$request.querystring.NAME`."""
    for source in sources:
        _, _, place = str(source).partition("$request.")
        kind, _, name = place.partition(".")
        value = call.request.header(name) if kind == "header" else call.request.parameter(name)
        if value:
            start, _, rest = value.partition(" ")
            return rest.strip() if start.lower() == "bearer" else value
    return ""


def _unauthorized(details: str) -> ServiceError:
    challenge = f"Bearer{details}".encode("latin-1", "replace").decode("latin-1")
    return ServiceError(401, "UnauthorizedException", "Unauthorized", headers={"www-authenticate": challenge})


def _forbidden() -> ServiceError:
    return ServiceError(403, "ForbiddenException", "Forbidden")

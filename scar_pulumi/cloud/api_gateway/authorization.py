"""Who may call: routes without authorization, with signatures, and with tokens.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control.html
"""

from collections.abc import Mapping
from typing import Any

from scar_pulumi.cloud.api_gateway import signature
from scar_pulumi.cloud.api_gateway.answer import message
from scar_pulumi.cloud.api_gateway.configuration import Api
from scar_pulumi.cloud.api_gateway.event import Call
from scar_pulumi.cloud.api_gateway.issuers import Issuers
from scar_pulumi.cloud.api_gateway.tokens import TokenError, claims_of, rights, spoken
from scar_pulumi.cloud.asgi import Response


class Authorization:
    """Checks a call against what its route asks for."""

    def __init__(self, issuers: Issuers) -> None:
        self._issuers = issuers

    async def check(self, api: Api, call: Call) -> Mapping[str, Any] | Response:
        """What the function is told of the caller, or the refusal."""
        match call.route.authorization:
            case "NONE":
                return {}
            case "AWS_IAM":
                return _signed(api, call)
            case "JWT":
                return await self._bearer(api, call)
        return message(500, "Internal Server Error")  # custom authorizers are functions, which nobody deploys here

    async def _bearer(self, api: Api, call: Call) -> Mapping[str, Any] | Response:
        authorizer = api.authorizers.get(call.route.authorizer) or {}
        expected = authorizer.get("jwtConfiguration") or {}
        token = _token(authorizer.get("identitySource") or (), call)
        if not token:
            return _unauthorized("")
        try:
            claims = await claims_of(token, expected, self._issuers)
        except TokenError as error:
            return _unauthorized(f' scope="" error="invalid_token" error_description="{error}"')
        granted = rights(claims)
        if call.route.scopes and not granted & set(call.route.scopes):
            return message(403, "Forbidden")
        told = {name: spoken(value) for name, value in claims.items()}
        return {"jwt": {"claims": told, "scopes": sorted(granted & set(call.route.scopes)) or None}}


def _signed(api: Api, call: Call) -> Mapping[str, Any] | Response:
    key = signature.signer(call.request, api.region, call.arrival.time)
    if key is None:
        return message(403, "Forbidden")
    root = f"arn:aws:iam::{api.account}:root"
    identity = {"accessKey": key, "accountId": api.account, "callerId": api.account, "cognitoIdentity": None}
    return {"iam": {**identity, "principalOrgId": None, "userArn": root, "userId": api.account}}


def _token(sources: Any, call: Call) -> str:
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
    response = message(401, "Unauthorized")
    response.headers.append((b"www-authenticate", f"Bearer{details}".encode("latin-1", "replace")))
    return response

"""JSON Web Tokens, checked as API Gateway checks them (RSA signatures only), and the public keys of their issuers.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
"""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

from scar_foundation.http import HttpClient, NoAnswer
from scar_foundation.limits import MIB
from scar_foundation.loopback import is_loopback_url

# The DER prefixes of RFC 8017, section 9.2, note 1.
_HASHES = {
    "RS256": ("sha256", bytes.fromhex("3031300d060960864801650304020105000420")),
    "RS384": ("sha384", bytes.fromhex("3041300d060960864801650304020205000430")),
    "RS512": ("sha512", bytes.fromhex("3051300d060960864801650304020305000440")),
}
_LONGEST_KEY = 1024  # bytes; larger keys would make the check slow


class TokenError(Exception):
    """A token is not accepted; the message is the reason."""


class Keys(Protocol):
    """Where the public keys of issuers are."""

    async def key(self, issuer: str, key_id: str) -> Mapping[str, Any] | None:
        """Return the key with an id, as a JSON Web Key; None where the issuer has none."""


async def verified_claims(token: str, expected: Mapping[str, Any], keys: Keys) -> dict[str, Any]:
    """Return the claims of a token from the expected issuer for one of the audiences; raise TokenError."""
    try:
        head, body, signed = token.split(".")
        header, claims, signature = json.loads(_bytes(head)), json.loads(_bytes(body)), _bytes(signed)
    except (ValueError, RecursionError):  # the second one: lists in lists in lists
        raise TokenError("the token is malformed") from None
    if not isinstance(header, dict) or not isinstance(claims, dict) or str(header.get("alg")) not in _HASHES:
        raise TokenError("signing method is invalid")
    key = await keys.key(str(expected.get("issuer", "")), str(header.get("kid", "")))
    if key is None:
        raise TokenError("the issuer has no such key")
    if not verifies(f"{head}.{body}".encode(), signature, header["alg"], key):
        raise TokenError("the signature is invalid")
    _check(claims, expected, time.time())
    return claims


def verifies(message: bytes, signature: bytes, algorithm: str, key: Mapping[str, Any]) -> bool:
    """Return whether a signature is right: RSASSA-PKCS1-v1_5, RFC 8017, section 8.2.2."""
    try:
        modulus, exponent = _number(key["n"]), _number(key["e"])
    except (KeyError, ValueError, TypeError):
        return False
    size = (modulus.bit_length() + 7) // 8
    name, prefix = _HASHES[algorithm]
    digest = prefix + hashlib.new(name, message).digest()
    if not len(digest) + 11 <= size <= _LONGEST_KEY or len(signature) != size or exponent < 3:
        return False
    found = pow(int.from_bytes(signature, "big"), exponent, modulus).to_bytes(size, "big")
    return hmac.compare_digest(found, b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest)


def granted_scopes(claims: Mapping[str, Any]) -> set[str]:
    """Return the scopes that a token grants."""
    told = claims.get("scope", claims.get("scp", ""))
    return set(_words(told) if isinstance(told, list) else str(told).split())


def claim_text(value: Any) -> str:
    """Return a claim as functions get it: text, lists as their items in brackets."""
    if isinstance(value, list):
        return f"[{' '.join(map(claim_text, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


def _check(claims: Mapping[str, Any], expected: Mapping[str, Any], now: float) -> None:
    if claims.get("iss") != expected.get("issuer"):
        raise TokenError("the issuer is invalid")
    told = claims.get("aud") or claims.get("client_id")
    if not set(_words(told)) & set(expected.get("audience") or ()):
        raise TokenError("the audience is invalid")
    times = {name: claims[name] for name in ("exp", "nbf", "iat") if claims.get(name) is not None}
    if not all(isinstance(value, int | float) for value in times.values()):
        raise TokenError("a time of the token is malformed")
    if times.get("exp", 0) <= now:
        raise TokenError("the token has expired")
    if max(times.get("nbf", 0), times.get("iat", 0)) > now:
        raise TokenError("the token is not valid yet")


def _words(claim: Any) -> list[str]:
    """Return the strings of a claim that is one string or a list of them."""
    return [word for word in (claim if isinstance(claim, list) else [claim]) if isinstance(word, str)]


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text), "big")


_log = logging.getLogger(__name__)
_KEPT = 7200.0  # seconds, as in API Gateway
_AGAIN = 1.0  # seconds between two requests for a key that the issuer did not have
_MOST = MIB


_HTTP = HttpClient(seconds=5.0)


class IssuerKeys:
    """Keys by issuer; `file` holds `{"https://issuer": {"keys": […]}}` and is read anew each time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, tuple[float, list[Any]]] = {}
        self._lock = asyncio.Lock()

    async def key(self, issuer: str, key_id: str) -> Mapping[str, Any] | None:
        """Return the key with an id, as a JSON Web Key; None where the issuer has none."""
        given = self._given(issuer)
        if given is not None:
            return _find(given, key_id)
        async with self._lock:
            fetched, keys = self._known.get(issuer, (0.0, []))
            age = time.monotonic() - fetched
            if not fetched or age > _KEPT or (_find(keys, key_id) is None and age > _AGAIN):
                keys = await asyncio.to_thread(_fetch, issuer)
                self._known[issuer] = time.monotonic(), keys
        return _find(keys, key_id)

    def _given(self, issuer: str) -> list[Any] | None:
        try:
            found = json.loads(self._file.read_bytes())[issuer]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return _keys(found)


def _find(keys: list[Any], key_id: str) -> Mapping[str, Any] | None:
    return next((key for key in keys if isinstance(key, dict) and key.get("kid", "") == key_id), None)


def _fetch(issuer: str) -> list[Any]:
    try:
        configuration = _get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        return _keys(_get(str(configuration["jwks_uri"])))
    except (NoAnswer, OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("token issuer %s: its keys cannot be fetched: %s", issuer, error)
        return []


def _get(url: str) -> Any:
    if not is_loopback_url(url):
        raise ValueError(
            f"{url} is on another machine, which the local cloud never asks; put the keys into token-keys.json"
        )
    response = _HTTP.request("GET", url, stream=True)
    try:
        if response.status != HTTPStatus.OK:
            raise ValueError(f"{url} answers {response.status}")
        return json.loads(response.read(_MOST))
    finally:
        response.close()


def _keys(document: Any) -> list[Any]:
    keys = document.get("keys") if isinstance(document, dict) else None
    return keys if isinstance(keys, list) else []

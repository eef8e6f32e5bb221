"""An issuer of tokens on this machine: a key of its own, the documents that lead to it, and tokens."""

import base64
import hashlib
import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.world.loopback_server import QuietHandler, serving

_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
_PUBLIC = 65537


@dataclass(frozen=True)
class Key:
    """An RSA key, large enough for a test."""

    modulus: int
    private: int
    id: str = "one"

    def jwk(self) -> dict[str, str]:
        """Its public part."""
        return {"kty": "RSA", "kid": self.id, "n": _number(self.modulus), "e": _number(_PUBLIC)}

    def token(self, claims: dict[str, Any], **header: Any) -> str:
        """Return a signed token."""
        head = _part({"alg": "RS256", "typ": "JWT", "kid": self.id, **header})
        message = f"{head}.{_part(claims)}"
        size = (self.modulus.bit_length() + 7) // 8
        digest = _SHA256 + hashlib.sha256(message.encode()).digest()
        padded = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
        signature = pow(int.from_bytes(padded, "big"), self.private, self.modulus).to_bytes(size, "big")
        return f"{message}.{_encoded(signature)}"


def make_key(id_: str = "one") -> Key:
    """Return a new key."""
    first, second = _prime(), _prime()
    return Key(first * second, pow(_PUBLIC, -1, (first - 1) * (second - 1)), id_)


def claims(issuer: str, **more: Any) -> dict[str, Any]:
    """Return what a token for the test's API says."""
    now = int(time.time())
    return {"iss": issuer, "aud": "photos", "sub": "ana", "iat": now - 5, "exp": now + 600, **more}


@contextmanager
def issuer_of(*keys: Key) -> Iterator[str]:
    """Return the address of an issuer with these keys, on a free loopback port."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            found = {
                "/.well-known/openid-configuration": {"jwks_uri": f"{address}/keys"},
                "/keys": {"keys": [key.jwk() for key in keys]},
            }[self.path]
            body = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as address:
        yield address


def _prime(bits: int = 512) -> int:
    chance = random.SystemRandom()
    while True:
        number = chance.getrandbits(bits) | 1 | 3 << (bits - 2)
        if all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7, 11)) and (number - 1) % _PUBLIC:
            return number


def _part(document: dict[str, Any]) -> str:
    return _encoded(json.dumps(document).encode())


def _number(number: int) -> str:
    return _encoded(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

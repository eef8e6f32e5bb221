"""An issuer of access tokens whose keys the local cloud gets in a file."""

import base64
import hashlib
import json
import math
import secrets
import time
from pathlib import Path

NAME = "https://issuer.example.org"
AUDIENCE = "pages"
# The DER prefix of SHA-256: RFC 8017, section 9.2, note 1.
_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")
_BITS = 512
_EXPONENT = 65537


class Issuer:
    """Signs tokens with a small key of its own."""

    def __init__(self) -> None:
        first, second = _prime(), _prime()
        self._modulus = first * second
        self._secret = pow(_EXPONENT, -1, math.lcm(first - 1, second - 1))

    def publish(self, file: Path) -> None:
        """Write the public key where the local cloud looks for it."""
        key = {"kty": "RSA", "kid": "1", "n": _text(self._modulus.to_bytes(_BITS // 8, "big")), "e": "AQAB"}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({NAME: {"keys": [key]}}))

    def token(self, seconds: int = 600) -> str:
        """Return a token that is good for some seconds."""
        claims = {"iss": NAME, "aud": AUDIENCE, "sub": "somebody", "exp": int(time.time()) + seconds}
        parts = [_text(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "1"}, claims)]
        digest = _PREFIX + hashlib.sha256(".".join(parts).encode()).digest()
        padded = b"\0\1" + b"\xff" * (_BITS // 8 - len(digest) - 3) + b"\0" + digest
        signature = pow(int.from_bytes(padded, "big"), self._secret, self._modulus)
        return ".".join([*parts, _text(signature.to_bytes(_BITS // 8, "big"))])


def _prime() -> int:
    while True:
        number = secrets.randbits(_BITS // 2) | (3 << (_BITS // 2 - 2)) | 1
        if (number - 1) % _EXPONENT and all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7)):
            return number


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

"""What a storage tells of a file, its size and its checksums, and whether a local file is that."""

import base64
import binascii
import zlib
from collections.abc import Mapping
from hashlib import md5, sha256
from types import MappingProxyType
from typing import Any, NamedTuple

from supervisor import http_client

_BLOCK = 1 << 20  # bytes
_DIGITS = {"sha-256": 64, "md5": 32, "adler32": 8}
"""The checksums that can be compared, best first, and how many hexadecimal digits they have."""
# Asks dCache and others for digests: https://www.rfc-editor.org/rfc/rfc3230
WANT_DIGEST = {"Want-Digest": "adler32;q=0.5, md5;q=0.8, sha-256"}


class Promise(NamedTuple):
    """The size and the checksums (in hexadecimal digits) that a file is to have; what is not known is left out."""

    size: int | None = None
    checksums: Mapping[str, str] = MappingProxyType({})

    def difference(self, path: str) -> tuple[int, str]:
        """Return the local file's size, and how it differs from the promise; "" where it does not."""
        algorithm = next((name for name in _DIGITS if name in self.checksums), "")
        size, found = _measured(path, algorithm)
        if self.size not in (None, size):
            return size, f"{size} bytes instead of {self.size}"
        if algorithm and found != self.checksums[algorithm]:
            return size, f"its {algorithm} checksum is {found} instead of {self.checksums[algorithm]}"
        return size, ""


def of_response(answer: http_client.Response) -> Promise:
    """Return what the headers of a response tell of the file."""
    length = answer.headers.get("content-length", "")
    whole = length.isdecimal() and "content-range" not in answer.headers
    pairs = (part.strip().partition("=")[::2] for part in answer.headers.get("digest", "").split(","))
    return Promise(int(length) if whole else None, known_checksums(pairs))


def known_checksums(pairs: Any) -> dict[str, str]:
    """Return those checksums of pairs of a name and a value that can be compared, in hexadecimal digits."""
    found = ((str(name).strip().lower(), str(value or "").strip()) for name, value in pairs)
    return {name: digits for name, value in found if name in _DIGITS and (digits := _hexadecimal(name, value))}


def _hexadecimal(algorithm: str, value: str) -> str:
    """Return a checksum in hexadecimal digits; RFC 3230 has all but adler32 in base64, and not all servers do."""
    length = _DIGITS[algorithm]
    if algorithm == "adler32" and value:
        value = value.rjust(length, "0")
    if len(value) != length:
        try:
            value = base64.b64decode(value, validate=True).hex()
        except (binascii.Error, ValueError):
            return ""
    return value.lower() if len(value) == length else ""


def _measured(path: str, algorithm: str) -> tuple[int, str]:
    size, sum_, hashed = 0, 1, _hash(algorithm)
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            size += len(block)
            if hashed is not None:
                hashed.update(block)
            elif algorithm:
                sum_ = zlib.adler32(block, sum_)
    return size, hashed.hexdigest() if hashed is not None else f"{sum_:08x}"


def _hash(algorithm: str) -> Any:
    if algorithm == "sha-256":
        return sha256()
    return md5(usedforsecurity=False) if algorithm == "md5" else None

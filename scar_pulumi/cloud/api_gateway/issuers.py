"""The public keys of token issuers: from an issuer on this machine, or from a file for those that are elsewhere."""

import asyncio
import json
import logging
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scar_foundation.loopback import is_loopback

_log = logging.getLogger(__name__)
_SECONDS = 5.0
_KEPT = 7200.0  # seconds, as API Gateway keeps keys
_AGAIN = 1.0  # a key that is not known may be new, but nobody makes us ask for it all the time
_MOST = 1 << 20


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no issuer to another machine."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:  # noqa: ARG002, PLR0917
        return None


# A proxy of the environment would be another machine, too.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay())


class Issuers:
    """Keys by issuer; `file` holds `{"https://issuer": {"keys": […]}}` and is read anew each time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, tuple[float, list[Any]]] = {}
        self._lock = asyncio.Lock()

    async def key(self, issuer: str, key_id: str) -> Mapping[str, Any] | None:
        """The key with an id, as a JSON Web Key; None where the issuer has none."""
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
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("the keys of token issuer %s cannot be had: %s", issuer, error)
        return []


def _get(url: str) -> Any:
    if not is_loopback(urlsplit(url).hostname or ""):
        raise ValueError(f"{url} is not on this machine, and the local cloud asks nobody else; give the keys in a file")
    with _OPENER.open(url, timeout=_SECONDS) as answer:
        return json.loads(answer.read(_MOST))


def _keys(document: Any) -> list[Any]:
    keys = document.get("keys") if isinstance(document, dict) else None
    return keys if isinstance(keys, list) else []

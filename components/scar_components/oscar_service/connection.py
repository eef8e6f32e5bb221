"""How a service's cluster is reached: as the state says, or as the stack's configuration says today.

`refresh` and `destroy` get a service as the last `up` left it. Its password may have been changed since, and its
cluster may have moved: then `scar:clusters` of the stack has what is right now. An address is no cluster, so another
one is used only if the service of this stack is found there.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi.runtime.rpc import UNKNOWN

from scar_components.oscar_api import OscarAccess, OscarApi, OscarError

MARK = "scar-pulumi/stack"
"""Annotation of a service that names the stack that created it."""
CONNECTION = ("endpoint", "username", "password", "verify_certificate", "timeout")
"""The properties of a service that say how its cluster is reached."""

_CONFIGURED = {
    "endpoint": "endpoint",
    "auth_user": "username",
    "auth_password": "password",
    "ssl_verify": "verify_certificate",
}
"""Keys of a cluster in `scar:clusters`, and the properties that they set."""
_PROBE_SECONDS = 1
_PATIENCE_SECONDS = 60


class Connections:
    """The clusters as the stack's configuration has them; `configured` is the JSON text of `scar:clusters`.

    Raises:
        OscarError: It is no map.
    """

    def __init__(self, configured: str | None = None) -> None:
        try:
            found = json.loads(configured or "{}")
        except ValueError:
            found = None
        if not isinstance(found, Mapping):
            raise OscarError("scar:clusters: is not a map of cluster ids to maps; write {my_oscar: {…}}")
        self._clusters: Mapping[str, Any] = found

    def now(self, props: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a deployed service's properties with the connection that reaches it now.

        Where no connection shows the service, those of the state stay, so that errors name what `up` has used.
        """
        today = {**props, **self._configured(props)}
        if _address(today) == _address(props):
            return today
        return next((one for one in (props, today) if _has_service(one, props)), props)

    def _configured(self, props: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the configuration says of a service's cluster; what refers to something else is left out."""
        settings = self._clusters.get(str(props.get("cluster") or ""))
        if not isinstance(settings, Mapping):
            return {}
        return dict(_plain(settings))


def open_api(props: Mapping[str, Any]) -> OscarApi:
    """Return a client of a service's cluster."""
    cluster = OscarAccess(
        props["endpoint"], props["username"], props["password"], bool(props.get("verify_certificate", True))
    )
    return OscarApi(cluster, float(props.get("timeout") or _PATIENCE_SECONDS))


def is_on_another_cluster(olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    """Whether the new address is that of another cluster: one that does not have this stack's service.

    One that does not answer counts as the same; the update tells what is wrong with it.
    """
    if UNKNOWN in (news["endpoint"], news["username"], news["password"]) or _address(news) == _address(olds):
        return False
    try:
        return not _shows_service(news, olds)
    except OscarError:
        return False


def _plain(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, name in _CONFIGURED.items():
        value = settings.get(key)
        if value in (None, "") or "${" in str(value):
            continue
        yield name, str(value).lower() != "false" if name == "verify_certificate" else value


def _has_service(connection: Mapping[str, Any], props: Mapping[str, Any]) -> bool:
    try:
        return _shows_service(connection, props)
    except OscarError:
        return False


def _shows_service(connection: Mapping[str, Any], props: Mapping[str, Any]) -> bool:
    """Whether a cluster has a stack's service. Raises OscarError where it does not say."""
    found = open_api({**connection, "timeout": _PROBE_SECONDS}).find(props["definition"]["name"])
    return found is not None and (found.get("annotations") or {}).get(MARK) == props["owner"]


def _address(props: Mapping[str, Any]) -> str:
    return str(props["endpoint"]).rstrip("/")

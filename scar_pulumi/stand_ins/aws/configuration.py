"""The provider's own settings: region, endpoints, default tags. Every endpoint must be on loopback."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scar_pulumi.stand_ins.plugin.errors import UnservedError
from scar_pulumi.stand_ins.plugin.loopback import require_loopback

_DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True)
class Configuration:
    """Where calls go and what every resource is tagged with."""

    endpoint: str | None
    region: str = _DEFAULT_REGION
    endpoints: Mapping[str, str] = field(default_factory=dict)
    default_tags: Mapping[str, str] = field(default_factory=dict)

    def endpoint_of(self, service: str) -> str:
        """The endpoint of a service; raises `UnservedError` when it has none."""
        if endpoint := self.endpoints.get(service) or self.endpoint:
            return endpoint
        raise UnservedError(_NO_ENDPOINT)


def read(settings: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Configuration:
    """The configuration from the provider's inputs and the environment.

    Raises `UnservedError` when an endpoint is not on loopback, or there is none at all.
    """
    plain = {name: _decoded(value) for name, value in settings.items()}
    endpoints = {service: url for entry in plain.get("endpoints") or () for service, url in entry.items() if url}
    general = environment.get("AWS_ENDPOINT_URL")
    for url in [*endpoints.values(), *([general] if general else [])]:
        require_loopback(url, _REFUSAL)
    if not general and not endpoints:
        raise UnservedError(_NO_ENDPOINT)
    region = plain.get("region") or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    tags = (plain.get("defaultTags") or {}).get("tags") or {}
    return Configuration(general, region or _DEFAULT_REGION, endpoints, tags)


def _decoded(value: Any) -> Any:
    # Nested settings of a provider travel as JSON text.
    if isinstance(value, str) and value[:1] in {"[", "{"}:
        return json.loads(value)
    return value


_REFUSAL = (
    "the stand-in aws provider only talks to the local cloud on this machine; "
    "for AWS itself install the genuine plugin: pulumi plugin install resource aws"
)

_NO_ENDPOINT = (
    "AWS_ENDPOINT_URL is not set: the stand-in aws provider only talks to the local cloud; "
    'for a local stack run eval "$(scar-pulumi local env)" first, '
    "for AWS itself install the genuine plugin: pulumi plugin install resource aws"
)

"""The secrets that a container's definition names: parameters of SSM and secrets of Secrets Manager.

https://docs.aws.amazon.com/batch/latest/userguide/specifying-sensitive-data.html
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from scar_pulumi.cloud.ministack.upstream import Upstream, json_request
from scar_pulumi.cloud.signature import Caller


class SecretValuesError(Exception):
    """A secret cannot be read."""


class SecretValues:
    """Reads them from MiniStack."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def read(self, entries: Iterable[Mapping[str, str]], caller: Caller) -> dict[str, str]:
        """Their values by variable. Raises SecretValuesError."""
        return {entry["name"]: await self._value(entry["valueFrom"], caller) for entry in entries}

    async def _value(self, source: str, caller: Caller) -> str:
        if ":secretsmanager:" not in source:
            name = source.partition(":parameter")[2] or source
            found = await self._ask("ssm", "AmazonSSM.GetParameter", {"Name": name, "WithDecryption": True}, caller)
            return str(found["Parameter"]["Value"])
        # arn:aws:secretsmanager:region:account:secret:NAME[:json-key:version-stage:version-id]
        parts = source.split(":")
        document = {"SecretId": ":".join(parts[:7])}
        found = await self._ask("secretsmanager", "secretsmanager.GetSecretValue", document, caller)
        key = parts[7] if len(parts) > 7 else ""
        return str(json.loads(found["SecretString"])[key] if key else found["SecretString"])

    async def _ask(self, service: str, target: str, document: Mapping[str, Any], caller: Caller) -> Any:
        request = json_request(service, target, document, account=caller.account, region=caller.region)
        answer = await self._upstream.request(request, lasting=False)
        if not answer.succeeded:
            raise SecretValuesError(f"unable to pull secrets: {answer.body.decode('utf-8', 'replace')[:300]}")
        return json.loads(answer.body)

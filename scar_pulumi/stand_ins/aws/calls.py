"""Calls to the local cloud: clients made once per service and region, errors as one sentence."""

import re
from functools import cached_property
from threading import Lock
from typing import Any

from scar_pulumi.stand_ins.aws.configuration import Configuration
from scar_pulumi.stand_ins.aws.errors import CallError
from scar_pulumi.stand_ins.plugin.errors import ProviderError
from scar_pulumi.stand_ins.plugin.process import PARALLEL
from scar_pulumi.stand_ins.plugin.wire import Properties

_PARTITIONS = (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"))


class Cloud:
    """The cloud behind the configured endpoints. Thread-safe."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = Lock()

    def call(self, service: str, operation: str, region: str | None = None, **parameters: Any) -> Properties:
        """The answer to an operation, named as boto3 names it. Raises `CallError`."""
        # Imported late: previews that need no call start 0.2 s sooner.
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        client = self.client(service, region)
        try:
            answer: Properties = getattr(client, operation)(**parameters)
        except ClientError as error:
            raise _call_error(operation, error.response) from None
        except BotoCoreError as error:
            raise ProviderError(f"{_spoken(operation)}: {' '.join(str(error).split())}") from None
        return answer

    def members(self, service: str, operation: str) -> frozenset[str]:
        """The names of an operation's parameters."""
        client = self.client(service)
        shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation]).input_shape
        return frozenset(shape.members if shape else ())

    def client(self, service: str, region: str | None = None) -> Any:
        """The client of a service, made at the first use."""
        key = (service, region or self.configuration.region)
        if client := self._clients.get(key):
            return client
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._new_client(*key)
            return self._clients[key]

    def facts(self, region: str | None = None) -> dict[str, str]:
        """What output templates may use besides properties: `region`, `account` and `partition`."""
        region = region or self.configuration.region
        return {"region": region, "account": self._identity["Account"], "partition": partition(region)}

    @property
    def caller(self) -> Properties:
        """The answer to GetCallerIdentity, asked once."""
        return self._identity

    @cached_property
    def _identity(self) -> Properties:
        return self.call("sts", "get_caller_identity")

    @cached_property
    def _session(self) -> Any:
        from botocore.session import Session  # noqa: PLC0415 - see `call`

        return Session()

    def _new_client(self, service: str, region: str) -> Any:
        from botocore.config import Config  # noqa: PLC0415 - see `call`

        return self._session.create_client(
            service,
            region_name=region,
            endpoint_url=self.configuration.endpoint_of(service),
            # Never the user's own: the endpoint is on loopback and takes any.
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106
            config=Config(
                max_pool_connections=PARALLEL,
                read_timeout=120,
                # A repeated create would meet its own first attempt.
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
            ),
        )


def partition(region: str) -> str:
    """The AWS partition of a region: "aws", "aws-cn" or "aws-us-gov"."""
    return next((name for prefix, name in _PARTITIONS if region.startswith(prefix)), "aws")


def _call_error(operation: str, response: Properties) -> CallError:
    error = response.get("Error", {})
    code = str(error.get("Code") or "UnknownError")
    message = " ".join(str(error.get("Message") or "").split()).rstrip(".")
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    return CallError(f"{_spoken(operation)}: {message} ({code})", code, status)


def _spoken(operation: str) -> str:
    return re.sub(r"(?:^|_)(\w)", lambda letter: letter[1].upper(), operation)

"""The cloud that the provider's settings lead to, which must be on loopback, and calls to it."""

import json
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any

from scar_foundation.plugin.failures import ProviderError, UnservedError, require_loopback
from scar_foundation.plugin.process import PARALLEL
from scar_foundation.plugin.values import Properties


class CallError(ProviderError):
    """The cloud refused a call; `code` is its error code, such as `EntityAlreadyExists`."""

    def __init__(self, message: str, code: str, status: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.status = status

    @property
    def missing(self) -> bool:
        """Whether the resource does not exist."""
        return self.status == 404 or self.code.startswith("NoSuch") or any(mark in self.code for mark in _MISSING)

    @property
    def taken(self) -> bool:
        """Whether a resource of that name exists already."""
        return "AlreadyExists" in self.code or self.code in _TAKEN


_MISSING = ("NotFound", "NonExistent", "DoesNotExist")
# Lambda answers ResourceConflictException both for a taken name and for a function that is being changed, DynamoDB
# ResourceInUseException for a table.
_TAKEN = (
    *("BucketAlreadyOwnedByYou", "ConflictException", "QueueNameExists"),
    *("ResourceConflictException", "ResourceInUseException"),
)


_DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True)
class Credentials:
    """Whose calls they are. Never the user's own, unless the program gives them: the cloud on loopback takes any."""

    access_key: str = "test"
    secret_key: str = field(default="test", repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Configuration:
    """Where calls go, whose they are, and what every resource is tagged with."""

    endpoint: str | None
    region: str = _DEFAULT_REGION
    endpoints: Mapping[str, str] = field(default_factory=dict)
    credentials: Credentials = field(default_factory=Credentials)
    allowed_accounts: Collection[str] = ()
    """Account ids that alone may be used; empty for all."""
    forbidden_accounts: Collection[str] = ()
    default_tags: Mapping[str, str] = field(default_factory=dict)
    ignored_tags: Collection[str] = ()
    ignored_tag_prefixes: tuple[str, ...] = ()

    def observed(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Return tags without those that the provider leaves to others."""
        return {
            key: value
            for key, value in tags.items()
            if key not in self.ignored_tags and not key.startswith(self.ignored_tag_prefixes)
        }

    def endpoint_of(self, service: str) -> str:
        """Return the endpoint of a service; raise `UnservedError` when it has none."""
        if endpoint := self.endpoints.get(service) or self.endpoint:
            return endpoint
        raise UnservedError(_NO_ENDPOINT)


def read_configuration(settings: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Configuration:
    """Read the configuration from the provider's inputs and the environment.

    Raises `UnservedError` when an endpoint is not on loopback, there is none at all, or credentials are elsewhere.
    """
    plain = {name: _decoded(value) for name, value in settings.items()}
    _refuse_other_credentials(plain)
    endpoints = {service: url for entry in plain.get("endpoints") or () for service, url in entry.items() if url}
    general = environment.get("AWS_ENDPOINT_URL")
    for url in [*endpoints.values(), *([general] if general else [])]:
        require_loopback(url, _REFUSAL)
    if not general and not endpoints:
        raise UnservedError(_NO_ENDPOINT)
    region = plain.get("region") or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    default, ignored = plain.get("defaultTags") or {}, plain.get("ignoreTags") or {}
    return Configuration(
        general,
        region or _DEFAULT_REGION,
        endpoints,
        _credentials(plain),
        allowed_accounts=plain.get("allowedAccountIds") or (),
        forbidden_accounts=plain.get("forbiddenAccountIds") or (),
        default_tags=default.get("tags") or {},
        ignored_tags=ignored.get("keys") or (),
        ignored_tag_prefixes=tuple(_either(ignored, "keyPrefixes", "key_prefixes") or ()),
    )


_ELSEWHERE = ("assumeRoleWithWebIdentity", "profile", "sharedConfigFiles", "sharedCredentialsFiles")
"""Settings that name credentials which are not in the settings themselves."""


def _refuse_other_credentials(settings: Mapping[str, Any]) -> None:
    if found := [name for name in _ELSEWHERE if settings.get(name)]:
        raise UnservedError(
            f"{', '.join(found)}: the stand-in aws provider reads no credentials of yours; leave it out on local "
            "stacks, or give accessKey: 12 digits are an account of the local cloud"
        )


def _credentials(settings: Mapping[str, Any]) -> Credentials:
    """Return the credentials that the settings give: keys, or the account of the last role that they assume.

    The local cloud has accounts and checks no trust, so a role is no more than its account.
    """
    if roles := settings.get("assumeRoles"):
        return Credentials(_account(str(_either(roles[-1], "roleArn", "role_arn") or "")))
    if key := settings.get("accessKey"):
        return Credentials(key, settings.get("secretKey") or Credentials.secret_key, settings.get("token"))
    return Credentials()


def _either(given: Mapping[str, Any], key: str, python: str) -> Any:
    # Pulumi's SDK passes the dictionaries of a Python program on as they are.
    return given.get(key) or given.get(python)


def _account(role: str) -> str:
    account = role.split(":")[4:5]
    if not account or not re.fullmatch(r"\d{12}", account[0]):
        raise UnservedError(
            f"assumeRoles: roleArn {role!r} is not the ARN of a role; write arn:aws:iam::ACCOUNT:role/NAME"
        )
    return account[0]


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


_PARTITIONS = (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"))


class Cloud:
    """The cloud behind the configured endpoints. Thread-safe."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = Lock()

    def call(self, service: str, operation: str, region: str | None = None, **parameters: Any) -> Properties:
        """Return the result of an operation, named as in boto3. Raises `CallError`."""
        # Imported late: previews that need no call start 0.2 s sooner.
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        client = self.client(service, region)
        try:
            answer: Properties = getattr(client, operation)(**parameters)
        except ClientError as error:
            raise _call_error(operation, error.response) from None
        except BotoCoreError as error:
            raise ProviderError(f"{_api_name(operation)}: {' '.join(str(error).split())}") from None
        return answer

    def members(self, service: str, operation: str) -> frozenset[str]:
        """Return the names of an operation's parameters."""
        client = self.client(service)
        shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation]).input_shape
        return frozenset(shape.members if shape else ())

    def client(self, service: str, region: str | None = None) -> Any:
        """Return the client of a service, made at its first use."""
        key = (service, region or self.configuration.region)
        if client := self._clients.get(key):
            return client
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._new_client(*key)
            return self._clients[key]

    def facts(self, region: str | None = None) -> dict[str, str]:
        """Return what output templates may use besides properties: `region`, `account` and `partition`."""
        region = region or self.configuration.region
        return {"region": region, "account": self._identity["Account"], "partition": partition(region)}

    @property
    def caller(self) -> Properties:
        """The answer to GetCallerIdentity, asked once."""
        return self._identity

    @cached_property
    def _identity(self) -> Properties:
        return self.call("sts", "get_caller_identity")

    def check_account(self) -> None:
        """Raise ProviderError when the settings do not allow the account of their credentials."""
        allowed, forbidden = self.configuration.allowed_accounts, self.configuration.forbidden_accounts
        if not allowed and not forbidden:
            return
        account = self._identity["Account"]
        if account in forbidden or (allowed and account not in allowed):
            rule = "is in forbiddenAccountIds" if account in forbidden else "is not in allowedAccountIds"
            raise ProviderError(f"account {account}: {rule}; use other credentials")

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
            aws_access_key_id=self.configuration.credentials.access_key,
            aws_secret_access_key=self.configuration.credentials.secret_key,
            aws_session_token=self.configuration.credentials.token,
            config=Config(
                max_pool_connections=PARALLEL,
                read_timeout=120,
                # A repeated create would meet its own first attempt.
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
            ),
        )


def partition(region: str) -> str:
    """Return the AWS partition of a region: "aws", "aws-cn" or "aws-us-gov"."""
    return next((name for prefix, name in _PARTITIONS if region.startswith(prefix)), "aws")


def _call_error(operation: str, response: Properties) -> CallError:
    error = response.get("Error", {})
    code = str(error.get("Code") or "UnknownError")
    message = " ".join(str(error.get("Message") or "").split()).rstrip(".")
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    return CallError(f"{_api_name(operation)}: {message} ({code})", code, status)


def _api_name(operation: str) -> str:
    return re.sub(r"(?:^|_)(\w)", lambda letter: letter[1].upper(), operation)

"""AWS clients for the data plane: of the user's account, or of the local cloud and nothing else."""

from collections.abc import Mapping
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import botocore.session

from scar_foundation.aws_session import AwsSession
from scar_foundation.http import HttpClient, Tls, accept_unverified
from scar_foundation.limits import LAMBDA_TIMEOUT

_DEFAULT_REGION = "us-east-1"
# Silence as long as the longest invocation must not look like a dead connection.
_LONGEST_INVOCATION = LAMBDA_TIMEOUT.most + 10
# As `supervisor.configuration.FALSE_WORDS`, which a test compares: a function and its client must understand the same.
_FALSE = ("false", "no", "off", "n", "0")
# Sent again, an invocation would run twice: https://docs.aws.amazon.com/boto3/latest/guide/retries.html
_ONCE = {"retries": {"total_max_attempts": 1}, "read_timeout": _LONGEST_INVOCATION, "tcp_keepalive": True}
_OPTIONS: Mapping[str, Mapping[str, Any]] = {"lambda": _ONCE, "s3": {"max_pool_connections": 40}}
# Read neither the user's profile nor the user's files:
# https://botocore.amazonaws.com/v1/documentation/api/latest/reference/config.html
_NO_USER_SETTINGS: Any = {
    "profile": (None, None, None, None),
    "config_file": (None, None, "/dev/null", None),
    "credentials_file": (None, None, "/dev/null", None),
}


class Clients:
    """Makes AWS clients.

    Args:
        environment: The local cloud's (`LocalCloud.environment()`): only its endpoint and keys are used then, no proxy,
            no profile. None means the user's own account.
        session: The user's account as a stack's configuration has it. Default: as boto3 finds it.
    """

    def __init__(self, environment: Mapping[str, str] | None = None, session: AwsSession | None = None) -> None:
        self._environment = environment
        self._settings = session or AwsSession()
        self._session: Any = None

    def client(self, service: str, region: str | None = None) -> Any:
        """Return a client of a service, in a region or in the default one."""
        session = self._open()
        region = region or session.region_name or _DEFAULT_REGION
        settings = dict(_OPTIONS.get(service, {}))
        if self._environment is None:
            return session.client(service, region_name=region, config=botocore.config.Config(**settings))
        config = botocore.config.Config(proxies={}, **settings)
        endpoint = self._environment["AWS_ENDPOINT_URL"]
        return session.client(service, region_name=region, endpoint_url=endpoint, config=config)

    def storage(self, settings: Mapping[str, Any]) -> Any:
        """Return an S3 client of another storage: settings as in an FDL file, with keys and perhaps an endpoint."""
        is_verified = verifies(settings)
        if not is_verified:
            accept_unverified()
        options: dict[str, Any] = {**_OPTIONS["s3"], "s3": {"addressing_style": "path"}}
        options |= {} if self._environment is None else {"proxies": {}}
        return boto3.Session(botocore_session=botocore.session.Session(session_vars=_NO_USER_SETTINGS)).client(
            "s3",
            region_name=settings.get("region") or _DEFAULT_REGION,
            endpoint_url=settings.get("endpoint") or (self._environment or {}).get("AWS_ENDPOINT_URL"),
            aws_access_key_id=settings["access_key"],
            aws_secret_access_key=settings["secret_key"],
            verify=None if is_verified else False,
            config=botocore.config.Config(**options),
        )

    def credentials(self) -> Any:
        """Return the credentials to sign requests with.

        Raises:
            botocore.exceptions.NoCredentialsError: There are none.
        """
        found = self._open().get_credentials()
        if found is None:
            raise botocore.exceptions.NoCredentialsError
        return found.get_frozen_credentials()

    def http(self, seconds: float) -> HttpClient:
        """Return a client for plain requests, which trusts the authorities that AWS clients trust.

        `seconds` is how long a response may take.
        """
        return HttpClient(seconds=seconds, tls=Tls(authority_file=self.authority_file))

    @property
    def authority_file(self) -> str | None:
        """PEM file of the authorities that AWS clients trust; None for the system's."""
        found: str | None = self._open()._session.get_config_variable("ca_bundle")
        return found

    def _open(self) -> Any:
        if self._session is None:
            own = self._environment is None
            self._session = self._settings.boto_session if own else _local_session(self._environment or {})
        return self._session


def verifies(settings: Mapping[str, Any]) -> bool:
    """Return whether a storage's certificate is checked: unless its settings say no, by the supervisor's words."""
    value = settings.get("verify")
    return value in (None, "") or (value.strip().lower() not in _FALSE if isinstance(value, str) else bool(value))


def _local_session(environment: Mapping[str, str]) -> Any:
    return boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment.get("AWS_REGION", _DEFAULT_REGION),
        botocore_session=botocore.session.Session(session_vars=_NO_USER_SETTINGS),
    )

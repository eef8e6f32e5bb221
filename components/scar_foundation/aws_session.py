"""AWS clients from a stack's own `aws:` configuration, for our own resources and for the command line."""

import json
import os
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import botocore.exceptions

# https://www.pulumi.com/registry/packages/aws/installation-configuration/
SETTINGS = (
    *("accessKey", "secretKey", "token", "profile", "region", "assumeRoles", "allowedAccountIds"),
    *("forbiddenAccountIds", "endpoints", "s3UsePathStyle"),
)
"""Keys of the aws provider's configuration that are supported here."""
REFUSED = ("assumeRoleWithWebIdentity", "sharedConfigFiles", "sharedCredentialsFiles")
"""Unsupported keys, with which the provider could use another account than these clients."""

_lock = threading.Lock()
_sessions: dict[str, "AwsSession"] = {}


def configured_session(get: Callable[[str], str | None]) -> "AwsSession":
    """Return the session for a stack's configuration; it is made once per configuration.

    `get` returns the value of a full key such as `aws:profile`, or None.

    Raises:
        pulumi.RunError: The configuration has a key that is not supported here.
    """
    if refused := [f"aws:{key}" for key in REFUSED if get(f"aws:{key}")]:
        import pulumi  # noqa: PLC0415 - the data plane reads accounts without it

        raise pulumi.RunError(
            f"{', '.join(refused)}: not supported for images, buckets and notifications; use aws:profile or the "
            "environment's credentials"
        )
    settings = {key: value for key in SETTINGS if (value := get(f"aws:{key}"))}
    with _lock:
        return _sessions.setdefault(json.dumps(settings, sort_keys=True), AwsSession(settings))


class AwsSession:
    """Clients with the credentials, roles and region that the stack configures for the aws provider.

    What the configuration leaves out comes from the environment, as for boto3. `AWS_REGION`, which the provider reads
    and boto3 does not, comes before `AWS_DEFAULT_REGION`.
    """

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self._settings = dict(settings or {})
        self._clients: dict[tuple[str, str | None], Any] = {}
        self._lock = threading.RLock()

    @property
    def region(self) -> str | None:
        """The configured region, or None."""
        region: str | None = self.boto_session.region_name
        return region

    @cached_property
    def account(self) -> str:
        """Number of the credentials' account. Raises RunError if the configuration does not allow it."""
        account = str(self.client("sts").get_caller_identity()["Account"])
        allowed, forbidden = self._listed("allowedAccountIds"), self._listed("forbiddenAccountIds")
        if (allowed and account not in allowed) or account in forbidden:
            import pulumi  # noqa: PLC0415 - as above

            rule = "is in aws:forbiddenAccountIds" if account in forbidden else "is not in aws:allowedAccountIds"
            raise pulumi.RunError(f"account {account}: {rule}; use other credentials")
        return account

    def client(self, service: str, region: str | None = None) -> Any:
        """Return the client of a service, made once per service and region."""
        from botocore.config import Config  # noqa: PLC0415 - slow to import, and not always needed

        with self._lock:
            region = region or self.region
            if (service, region) not in self._clients:
                addressing = (
                    {"s3": {"addressing_style": "path"}} if self._settings.get("s3UsePathStyle") == "true" else {}
                )
                self._clients[service, region] = self.boto_session.client(
                    service,
                    region_name=region,
                    endpoint_url=self._endpoint(service),
                    config=Config(retries={"mode": "standard", "max_attempts": 8}, **addressing),
                )
            return self._clients[service, region]

    def _endpoint(self, service: str) -> str | None:
        urls = [entry[service] for entry in self._listed("endpoints") if entry.get(service)]
        return str(urls[-1]) if urls else None

    def _listed(self, key: str) -> list[Any]:
        listed: list[Any] = json.loads(self._settings.get(key, "[]"))
        return listed

    @cached_property
    def boto_session(self) -> Any:
        """The boto3 session, for clients with settings of their own."""
        import boto3  # noqa: PLC0415 - as above

        settings = self._settings
        session = boto3.Session(
            aws_access_key_id=settings.get("accessKey"),
            aws_secret_access_key=settings.get("secretKey"),
            aws_session_token=settings.get("token"),
            profile_name=settings.get("profile"),
            region_name=settings.get("region") or os.environ.get("AWS_REGION"),
        )
        for role in self._listed("assumeRoles"):
            session = _assume(session, role, self._endpoint("sts"))
        return session


def error_code(error: "botocore.exceptions.ClientError") -> str:
    """Return the code of an AWS error, such as `NoSuchBucket`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _assume(session: Any, role: Mapping[str, Any], endpoint: str | None) -> Any:
    import boto3  # noqa: PLC0415 - as above

    options = {name: role[key] for key, name in _ASSUME_OPTIONS.items() if role.get(key)}
    credentials = session.client("sts", endpoint_url=endpoint).assume_role(
        RoleArn=role["roleArn"], RoleSessionName=role.get("sessionName", "scar-pulumi"), **options
    )["Credentials"]
    return boto3.Session(
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        region_name=session.region_name,
    )


# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
_ASSUME_OPTIONS = {"externalId": "ExternalId", "policy": "Policy", "sourceIdentity": "SourceIdentity"}

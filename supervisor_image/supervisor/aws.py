"""Signed calls of AWS's JSON APIs: the few that are needed do not justify an SDK in every image.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import json
import os
import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from supervisor import http_client
from supervisor.errors import ConfigurationInvalid

_METADATA = "http://169.254.169.254/latest"
_CONTAINER = "http://169.254.170.2"
# Versions of the protocol, where it is not 1.1: https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
_JSON = {"states": "1.0"}


class Credentials(NamedTuple):
    """The keys that sign a request."""

    key: str
    secret: str
    token: str = ""


class AwsError(Exception):
    """A service refused a request; `kind` is its error code."""

    def __init__(self, service: str, action: str, status: int, kind: str, message: str) -> None:
        super().__init__(f"{service} {action}: {kind or status}: {message}")
        self.status = status
        self.kind = kind


def region() -> str:
    """Return the region that this runs in."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def endpoint(service: str, of_region: str = "") -> str:
    """Return a service's endpoint, the one that AWS's own tools would use."""
    given = os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or os.environ.get("AWS_ENDPOINT_URL")
    if not given:
        place = of_region or region()
        return f"https://{service}.{place}.amazonaws.com" + (".cn" if place.startswith("cn-") else "")
    if not http_client.keeps_secrets(given):
        raise ConfigurationInvalid(
            f"AWS_ENDPOINT_URL: {given}: plain http is allowed only for this machine itself; use an https URL"
        )
    return given.rstrip("/")


def call(
    service: str, action: str, document: Mapping[str, Any], *, path: str = "", attempts: int = http_client.ATTEMPTS
) -> Any:
    """Call a service by the REST path, else by the action in X-Amz-Target, and return its answer. Raises AwsError."""
    body = json.dumps(document).encode()
    headers = {"Content-Type": "application/json" if path else f"application/x-amz-json-{_JSON.get(service, '1.1')}"}
    if not path:
        headers["X-Amz-Target"] = action
    url = endpoint(service) + (path or "/")
    response = http_client.call_signed(
        "POST", url, body, lambda: _signed(service, url, body, headers, credentials()), attempts
    )
    if response.status != 200:
        raise _refused(service, action, response)
    return json.loads(response.body or b"{}")


def invoke_later(function: str, payload: bytes) -> str:
    """Put an event into a function's queue, and return the id of its request. Raises AwsError.

    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
    """
    headers = {"Content-Type": "application/json", "X-Amz-Invocation-Type": "Event"}
    url = f"{endpoint('lambda')}/2015-03-31/functions/{quote(function)}/invocations"
    response = http_client.call_signed(
        "POST", url, payload, lambda: _signed("lambda", url, payload, headers, credentials()), attempts=4
    )
    if response.status != 202:
        raise _refused("lambda", "Invoke", response)
    return response.headers.get("x-amzn-requestid", "")


def credentials() -> Credentials:
    """Return the credentials of the environment, else of the container or of the machine."""
    if key := os.environ.get("AWS_ACCESS_KEY_ID"):
        secret, token = os.environ.get("AWS_SECRET_ACCESS_KEY", ""), os.environ.get("AWS_SESSION_TOKEN", "")
        return Credentials(key, secret, token)
    if relative := os.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        return _credentials(http_client.call("GET", _CONTAINER + relative).body)
    token = http_client.call(
        "PUT", f"{_METADATA}/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "300"}
    ).body.decode()
    session = http_client.Credentials(_METADATA, {"X-aws-ec2-metadata-token": token})
    roles = f"{_METADATA}/meta-data/iam/security-credentials/"
    role = http_client.call("GET", roles, credentials=session).body.decode().split()[0]
    return _credentials(http_client.call("GET", roles + role, credentials=session).body)


def _credentials(body: bytes) -> Credentials:
    document = json.loads(body)
    return Credentials(document["AccessKeyId"], document["SecretAccessKey"], document.get("Token", ""))


def _refused(service: str, action: str, response: http_client.Response) -> AwsError:
    try:
        document = json.loads(response.body)
    except ValueError:
        document = {}
    document = document if isinstance(document, dict) else {}
    kind = response.headers.get("x-amzn-errortype") or document.get("__type") or document.get("code") or ""
    message = document.get("message") or document.get("Message") or response.body[:200].decode("utf-8", "replace")
    return AwsError(service, action, response.status, str(kind).rpartition("#")[2].partition(":")[0], str(message))


def _signed(service: str, url: str, body: bytes, headers: Mapping[str, str], who: Credentials) -> dict[str, str]:
    parts = urlsplit(url)
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    whole = {**headers, "Host": parts.netloc, "X-Amz-Date": now}
    if who.token:
        whole["X-Amz-Security-Token"] = who.token
    lower = {name.lower(): value.strip() for name, value in whole.items()}
    names = ";".join(sorted(lower))
    request = "\n".join(
        [
            "POST",
            quote(parts.path or "/", safe="/~"),
            "",
            *(f"{name}:{lower[name]}" for name in sorted(lower)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{now[:8]}/{region()}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{who.secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    authorization = f"AWS4-HMAC-SHA256 Credential={who.key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**whole, "Authorization": authorization}

"""Errors of AWS that users meet, as sentences that say what to do.

Errors are recognized by the names of their classes, so that this module needs no AWS SDK.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from scar_foundation.errors import ScarError

_CREDENTIALS = "the cloud rejects these credentials; `aws sts get-caller-identity` shows whose they are"
_EXPIRED = "the credentials have expired; sign in again"
_MISSING = "does not exist; `scar-pulumi ls` lists what exists"
_DENIED = "access is denied; it belongs to another account, or these credentials lack the permission"
_BUSY = "the cloud is busy and asks to slow down; try again in a minute"
_TOO_LARGE = "the event is too large for a call; put the file into an input bucket instead"
_SIGN_IN = "the sign-in has expired; `aws sso login` renews it"
_UNREACHABLE = "the cloud cannot be reached; check the network"

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
_BY_CODE: Mapping[str, str] = {
    "403": _DENIED,
    "404": _MISSING,
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "BucketNotEmpty": "is not empty; --recursive also removes what is in it",
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "InvalidAccessKeyId": _CREDENTIALS,
    "InvalidBucketName": "is not a valid bucket name; use 3 to 63 lowercase letters, digits, hyphens and dots",
    "InvalidClientTokenId": _CREDENTIALS,
    "NoSuchBucket": _MISSING,
    "NoSuchKey": _MISSING,
    "RequestEntityTooLargeException": _TOO_LARGE,
    "RequestTooLargeException": _TOO_LARGE,
    "ResourceNotFoundException": "does not exist in the cloud; `scar-pulumi up FILE` deploys it again",
    "SignatureDoesNotMatch": _CREDENTIALS,
    "SlowDown": _BUSY,
    "ThrottlingException": _BUSY,
    "TooManyRequestsException": "has reached its concurrency limit; try again, or raise the limit",
    "UnrecognizedClientException": _CREDENTIALS,
}

# botocore.exceptions
_BY_CLASS: Mapping[str, str] = {
    "NoCredentialsError": "no AWS credentials are found; `aws configure` or AWS_PROFILE provides them",
    "PartialCredentialsError": "the AWS credentials are incomplete; `aws configure` completes them",
    "ProfileNotFound": "AWS_PROFILE names a profile that does not exist; `aws configure list-profiles` lists them",
    "NoRegionError": "no AWS region is set; set AWS_REGION",
    "TokenRetrievalError": _SIGN_IN,
    "UnauthorizedSSOTokenError": _SIGN_IN,
    "ConnectionError": _UNREACHABLE,
    "HTTPClientError": _UNREACHABLE,
}
_OF_TRANSFERS = {"S3UploadFailedError", "S3TransferFailedError"}


@contextmanager
def about(subject: str) -> Iterator[None]:
    """Begin the messages of errors in here with what they concern, such as `bucket pictures`."""
    try:
        yield
    except Exception as error:
        sentence = translated(error, subject)
        if sentence is None:
            raise
        raise sentence from error


def translated(error: BaseException, subject: str = "") -> ScarError | None:
    """Turn an error of boto3 into a sentence; return None for any other error."""
    kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__.startswith(("boto3.", "botocore."))]
    if not kinds:
        return None
    if _OF_TRANSFERS.intersection(kinds):
        inner = error.__cause__ or error.__context__
        return (translated(inner, subject) if inner else None) or ScarError(_about(subject, str(error)))
    if "ClientError" in kinds:
        return _of_response(error, subject)
    advice = next((_BY_CLASS[kind] for kind in kinds if kind in _BY_CLASS), "")
    return ScarError(_about(subject, f"{advice} ({error})" if advice else str(error)))


def _of_response(error: Any, subject: str) -> ScarError:
    details = error.response.get("Error", {})
    code, message = str(details.get("Code", "")), str(details.get("Message", "") or "")
    sentence = _BY_CODE.get(code) or f"{message or 'the cloud refused'} ({code})"
    return ScarError(_about(subject or error.operation_name, sentence))


def _about(subject: str, sentence: str) -> str:
    return f"{subject}: {sentence}" if subject else sentence

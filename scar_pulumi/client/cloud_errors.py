"""The errors of AWS that users meet, as sentences that say what to do."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import boto3.exceptions
import botocore.exceptions as aws

from scar_foundation.errors import ScarError

_CREDENTIALS = "the cloud does not accept these credentials; `aws sts get-caller-identity` shows whose they are"
_EXPIRED = "the credentials have expired; sign in again"
_MISSING = "does not exist; `scar-pulumi ls` lists what there is"
_DENIED = "access is denied; the bucket or function is somebody else's, or these credentials may not do that"
_BUSY = "the cloud is busy and asks to slow down; try again in a minute"

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
_SENTENCES: Mapping[str, str] = {
    "403": _DENIED,
    "404": _MISSING,
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "BucketNotEmpty": "is not empty; --recursive removes what is in it, too",
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "InvalidAccessKeyId": _CREDENTIALS,
    "InvalidBucketName": "is no name that a bucket can have (3 to 63 small letters, digits, hyphens and dots)",
    "InvalidClientTokenId": _CREDENTIALS,
    "NoSuchBucket": _MISSING,
    "NoSuchKey": _MISSING,
    "RequestEntityTooLargeException": "the event is too large for a call; put the file into an input bucket instead",
    "RequestTooLargeException": "the event is too large for a call; put the file into an input bucket instead",
    "ResourceNotFoundException": "does not exist in the cloud; `scar-pulumi up FILE` deploys it again",
    "SignatureDoesNotMatch": _CREDENTIALS,
    "SlowDown": _BUSY,
    "ThrottlingException": _BUSY,
    "TooManyRequestsException": "runs as often at once as it may; try again, or raise its concurrency",
    "UnrecognizedClientException": _CREDENTIALS,
}

_CONNECTION: tuple[tuple[type[Exception], str], ...] = (
    (aws.NoCredentialsError, "no AWS credentials are found; `aws configure` or AWS_PROFILE provides them"),
    (aws.PartialCredentialsError, "the AWS credentials are incomplete; `aws configure` completes them"),
    (aws.ProfileNotFound, "AWS_PROFILE names a profile that does not exist; `aws configure list-profiles` lists them"),
    (aws.NoRegionError, "no AWS region is set; set AWS_REGION"),
    (aws.TokenRetrievalError, "the sign-in has expired; `aws sso login` renews it"),
    (aws.UnauthorizedSSOTokenError, "the sign-in has expired; `aws sso login` renews it"),
    (aws.ConnectionError, "the cloud cannot be reached; check the network"),
    (aws.HTTPClientError, "the cloud cannot be reached; check the network"),
)


@contextmanager
def about(subject: str) -> Iterator[None]:
    """Say of errors in here what they concern, such as `bucket pictures`."""
    try:
        yield
    except Exception as error:
        told = translated(error, subject)
        if told is None:
            raise
        raise told from error


def translated(error: BaseException, subject: str = "") -> ScarError | None:
    """Turn an error of boto3 into a sentence; None when it is none of boto3's."""
    if isinstance(error, boto3.exceptions.S3UploadFailedError | boto3.exceptions.S3TransferFailedError):
        inner = error.__cause__ or error.__context__
        return (translated(inner, subject) if inner else None) or ScarError(_about(subject, str(error)))
    if isinstance(error, aws.ClientError):
        return ScarError(_about(subject or error.operation_name, _sentence(error)))
    if isinstance(error, aws.BotoCoreError | boto3.exceptions.Boto3Error):
        advice = next((text for kind, text in _CONNECTION if isinstance(error, kind)), "")
        return ScarError(_about(subject, f"{advice} ({error})" if advice else str(error)))
    return None


def _sentence(error: aws.ClientError) -> str:
    details = error.response.get("Error", {})
    code, message = str(details.get("Code", "")), str(details.get("Message", "") or "")
    known = _SENTENCES.get(code)
    if known is None:
        return f"{message or 'the cloud refused'} ({code})"
    return known


def _about(subject: str, sentence: str) -> str:
    return f"{subject}: {sentence}" if subject else sentence

"""Amazon S3 and MinIO, through obstore: streamed, so that memory does not grow with the objects."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from hashlib import md5
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeVar
from urllib.parse import quote

from supervisor import aws, http_client
from supervisor.errors import InputFailed, OutputFailed, SupervisorError
from supervisor.storage import Settings

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Store

_Result = TypeVar("_Result")

_PART = 8 << 20  # bytes; the 10,000 parts that S3 allows make 80 GB, more than any /tmp holds
_PARTS_AT_ONCE = 3
_BLOCK = 1 << 20  # bytes
# Bytes up to which an object that came over https is compared with its entity tag, which is an MD5 sum unless it was
# uploaded in parts: for larger ones the sum would take longer than the transfer, of which TLS checks every byte.
_SUMMED = 8 << 20
_DOWNLOADS = 4
_tags_are_no_sums: set[str] = set()  # buckets
_making = Lock()
_REGION_ATTEMPTS = 3
_INTERRUPTIONS = 5  # how often an interrupted download is resumed
# In details such as `message: "Connection refused"` and `InvalidCertificate(Other(OtherError(CaUsedAsEndEntity)))`.
_CAUSE = re.compile(r'(?:error|message): "([^"]+)"|InvalidCertificate\(\s*(?:Other\(\s*OtherError\(\s*)?(\w+)')


class Place(NamedTuple):
    """A server of buckets, and the keys for it; without keys the function's role is used."""

    endpoint: str
    region: str
    keys: tuple[str, str, str] | None = None
    verify: bool = True

    def in_region(self, region: str) -> "Place":
        """Return the same place for a bucket of another region: at that region's endpoint, unless one is given."""
        is_given = self.endpoint != aws.endpoint("s3", self.region)
        return self._replace(region=region, endpoint=self.endpoint if is_given else aws.endpoint("s3", region))

    @property
    def tells_a_token(self) -> bool:
        """Whether a session token of the settings goes along, which obstore would tell servers it is redirected to."""
        return self.keys is not None and bool(self.keys[2])


def own() -> "S3":
    """Return the buckets that the function's role can reach, at AWS_ENDPOINT_URL if that is set."""
    return S3(Place(aws.endpoint("s3"), aws.region()))


def amazon(settings: Settings) -> "S3":
    """Return the buckets that the settings' keys can reach, at the function's own endpoint unless they name another."""
    key, secret = settings.needed("access_key", "secret_key")
    region, given = settings.get("region", aws.region()), settings.get("endpoint")
    endpoint = settings.secret_address(given) if given else aws.endpoint("s3", region)
    return S3(Place(endpoint, region, (key, secret, settings.get("session_token")), settings.verify))


def minio(settings: Settings) -> "S3":
    """Return the buckets of a MinIO server; without an endpoint, of the one that OSCAR clusters have."""
    key, secret = settings.needed("access_key", "secret_key")
    given = settings.get("endpoint", "http://minio-service.minio:9000")
    endpoint = settings.secret_address(given) if _on_aws() else settings.address(given)
    return S3(Place(endpoint, settings.get("region", "us-east-1"), (key, secret, ""), settings.verify))


def _on_aws() -> bool:
    """Whether this is a function or a job, and not a service in a cluster, whose own servers have no certificates."""
    return "AWS_LAMBDA_RUNTIME_API" in os.environ or "AWS_BATCH_JOB_ID" in os.environ


class S3:
    """Buckets of one place."""

    has_containers = True

    def __init__(self, place: Place) -> None:
        self._place = place
        self._elsewhere: dict[str, Place] = {}  # by bucket

    def located(self, container: str, key: str, failure: type[SupervisorError]) -> tuple["S3Store", str]:
        """Return the store and the key within it that stand for the object; raise `failure` for an impossible key."""
        return _located(self._place, container, key, failure)

    def copier(self, source: str, container: str) -> "S3Store":
        """Return a store that copies objects of the bucket `source` into another bucket of the same place.

        The source of a copy is named by its bucket, the target by the request's URL.
        """
        return _store(self._place, container, "", source)

    def is_beside(self, other: "S3") -> bool:
        """Return whether one request can name buckets of both."""
        return self._place == other._place

    def download(self, container: str, key: str, path: str) -> int:
        """Write the object to a file, and return its size in bytes. Raises InputFailed."""
        from obstore.exceptions import BaseError

        def fetch(place: Place) -> int:
            with Path(path).open("wb") as file:
                return _Download(place, container, key, file).run()

        try:
            return self._in_its_region(container, fetch)
        except (BaseError, OSError) as error:  # a missing object is a FileNotFoundError of obstore
            raise InputFailed(f"{container}/{key}: cannot be downloaded: {reason(error)}") from error

    def upload(self, path: str, container: str, key: str) -> None:
        """Store the file as an object, in parts where it is large. Raises OutputFailed."""
        import obstore

        def put(place: Place) -> None:
            store, name = _located(place, container, key, OutputFailed)
            obstore.put(store, name, Path(path), chunk_size=_PART, max_concurrency=_PARTS_AT_ONCE)

        try:
            self._in_its_region(container, put)
        except (obstore.exceptions.BaseError, OSError) as error:
            raise OutputFailed(reason(error)) from error

    def _in_its_region(self, container: str, transfer: Callable[[Place], _Result]) -> _Result:
        """Transfer where the bucket is: S3 tells its region to whoever asks in another one, and buckets stay there."""
        from obstore.exceptions import BaseError

        place = self._elsewhere.get(container, self._place)
        try:
            return transfer(place)
        except BaseError as error:
            region = _region_of(container, place) if _ELSEWHERE in str(error) else ""
            if region in ("", place.region):
                raise
        self._elsewhere[container] = place.in_region(region)
        return transfer(self._elsewhere[container])


_ELSEWHERE = "redirect without LOCATION"
"""What obstore says of S3's answer about a bucket of another region."""


def _region_of(container: str, place: Place) -> str:
    """Return the region of a bucket, which S3 tells without a signature; nothing where the server does not know it.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
    """
    try:
        answer = http_client.call(
            "HEAD", f"{place.endpoint}/{quote(container)}", verify=place.verify, attempts=_REGION_ATTEMPTS
        )
    except OSError:
        return ""
    return answer.headers.get("x-amz-bucket-region", "")


class _Download:
    """The download of one object to a file, resumed where the connection broke."""

    def __init__(self, place: Place, container: str, key: str, file: BinaryIO) -> None:
        self._name = f"{container}/{key}"
        self._container = container
        self._place = place
        self._store, self._key = _located(place, container, key, InputFailed)
        self._file = file
        self._done = 0
        self._tag: str | None = None
        self._sum = md5(usedforsecurity=False)
        self._summed = _SUMMED if place.endpoint.startswith("https:") else sys.maxsize

    def run(self) -> int:
        """Download all of it, and compare it with its checksum where it has one; return its size."""
        seen: set[str] = set()
        for _ in range(_DOWNLOADS):
            size = self._whole()
            if not self._differs(size):
                return size
            found = self._sum.hexdigest()
            if found in seen:  # twice the same is what the bucket has: with KMS keys, tags are not checksums
                _tags_are_no_sums.add(self._container)
                return size
            seen.add(found)
            self._start_over()
        raise InputFailed(f"{self._name}: arrives damaged, each time in another way; try again")

    def _differs(self, size: int) -> bool:
        tag = (self._tag or "").strip('"')
        is_sum = len(tag) == 32 and "-" not in tag and self._container not in _tags_are_no_sums
        return is_sum and size <= self._summed and tag.lower() != self._sum.hexdigest()

    def _whole(self) -> int:
        from obstore.exceptions import BaseError, PreconditionError

        if self._place.tells_a_token:
            return self._signed()
        for attempts_left in reversed(range(_INTERRUPTIONS)):
            try:
                self._rest()
                break
            except PreconditionError:  # the object was replaced meanwhile
                if not attempts_left:
                    raise
                self._start_over()
            except BaseError:
                if not self._done or not attempts_left:  # before the first byte, obstore has retried already
                    raise
        return self._done

    def _signed(self) -> int:
        """Download with a signed URL, which no other server is told."""
        import obstore

        self._start_over()
        url = obstore.sign(self._store, "GET", self._key, timedelta(minutes=15))
        answer = http_client.download(url, self._file.name, {}, verify=self._place.verify)
        if answer.status != 200:
            raise OSError(f"status {answer.status}: {answer.body.decode('utf-8', 'replace')[:400]}")
        self._tag = answer.headers.get("etag")
        with open(self._file.name, "rb") as file:
            while block := file.read(_BLOCK):
                self._done += len(block)
                self._sum.update(block)
        return self._done

    def _rest(self) -> None:
        import obstore

        if self._done and self._tag:
            found = obstore.get(
                self._store, self._key, options={"range": {"offset": self._done}, "if_match": self._tag}
            )
        else:
            self._start_over()
            found = obstore.get(self._store, self._key)
        self._tag = found.meta["e_tag"]
        for block in found.stream(min_chunk_size=_BLOCK):
            self._file.write(block)
            if found.meta["size"] <= self._summed:
                self._sum.update(block)
            self._done += len(block)
        if self._done != found.meta["size"]:
            raise InputFailed(f"{self._name}: {self._done} of {found.meta['size']} bytes came; try again")

    def _start_over(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._done, self._tag = 0, None
        self._sum = md5(usedforsecurity=False)


def _located(place: Place, container: str, key: str, failure: type[SupervisorError]) -> tuple["S3Store", str]:
    """Return the store and the key within it that stand for the object."""
    if any(part in (".", "..") for part in key.split("/")):
        raise failure(f"{container}/{key}: a URL cannot have a key with a part '.' or '..'; rename the object")
    if any(ord(letter) < 32 or ord(letter) == 127 or "\ud800" <= letter <= "\udfff" for letter in key):
        raise failure(f"{container}/{key!r}: has characters that keys cannot have; rename the object")
    if "//" not in f"/{key}":
        return _store(place, container, ""), key
    # obstore's paths have no empty parts; those of S3 keys become part of the store's URL.
    head, _, tail = key.rpartition("/")
    return _store(place, container, "/" + quote(head, safe="/~")), tail


@lru_cache(maxsize=16)
def _store(place: Place, container: str, path: str, named: str = "") -> "S3Store":
    from obstore.store import S3Store

    http_client.provide_certificates()
    with _without_role(place):
        return S3Store(
            named or container,
            # "Virtual hosted" makes obstore use the URL as it is, with the bucket in it.
            config={
                "endpoint": f"{place.endpoint}/{container}{path}",
                "virtual_hosted_style_request": True,
                "region": place.region,
                "checksum_algorithm": "SHA256",
                **_keys(place),
            },
            client_options={
                "allow_http": place.endpoint.startswith("http:"),
                "allow_invalid_certificates": not place.verify,
                "connect_timeout": "5s",
                "read_timeout": "30s",
                "timeout": "15min",  # for a whole object, however large: no function runs longer
            },
            retry_config={
                "max_retries": 10,
                "retry_timeout": timedelta(seconds=60),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=5),
                    "base": 2,
                },
            },
        )


def _keys(place: Place) -> "S3Config":
    if place.keys is None:
        return {}
    key, secret, token = place.keys
    return {"access_key_id": key, "secret_access_key": secret, **({"session_token": token} if token else {})}


@contextmanager
def _without_role(place: Place) -> Iterator[None]:
    """Hide the role's session token while a store is made for other keys: obstore would combine them."""
    with _making:
        token = os.environ.pop("AWS_SESSION_TOKEN", None) if place.keys else None
        try:
            yield
        finally:
            if token is not None:
                os.environ["AWS_SESSION_TOKEN"] = token


def reason(error: object) -> str:
    """Return the first line of obstore's message, with the cause from the details that follow."""
    message, _, details = str(error).strip().partition("\n")
    cause = _CAUSE.search(details)
    why = f" ({cause[1] or f'its certificate is not trusted: {cause[2]}'})" if cause else ""
    return f"{message or type(error).__name__}{why}"

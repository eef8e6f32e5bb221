"""What OSCAR's server does with services: the order of its steps, its errors and what it leaves undone included."""

import re
import secrets
from typing import Any

from tests.components.oscar_service.minio import Minio, MinioError
from tests.components.oscar_service.specification import InvalidError, read

Answer = tuple[int, Any]
_ADMINISTRATOR = "cluster_admin"
_PAGE = 70


class Cluster:
    """A cluster of OSCAR 4.1.2; at 4.0 ports are numbers, and updates keep the scripts of exposed services."""

    def __init__(self, version: str = "4.1.2", backend: str = "", restart_seconds: float = 0.05) -> None:
        self.version = version
        self.backend = backend
        self.minio = Minio(restart_seconds)
        self.services: dict[str, dict[str, Any]] = {}
        self.secrets: dict[str, dict[str, str]] = {}
        self.s3_buckets: set[str] = set()
        self.exposed: set[str] = set()
        """Services whose Deployment, Service, HPA and Ingress exist."""
        self.odd_answers: list[tuple[int, str]] = []
        """What the next questions about a bucket are answered with, as while MinIO restarts."""

    @property
    def _is_newer(self) -> bool:
        return self.version >= "4.1"

    def information(self) -> Answer:
        return 200, {"version": self.version, "serverless_backend": {"name": self.backend, "version": "1"}}

    def create(self, body: dict[str, Any]) -> Answer:
        try:
            service = self._read(body)
        except InvalidError as error:
            return 400, str(error)
        if refusal := self._taken(service):
            return refusal
        if refusal := _refusal(service):
            return refusal
        service |= {"owner": _ADMINISTRATOR, "token": secrets.token_hex(32)}
        if values := service["environment"]["secrets"]:
            self.secrets[service["name"]] = dict(values)
        self.services[service["name"]] = service
        try:
            self._check_scale(service)
            self.minio.register(service["name"], service["token"])
            self._make_buckets(service)
        except (MinioError, InvalidError) as error:
            self._roll_back(service)
            return (400 if isinstance(error, InvalidError) else 500), str(error)
        if any(_place(entry)[0] == "s3" for entry in service["output"]):
            return 400, "Error tagging bucket: The specified bucket does not exist"  # it looks for it in MinIO
        for bucket in self._buckets(service, "minio"):
            self.minio.buckets[bucket].tags = {"owner": "", "from_service": service["name"]}
        if self._ports(service):
            self.exposed.add(service["name"])
        return 201, None

    def _taken(self, service: dict[str, Any]) -> Answer | None:
        if service["name"] in self.services:
            return 400, "A service with the provided name already exists"
        if service["environment"]["secrets"] and service["name"] in self.secrets:
            return 409, "A secret with the given name already exists"
        return None

    def _check_scale(self, service: dict[str, Any]) -> None:
        """Documented defaults are not applied, and Kubernetes refuses what is left."""
        if self._ports(service) and not 0 < service["expose"]["min_scale"] <= service["expose"]["max_scale"]:
            name = f"{service['name']}-hpa"
            raise MinioError(f'Error creating the service: HorizontalPodAutoscaler.autoscaling "{name}" is invalid')

    def update(self, body: dict[str, Any]) -> Answer:
        try:
            service = self._read(body)
        except InvalidError as error:
            return 400, str(error)
        old = self.services.get(service["name"])
        if old is None:
            return 404, None
        if refusal := self._unchangeable(old, service):
            return refusal
        service["token"] = old["token"]
        if self._ports(service) and self._is_newer:
            service["script"] = ""  # the ConfigMap is written twice, the second time without it
        new, before = set(self._buckets(service)), set(self._buckets(old, "minio"))
        self._make_buckets(service, is_update=True)
        if service["environment"]["secrets"]:
            self.secrets[service["name"]] = dict(service["environment"]["secrets"])
        self.services[service["name"]] = service
        if before - new:
            return 500, "error setting new policies"  # the administrator is no user of MinIO
        return self._tell_of_new_buckets(service, new - before)

    def _tell_of_new_buckets(self, service: dict[str, Any], new: set[str]) -> Answer:
        for _ in new:
            try:
                self.minio.register(service["name"], service["token"])
            except MinioError as error:
                return 500, str(error)
        # The administrator is no user of MinIO; the handler goes on after having answered.
        said = "Error creating the service: error creating policy: The specified user does not exist"
        return (500, said) if new else (204, None)

    def _unchangeable(self, old: dict[str, Any], new: dict[str, Any]) -> Answer | None:
        if self._ports(new) and old["name"] not in self.exposed:
            return 500, f'deployments.apps "{old["name"]}-dpl" not found'
        if new["isolation_level"] == "USER" and new["allowed_users"] and self._buckets(new, "minio"):
            return 500, ""  # it panics
        if new["volume"] != old["volume"]:
            return 400, "the volume of a service cannot be changed"
        return None

    def find(self, name: str) -> Answer:
        service = self.services.get(name)
        if service is None:
            return 404, None
        environment = {**service["environment"]}
        if environment["secrets"]:
            environment["secrets"] = dict.fromkeys(environment["secrets"], "")
        return 200, {**service, "environment": environment}

    def delete(self, name: str) -> Answer:
        service = self.services.pop(name, None)
        if service is None:
            return 404, None
        self.secrets.pop(name, None)
        if self._ports(service):  # it does not look for what an earlier definition has left
            self.exposed.discard(name)
        self.minio.unregister(name)
        try:
            self._delete_buckets(service)
        except MinioError as error:
            return 500, f"Error deleting service buckets: {error}"
        return 204, None

    def started(self, bucket: str, key: str) -> set[str]:
        """Return the services that a new key starts: `/job` refuses a token that is not the service's present one."""
        told = self.minio.notified(bucket, key)
        return {name for name in told if self.minio.webhooks[name] == self.services[name]["token"]}

    def settings(self, endpoint: str) -> Answer:
        keys = {"access_key": "minio", "secret_key": "minio-secret", "region": "us-east-1", "verify": False}
        return 200, {"config": {}, "minio_provider": {"endpoint": endpoint, **keys}, "allowed_image_repositories": []}

    def buckets(self) -> Answer:
        found = self.minio.buckets.items()
        return 200, [{"bucket_name": name, "visibility": "private", "metadata": one.tags} for name, one in found]

    def bucket(self, name: str, page: str = "") -> Answer:
        if self.odd_answers:
            return self.odd_answers.pop(0)
        if self.minio.is_down:
            return 500, "Error: dial tcp 10.0.0.1:9000: i/o timeout"
        bucket = self.minio.buckets.get(name)
        if bucket is None:
            return 500, "NoSuchBucket: The specified bucket does not exist"
        keys = sorted(bucket.objects)
        start = keys.index(page) if page else 0
        shown, rest = keys[start : start + _PAGE], keys[start + _PAGE :]
        return 200, {
            "bucket_name": name,
            "visibility": "private",
            "metadata": bucket.tags,
            "objects": [{"object_name": key, "size_bytes": 0} for key in shown],
            "is_truncated": bool(rest),
            "next_page": rest[0] if rest else "",
        }

    def delete_bucket(self, name: str) -> Answer:
        if self.minio.is_down:
            return 500, "Error: dial tcp 10.0.0.1:9000: i/o timeout"
        gone = 500, "NoSuchBucket: The specified bucket does not exist"
        return (204, None) if self.minio.buckets.pop(name, None) else gone

    def _read(self, body: dict[str, Any]) -> dict[str, Any]:
        return read(body, ports_are_lists=self._is_newer)

    def _ports(self, service: dict[str, Any]) -> bool:
        ports = service["expose"].get("api_port")
        return any(ports) if isinstance(ports, list) else bool(ports)

    def _buckets(self, service: dict[str, Any], *kinds: str) -> list[str]:
        places = [_place(entry) for entry in (*service["input"], *service["output"])]
        return [bucket for kind, bucket, _ in places if kind in (kinds or ("minio", "s3"))]

    def _make_buckets(self, service: dict[str, Any], *, is_update: bool = False) -> None:
        made: set[str] = set()
        for direction in ("input", "output"):
            for entry in service[direction]:
                kind, bucket, folder = _place(entry)
                identity = entry["storage_provider"].partition(".")[2] or "default"
                if direction == "input" and kind not in ("minio", "webdav", "rucio"):
                    raise InvalidError("unrecognized input (valid inputs are MinIO and dCache)")
                if identity not in service["storage_providers"].get(kind, {}):
                    raise MinioError(f'the StorageProvider "{kind}.{identity}" is not defined')
                if kind == "s3":
                    if bucket in self.s3_buckets and not is_update:
                        raise MinioError(f'the bucket "{bucket}" already exists\n')
                    self.s3_buckets.add(bucket)
                if kind == "minio":
                    # Only a folder in the bucket of an input that came before is no second bucket.
                    exists = is_update or (direction == "output" and bucket in made)
                    self._make_bucket(service, direction, bucket, folder, exists=exists)
                    made.add(bucket)

    def _make_bucket(self, service: dict[str, Any], direction: str, bucket: str, folder: str, *, exists: bool) -> None:
        is_new = bucket not in self.minio.buckets
        if is_new or not exists:
            self.minio.make(bucket)
        found = self.minio.buckets[bucket]
        found.objects.add(f"{folder}/")
        # An update gives up on a bucket that exists before it comes to the notification.
        if direction == "input" and is_new:
            found.notifications.add((service["name"], f"{folder}/"))

    def _roll_back(self, service: dict[str, Any]) -> None:
        """Return what a failed creation leaves: buckets that it had made before it met one that exists."""
        self.services.pop(service["name"], None)
        self.secrets.pop(service["name"], None)

    def _delete_buckets(self, service: dict[str, Any]) -> None:
        mounted = _place(service["mount"])[1] if service["mount"].get("path") else None
        for entry in (*service["input"], *service["output"]):
            kind, bucket, _ = _place(entry)
            if self.minio.is_down:
                raise MinioError("dial tcp 10.0.0.1:9000: i/o timeout")
            if kind not in ("minio", "s3") or bucket not in self.minio.buckets:  # S3's are looked for in MinIO, too
                continue
            found = self.minio.buckets[bucket]
            found.notifications = {rule for rule in found.notifications if rule[0] != service["name"]}
            if bucket == mounted:
                continue
            if service["owner"] != _ADMINISTRATOR:
                raise MinioError("error while removing MinIO bucket error removing resource")
            del self.minio.buckets[bucket]


def _refusal(service: dict[str, Any]) -> Answer | None:
    """Return what Kubernetes refuses, or OSCAR before it asks Kubernetes."""
    for key, value in service["labels"].items():
        if not re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?", str(value)):
            return 500, f'PodTemplate "{service["name"]}" is invalid: metadata.labels: Invalid value: "{key}={value}"'
    federation = service["federation"]
    if federation.get("members") and "refresh_token" not in (service["environment"]["secrets"] or {}):
        return 400, "refresh_token secret is required for federated services"
    return None


def _place(entry: dict[str, Any]) -> tuple[str, str, str]:
    bucket, _, folder = entry["path"].strip(" /").partition("/")
    return entry["storage_provider"].partition(".")[0], bucket, folder

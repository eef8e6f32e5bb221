"""Services, buckets and jobs of all clusters, in the local cloud's database; what jobs print is in their own files."""

import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from scar_pulumi.cloud.database import Database
from scar_pulumi.cloud.oscar.notifications import Rule
from scar_pulumi.cloud.oscar.specification import Definition, decoded, filled

PLACE_PREFIX = "oscar--"
"""What the names of MinIO's buckets begin with in the local cloud's S3."""
Status = Literal["Pending", "Running", "Succeeded", "Failed"]

_TABLES = """
CREATE TABLE IF NOT EXISTS oscar_services (
    cluster TEXT, name TEXT, definition TEXT, image TEXT, PRIMARY KEY (cluster, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS oscar_secrets (
    cluster TEXT, service TEXT, document TEXT, PRIMARY KEY (cluster, service)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS oscar_buckets (
    cluster TEXT, bucket TEXT, place TEXT UNIQUE, rules TEXT, PRIMARY KEY (cluster, bucket)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS oscar_jobs (
    number INTEGER PRIMARY KEY, cluster TEXT, service TEXT, name TEXT UNIQUE, created REAL, status TEXT,
    started REAL, finished REAL, event BLOB);
CREATE INDEX IF NOT EXISTS oscar_jobs_by_service ON oscar_jobs (cluster, service);
"""
_JOB = "SELECT cluster, service, name, created, status, started, finished FROM oscar_jobs"
_LIFETIME = 2_592_000.0
"""Seconds that a finished job is kept: the default of OSCAR's TTL_JOB."""


@dataclass(frozen=True)
class StoredService:
    """A service; `image` is the digest of the prepared image in the image store."""

    cluster: str
    definition: Definition = field(repr=False)
    image: str

    @property
    def name(self) -> str:
        """Its name on the cluster."""
        return str(self.definition["name"])


class Services:
    """The services, in memory too: every new object may start some of them. Their secrets are kept apart."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(_TABLES)
        rows = database.rows("SELECT cluster, definition, image FROM oscar_services")
        found = (self._read(cluster, json.loads(definition), image) for cluster, definition, image in rows)
        self._services = {(service.cluster, service.name): service for service in found}

    def _read(self, cluster: str, document: dict[str, Any], image: str) -> StoredService:
        """Return a stored service; one of an earlier release has its secrets within it, and lacks some keys."""
        values = document.get("environment", {}).get("secrets") or {}
        if any(values.values()):
            self._write_secrets(cluster, document["name"], values)
            document["environment"]["secrets"] = dict.fromkeys(values, "")
        kept = {key: document[key] for key in ("image_file",) if document.get(key)}
        return StoredService(cluster, {**filled(decoded(document)), **kept}, image)

    def of(self, cluster: str) -> list[StoredService]:
        """Return the services of a cluster, by name."""
        return [service for _, service in sorted(self._services.items()) if service.cluster == cluster]

    def all(self) -> list[StoredService]:
        """Return the services of all clusters."""
        return list(self._services.values())

    def find(self, cluster: str, name: str) -> StoredService | None:
        """Return a service, or None."""
        return self._services.get((cluster, name))

    def secrets(self, cluster: str, name: str) -> dict[str, str] | None:
        """Return the secrets of a service; None if it never had any."""
        query = "SELECT document FROM oscar_secrets WHERE cluster = ? AND service = ?"
        row = self._database.row(query, cluster, name)
        found: dict[str, str] | None = json.loads(row[0]) if row else None
        return found

    async def put(self, service: StoredService) -> None:
        """Keep a service, or what has become of it; on return it is on the disk."""
        row = service.cluster, service.name, json.dumps(service.definition), service.image
        self._database.write("INSERT OR REPLACE INTO oscar_services VALUES (?, ?, ?, ?)", *row)
        self._services[service.cluster, service.name] = service
        await self._database.flushed()

    async def put_secrets(self, cluster: str, name: str, values: Mapping[str, str]) -> None:
        """Keep the secrets of a service; on return they are on the disk."""
        self._write_secrets(cluster, name, values)
        await self._database.flushed()

    def _write_secrets(self, cluster: str, name: str, values: Mapping[str, str]) -> None:
        row = cluster, name, json.dumps(dict(values))
        self._database.write("INSERT OR REPLACE INTO oscar_secrets VALUES (?, ?, ?)", *row)

    async def remove(self, service: StoredService) -> None:
        """Forget a service; on return the disk has forgotten it, too."""
        key = service.cluster, service.name
        self._database.write("DELETE FROM oscar_services WHERE cluster = ? AND name = ?", *key)
        self._database.write("DELETE FROM oscar_secrets WHERE cluster = ? AND service = ?", *key)
        self._services.pop(key, None)
        await self._database.flushed()


@dataclass(frozen=True)
class StoredBucket:
    """A bucket of a cluster's MinIO; `place` is the name of the bucket of the local cloud's S3 that holds it."""

    cluster: str
    name: str
    place: str
    rules: tuple[Rule, ...] = ()


class StoredBuckets:
    """Where the buckets of all clusters are, and which services are told of new objects in them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(_TABLES)
        rows = database.rows("SELECT cluster, bucket, place, rules FROM oscar_buckets")
        found = (StoredBucket(cluster, name, place, _rules(rules)) for cluster, name, place, rules in rows)
        self._buckets = {(bucket.cluster, bucket.name): bucket for bucket in found}

    def all(self) -> list[StoredBucket]:
        """Return all that are known; some may be gone from S3, or were never created there."""
        return list(self._buckets.values())

    def find(self, cluster: str, name: str) -> StoredBucket:
        """Return a bucket, which may not exist yet."""
        return self._buckets.get((cluster, name)) or StoredBucket(cluster, name, _place_of(cluster, name))

    async def put(self, bucket: StoredBucket) -> None:
        """Keep what is known of a bucket; on return it is on the disk."""
        rules = json.dumps([list(rule) for rule in bucket.rules])
        row = bucket.cluster, bucket.name, bucket.place, rules
        self._database.write("INSERT OR REPLACE INTO oscar_buckets VALUES (?, ?, ?, ?)", *row)
        self._buckets[bucket.cluster, bucket.name] = bucket
        await self._database.flushed()

    async def remove(self, cluster: str, name: str) -> None:
        """Forget a bucket that was deleted."""
        self._database.write("DELETE FROM oscar_buckets WHERE cluster = ? AND bucket = ?", cluster, name)
        self._buckets.pop((cluster, name), None)
        await self._database.flushed()


def _rules(document: str) -> tuple[Rule, ...]:
    return tuple(
        Rule(service, prefix, suffix, tuple(events)) for service, prefix, suffix, events in json.loads(document)
    )


def _place_of(cluster: str, bucket: str) -> str:
    """Return a name for S3, whose names are unique among all accounts and no longer than MinIO's."""
    return PLACE_PREFIX + hashlib.sha256(f"{cluster}/{bucket}".encode()).hexdigest()[:40]


@dataclass(frozen=True)
class OscarJob:
    """One event of a service; times are seconds since the epoch."""

    cluster: str
    service: str
    name: str
    created: float
    status: Status = "Pending"
    started: float | None = None
    finished: float | None = None


class Jobs:
    """The jobs; below `directory`, each has a folder for its output and its container."""

    def __init__(self, database: Database, directory: Path) -> None:
        self._database = database
        self._directory = directory
        database.define(_TABLES)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()

    def create(self, cluster: str, service: str, event: bytes, name: str = "") -> OscarJob:
        """Store an event as a job of a name; `flushed` says when it is on the disk. Default: a new name."""
        job = OscarJob(cluster, service, name or f"{service}-{uuid.uuid4()}", time.time())
        self.folder(job).mkdir(mode=0o700, parents=True)
        self._database.write(
            "INSERT INTO oscar_jobs (cluster, service, name, created, status, started, finished, event)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *astuple(job),
            event,
        )
        return job

    async def flushed(self) -> None:
        """Return when every change is on the disk."""
        await self._database.flushed()

    def event(self, job: OscarJob) -> bytes:
        """Return what a job is to work on."""
        row = self._database.row("SELECT event FROM oscar_jobs WHERE name = ?", job.name)
        return bytes(row[0] or b"") if row else b""

    def log(self, job: OscarJob) -> Path:
        """Return the file with its output; it may not be there."""
        return self.folder(job) / "log"

    def began(self, job: OscarJob) -> None:
        """Note that its container runs."""
        statement = "UPDATE oscar_jobs SET status = 'Running', started = ? WHERE name = ?"
        self._database.write(statement, time.time(), job.name)

    def ended(self, job: OscarJob, *, succeeded: bool) -> None:
        """Note how it ended; its event is not needed any more."""
        status: Status = "Succeeded" if succeeded else "Failed"
        statement = "UPDATE oscar_jobs SET status = ?, finished = ?, event = NULL WHERE name = ?"
        self._database.write(statement, status, time.time(), job.name)

    def of(self, cluster: str, service: str) -> list[OscarJob]:
        """Return the jobs of a service, the youngest first."""
        query = f"{_JOB} WHERE cluster = ? AND service = ? ORDER BY number DESC"
        return [OscarJob(*row) for row in self._database.rows(query, cluster, service)]

    def is_taken(self, name: str) -> bool:
        """Return whether there is a job of a name; names are unique among all services."""
        return self._database.row("SELECT 1 FROM oscar_jobs WHERE name = ?", name) is not None

    def find(self, cluster: str, service: str, name: str) -> OscarJob | None:
        """Return a job of a service, or None."""
        row = self._database.row(f"{_JOB} WHERE cluster = ? AND service = ? AND name = ?", cluster, service, name)
        return OscarJob(*row) if row else None

    def unfinished(self) -> list[OscarJob]:
        """Return those that wait, and those whose container a kill has ended; the oldest first."""
        return [OscarJob(*row) for row in self._database.rows(f"{_JOB} WHERE finished ISNULL ORDER BY number")]

    def counts(self) -> dict[str, int]:
        """Return how many jobs are in which state."""
        found = dict(self._database.rows("SELECT status, count(*) FROM oscar_jobs GROUP BY status"))
        return {status.lower(): found.get(status, 0) for status in ("Pending", "Running", "Succeeded", "Failed")}

    def remove(self, job: OscarJob) -> None:
        """Forget a job with its output."""
        self._database.write("DELETE FROM oscar_jobs WHERE name = ?", job.name)
        shutil.rmtree(self.folder(job), ignore_errors=True)

    def expire(self) -> None:
        """Remove the jobs that ended too long ago."""
        oldest = time.time() - _LIFETIME
        for row in self._database.rows(f"{_JOB} WHERE finished < ?", oldest):
            self.remove(OscarJob(*row))

    def folder(self, job: OscarJob) -> Path:
        """Return the job's own folder."""
        return self._directory / quote(job.cluster, safe="") / job.service / job.name

    def _sweep(self) -> None:
        """Remove the folders of jobs that were never accepted, or whose removal a kill has cut short."""
        known = {name for (name,) in self._database.rows("SELECT name FROM oscar_jobs")}
        for folder in self._directory.glob("*/*/*"):
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)

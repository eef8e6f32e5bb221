"""What OSCAR's genuine server 4.1.2 answers: requests, statuses and words, for everything that stands for it here.

Each row was seen on the server itself (on 2026-11-30, with a real Kubernetes API and a real MinIO), or read in the file
of its source that is named beside it: https://github.com/grycap/oscar
"""

from collections.abc import Callable
from typing import Any, NamedTuple

CREATE, UPDATE, READ, JOB, LOGS = "create.go", "update.go", "read.go", "job.go", "logs.go"
BUCKETS, DEPLOYMENT, CONFIG = "buckets/", "deployment.go", "config.go"
SERVICES = "/system/services"


class Case(NamedTuple):
    """A request and its answer; `made` are definitions of services that are created first."""

    name: str
    method: str
    path: str
    body: Any
    status: int
    words: str
    source: str
    made: tuple[dict[str, Any], ...] = ()
    authorization: str | None = None


def service(name: str = "a", **more: Any) -> dict[str, Any]:
    """Return the smallest definition that is accepted."""
    return {"name": name, "image": "debian:12", "script": "#!/bin/sh\ncat\n", **more}


def place(path: str, provider: str = "minio.default") -> dict[str, str]:
    """Return an input or output."""
    return {"storage_provider": provider, "path": path}


def without(definition: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a definition that lacks a key."""
    return {name: value for name, value in definition.items() if name != key}


EXPOSED = {"api_port": [80], "min_scale": 1, "max_scale": 10, "cpu_threshold": 80, "health_path": "/"}
MEMBER = {"type": "oscar", "cluster_id": "other", "service_name": "a"}
PERSONAL: dict[str, Any] = {
    "isolation_level": "USER",
    "allowed_users": ["somebody@egi.eu"],
    "input": [place("personal/in")],
}
TWO_FOLDERS = [place("both/in"), place("both/more")]
REQUIRED = "'Script' failed on the 'required' tag"
ABSENT = "NoSuchBucket"

REFUSED_DEFINITIONS = (
    ("no script", without(service(), "script"), 400, REQUIRED),
    ("an empty script", service(script=""), 400, REQUIRED),
    ("no image", without(service(), "image"), 400, "'Image' failed on the 'required' tag"),
    ("no name", without(service(), "name"), 400, "'Name' failed on the 'required' tag"),
    ("a name of 40 characters", service("a" * 40), 400, "'Name' failed on the 'max' tag"),
    ("a number for a text", service(cpu=0.5), 400, "cannot unmarshal number into Go struct field Service.cpu"),
    (
        "a number in the variables",
        service(environment={"variables": {"A": 1}}),
        400,
        "environment.variables of type string",
    ),
    ("one port in place of a list", service(expose={"api_port": 80}), 400, "expose.api_port of type []int"),
    (
        "a port without scales",
        service(expose={"api_port": [80]}),
        500,
        'HorizontalPodAutoscaler.autoscaling "a-hpa" is',
    ),
    ("two input folders of a bucket", service(input=TWO_FOLDERS), 500, 'the bucket "both" already exists'),
    ("a label with a space", service(labels={"team": "b c"}), 500, 'metadata.labels: Invalid value: "b c"'),
    ("members without a token", service(federation={"members": [MEMBER]}), 400, "refresh_token secret is required"),
    ("a name in capitals", service("No-Name"), 500, 'metadata.name: Invalid value: "No-Name"'),
    ("an amount in words", service(memory="lots"), 500, "quantities must match the regular expression"),
    ("a provider that nobody defines", service(output=[place("abc/out", "s3.none")]), 500, '"s3.none" is not defined'),
    (
        "a provider that is a number",
        service(storage_providers={"s3": {"x": 3}}),
        400,
        "unmarshal number into Go struct",
    ),
    ("input from S3", service(input=[place("abc/in", "s3.default")]), 400, "unrecognized input (valid inputs are"),
    ("a bucket of two characters", service(output=[place("ab/out")]), 500, "InvalidBucketName"),
    ("a volume without a place", service(volume={"size": "1Gi"}), 400, "volume.mount_path is required"),
)
CASES = (
    *(Case(name, "POST", SERVICES, body, status, words, CREATE) for name, body, status, words in REFUSED_DEFINITIONS),
    Case("a name that is taken", "POST", SERVICES, service(), 400, "name already exists", CREATE, (service(),)),
    Case(
        "a bucket that exists",
        "POST",
        SERVICES,
        service("b", input=[place("taken/in")]),
        500,
        'the bucket "taken" already exists',
        CREATE,
        (service(output=[place("taken/out")]),),
    ),
    Case("an update of nothing", "PUT", SERVICES, service("nobody"), 404, "", UPDATE),
    Case("an update", "PUT", SERVICES, service(memory="1Gi"), 204, "", UPDATE, (service(),)),
    Case(
        "an interface added",
        "PUT",
        SERVICES,
        service(expose=EXPOSED),
        500,
        'deployments.apps "a-dpl" not found',
        UPDATE,
        (service(),),
    ),
    Case("buckets of its users", "PUT", SERVICES, service(**PERSONAL), 500, "", UPDATE, (service(**PERSONAL),)),
    Case(
        "another volume",
        "PUT",
        SERVICES,
        service(volume={"size": "2Gi", "mount_path": "/data"}),
        400,
        "",
        UPDATE,
        (service(volume={"size": "1Gi", "mount_path": "/data"}),),
    ),
    Case(
        "a bucket added by the administrator",
        "PUT",
        SERVICES,
        service(output=[place("added/out")]),
        500,
        "The specified user does not exist",
        UPDATE,
        (service(),),
    ),
    Case(
        "a bucket dropped by the administrator",
        "PUT",
        SERVICES,
        service(),
        500,
        "error setting new policies",
        UPDATE,
        (service(output=[place("dropped/out")]),),
    ),
    Case("an absent service", "GET", f"{SERVICES}/nobody", None, 404, "", READ),
    Case("an absent service's end", "DELETE", f"{SERVICES}/nobody", None, 404, "", "delete.go"),
    Case("an absent bucket", "GET", "/system/buckets/absent", None, 500, ABSENT, BUCKETS),
    Case("an absent bucket's end", "DELETE", "/system/buckets/absent", None, 500, ABSENT, BUCKETS),
    Case("no JSON", "POST", SERVICES, b"{", 400, "The service specification is not valid", CREATE),
    Case("nobody's request", "GET", SERVICES, None, 401, "", "auth.go", authorization=""),
)
JOB_CASES = (
    Case("no token", "POST", "/job/a", {}, 401, "", JOB, (service(),), ""),
    Case("another token", "POST", "/job/a", {}, 401, "", JOB, (service(),), f"Bearer {'0' * 64}"),
    Case("a short token", "POST", "/job/a", {}, 502, "token is malformed", JOB, (service(),), "Bearer short"),
    Case("a token for an absent service", "POST", "/job/nobody", {}, 401, "", JOB, (), f"Bearer {'0' * 64}"),
    Case("an absent service's calls", "POST", "/run/nobody", {}, 401, "", "run.go", (), f"Bearer {'0' * 64}"),
    Case("an absent job's log", "GET", "/system/logs/a/absent", None, 500, "", LOGS, (service(),)),
    Case("a page that is none", "GET", "/system/logs/a?page=junk", None, 500, "", LOGS, (service(),)),
)
MISSING = (
    ("PUT", "/system/config"),
    ("PUT", "/system/buckets"),
    ("POST", "/system/buckets/b/presign"),
    ("POST", "/system/services/a/stop"),
    ("GET", "/system/services/a/auth"),
    ("GET", "/system/services/a/exposed/"),
    ("GET", "/system/quotas/user"),
    ("GET", "/system/volumes"),
    ("GET", "/system/federation/a"),
    ("GET", "/system/metrics"),
    ("GET", "/system/metrics/breakdown"),
    ("GET", "/system/logs"),
    ("GET", "/system/status"),
    ("GET", "/ui"),
    ("GET", "/"),
)
"""Paths that the server has and the local cloud has not."""


def check(case: Case, ask: Callable[[str, str, Any, str | None], tuple[int, str]]) -> None:
    """Make what a case needs, ask, compare; `ask` sends method, path, body and authorization (None: the user's)."""
    for definition in case.made:
        made = ask("POST", SERVICES, definition, None)
        assert made == (201, ""), made
    status, said = ask(case.method, case.path, case.body, case.authorization)
    assert status == case.status, said
    assert case.words in said
    if case.method == "POST" and status != 201 and case.path == SERVICES and not case.made:
        assert ask("GET", f"{SERVICES}/a", None, None)[0] == 404

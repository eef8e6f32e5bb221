"""`put`, `get`, `ls` and `rm`: files in buckets; `ls` without a bucket: what is deployed."""

import dataclasses
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import click

from scar_foundation.errors import InputError, ScarError
from scar_pulumi.cli.console import Console, printable
from scar_pulumi.cli.options import FILE, Document, deployments_options, json_option, yes_option
from scar_pulumi.cli.output import count, label, paths, show_table, size
from scar_pulumi.client.cloud_errors import about
from scar_pulumi.client.objects import Location, objects, remove_contents, remove_object
from scar_pulumi.client.outputs import DeployedFunction, DeployedMapReduce, DeployedService
from scar_pulumi.client.transfer import Fetched, download, plan_downloads, plan_uploads, upload
from scar_pulumi.deployments import DeployedStack, Deployments

_PLACE = "BUCKET/PREFIX"
_PLACE_HELP = (
    "A bucket and a folder in it, or one object's key; "
    "minio.default/BUCKET/PREFIX is in the storage of an OSCAR cluster."
)


@click.command
@click.argument("place", metavar=_PLACE, help="The folder in a bucket where the files go.")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=FILE, help="A file, or a folder with everything below it."
)
@deployments_options(search=False)
@json_option
def put(console: Console, deployments: Deployments, place: str, files: tuple[Path, ...]) -> Document:
    """Upload files and folders."""
    location = Location.parse(place)
    uploads = plan_uploads(location, files)
    s3 = deployments.storage(location)
    for warning in deployments.upload_warnings(location, [item.key for item in uploads]):
        console.warn(printable(warning))
    objects_put = []
    task = f"uploading {count(len(uploads), 'file')}"
    with about(f"bucket {location.container}"), console.progress(task) as progress:
        meter = _Meter(sum(item.size for item in uploads), progress.update)
        for item in upload(s3, location.bucket, uploads, meter):
            objects_put.append({"bucket": location.bucket, "key": item.key, "size": item.size, "file": str(item.file)})
            console.say(printable(f"{item.file} → {location.container}/{item.key}  ({size(item.size)})"))
    return {"objects": sorted(objects_put, key=lambda entry: str(entry["key"]))}


@click.command
@click.argument("place", metavar=_PLACE, help=_PLACE_HELP)
@click.argument("folder", type=FILE, help="Where the files go; created if it does not exist.")
@click.option("--overwrite", is_flag=True, help="Replace files that differ.")
@deployments_options(search=False)
@json_option
def get(console: Console, deployments: Deployments, place: str, folder: Path, overwrite: bool) -> Document:
    """Download an object or a folder."""
    location = Location.parse(place)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; name the folder where the files go")
    s3 = deployments.storage(location)
    with about(f"bucket {location.container}"), console.progress(f"downloading {location}") as progress:
        downloads, fetched = plan_downloads(s3, location, folder)
        if not downloads and not fetched:
            raise _nothing_in(location)
        meter = _Meter(sum(item.source.size for item in downloads), progress.update)
        for item in download(s3, location.bucket, folder, downloads, overwrite=overwrite, moved=meter):
            fetched.append(item)
            if item.outcome == "downloaded":
                console.say(printable(f"{location.container}/{item.key} → {item.file}  ({size(item.size)})"))
    return _fetched_document(fetched, console)


@click.command
@click.argument(
    "place", metavar=f"[{_PLACE}]", required=False, help=f"{_PLACE_HELP} Without it: everything that is deployed."
)
@deployments_options(search=True)
@json_option
def ls(console: Console, deployments: Deployments, place: str | None) -> Document:
    """List functions, services and buckets, or the objects in a bucket."""
    if place is None:
        return _overview(console, deployments)
    location = Location.parse(place)
    listed, total = [], 0
    s3 = deployments.storage(location)
    with about(f"bucket {location.container}"):
        for item in objects(s3, location):
            when = item.modified.astimezone()
            console.say(f"{when:%Y-%m-%d %H:%M:%S}  {size(item.size):>8}  {printable(item.key)}")
            total += item.size
            modified = item.modified.isoformat()
            listed.append({"key": item.key, "size": item.size, "lastModified": modified, "etag": item.etag})
    if location.key and not listed:
        raise _nothing_in(location)
    console.note(f"{count(len(listed), 'object')}, {size(total)}")
    return {"bucket": location.bucket, "prefix": location.key, "objects": listed}


@click.command
@click.argument("place", metavar=_PLACE, help=_PLACE_HELP)
@click.option("-r", "--recursive", is_flag=True, help="Remove everything in the bucket or folder.")
@yes_option
@deployments_options(search=False)
@json_option
def rm(console: Console, deployments: Deployments, place: str, recursive: bool, yes: bool) -> Document:
    """Remove objects, or a bucket.

    A bucket that a deployed stack uses is emptied, but not removed.
    """
    location = Location.parse(place)
    s3 = deployments.storage(location)
    user = None if location.key else deployments.stack_using(location)
    removal = _Removal(console, location, s3, recursive, user)
    removal.check(yes=yes)
    removed = removal.run()
    removal.report(removed)
    return {
        "bucket": location.bucket,
        "prefix": location.key,
        "objects": removed,
        "bucketRemoved": removal.takes_bucket,
    }


@dataclass(frozen=True)
class _Removal:
    """What `rm` is about to remove; `user` is a deployed stack that uses the bucket, which then stays."""

    console: Console
    location: Location
    s3: Any
    recursive: bool
    user: DeployedStack | None

    @property
    def takes_bucket(self) -> bool:
        """Whether the bucket itself is removed."""
        return not self.location.key and self.user is None

    @property
    def subject(self) -> str:
        """What is removed, in words."""
        return str(self.location) if self.location.key else f"bucket {self.location.container}"

    def check(self, *, yes: bool) -> None:
        """Refuse a probable mistake, and ask before anything is removed."""
        if self.user and not self.recursive:
            advice = "destroy that first, or empty the bucket with --recursive"
            raise InputError(f"{self.subject}: {_described(self.user)} uses it; {advice}")
        if self.location.key and not self.recursive and self._is_folder():
            raise InputError(f"{self.location}: is a folder; --recursive removes everything in it")
        what = f"everything in {self.location}" if self.recursive else self.subject
        if not self.console.must_confirm(f"Remove {what} for good?", yes=yes):
            raise ScarError(f"{self.subject}: not confirmed; nothing was removed")

    def run(self) -> int:
        """Remove it, and return how many objects were removed."""
        removed = 0
        with about(self.subject), self.console.progress(f"removing {self.subject}") as progress:
            if self.recursive:
                removed = remove_contents(self.s3, self.location, lambda n: progress.update(count(n, "object")))
            elif self.location.key:
                remove_object(self.s3, self.location)
                removed = 1
            if self.takes_bucket:
                self.s3.delete_bucket(Bucket=self.location.bucket)
        if self.location.key and not removed:
            raise _nothing_in(self.location)
        return removed

    def report(self, removed: int) -> None:
        """Print what was removed."""
        objects_removed = count(removed, "object")
        if self.user:
            user = _described(self.user)
            self.console.say(f"removed {objects_removed} from {self.subject}, which stays: {user} uses it")
        else:
            self.console.say(f"removed {self.subject}" + (f" with {objects_removed}" if self.recursive else ""))

    def _is_folder(self) -> bool:
        with about(f"bucket {self.location.container}"):
            found = [item.key for item in islice(objects(self.s3, self.location), 2)]
        return bool(found) and self.location.key not in found


class _Meter:
    """Adds up the bytes that several threads report, into words such as `3.1 MB of 20.0 MB`."""

    def __init__(self, total: int, show: Callable[[str, float | None], None]) -> None:
        self._total, self._moved, self._show, self._lock = total, 0, show, threading.Lock()

    def __call__(self, moved: int) -> None:
        with self._lock:
            self._moved += moved
        self._show(f"{size(self._moved)} of {size(self._total)}", self._moved / self._total if self._total else None)


def _nothing_in(location: Location) -> ScarError:
    return ScarError(f"{location}: there is nothing; `scar-pulumi ls {location.container}` lists the bucket")


def _described(stack: DeployedStack) -> str:
    return f"stack {stack.name} of project {stack.project}"


def _fetched_document(fetched: Sequence[Fetched], console: Console) -> Document:
    if unchanged := sum(item.outcome == "unchanged" for item in fetched):
        console.note(f"{count(unchanged, 'file')} unchanged")
    refused = [f"{printable(item.key)}: not downloaded; {item.reason}" for item in fetched if item.outcome == "refused"]
    differing = [f"{item.file}: differs from the object" for item in fetched if item.outcome == "differs"]
    if differing:
        differing.append(f"{count(len(differing), 'file')} kept; --overwrite replaces them")
    if refused or differing:
        raise ScarError("\n".join(refused + differing))
    files = [{"key": item.key, "file": str(item.file), "size": item.size, "outcome": item.outcome} for item in fetched]
    return {"files": sorted(files, key=lambda entry: str(entry["key"]))}


def _overview(console: Console, deployments: Deployments) -> Document:
    """List functions, services and buckets; the local cloud's include those that destroyed stacks have left."""
    stacks = deployments.stacks
    called = [(stack, one) for stack in stacks for one in stack.called()]
    buckets: list[Document] = [
        {"name": bucket.name, "managed": bucket.managed, "project": stack.project, "stack": stack.name}
        for stack in stacks
        for bucket in stack.outputs.buckets
    ]
    unclaimed = {"managed": None, "project": None, "stack": None}
    buckets += [{"name": name, **unclaimed} for name in deployments.unclaimed_buckets()]
    mapreduces = [(stack, one) for stack in stacks for one in stack.outputs.mapreduces.values()]
    _show_overview(console, [*called, *mapreduces], buckets)
    return {
        "functions": [_function_document(stack, one) for stack, one in called if isinstance(one, DeployedFunction)],
        "mapreduces": [_mapreduce_document(stack, one) for stack, one in mapreduces],
        "services": [_service_document(stack, one) for stack, one in called if isinstance(one, DeployedService)],
        "buckets": buckets,
    }


def _show_overview(
    console: Console,
    called: Sequence[tuple[DeployedStack, DeployedFunction | DeployedMapReduce | DeployedService]],
    buckets: Sequence[Document],
) -> None:
    if not called and not buckets:
        console.note("nothing is deployed; `scar-pulumi up FILE` deploys a file")
    rows = [(label(one), stack.project, paths(one.inputs), paths(one.outputs), _url(one)) for stack, one in called]
    show_table(console, ("FUNCTION", "PROJECT", "INPUT", "OUTPUT", "URL"), rows)
    if called and buckets:
        console.say("")
    show_table(console, ("BUCKET", "PROJECT"), [(bucket["name"], bucket["project"] or "-") for bucket in buckets])


def _url(called: DeployedFunction | DeployedMapReduce | DeployedService) -> str:
    return (called.url if isinstance(called, DeployedFunction) else "") or "-"


def _function_document(stack: DeployedStack, function: DeployedFunction) -> Document:
    return {
        "name": function.name,
        "project": stack.project,
        "stack": stack.name,
        "arn": function.arn,
        "region": function.region,
        "logGroup": function.log_group,
        "image": function.image,
        "executionMode": function.execution_mode,
        "url": function.url or None,
        "page": function.page or None,
        "inputs": [dataclasses.asdict(path) for path in function.inputs],
        "outputs": [dataclasses.asdict(path) for path in function.outputs],
    }


def _mapreduce_document(stack: DeployedStack, mapreduce: DeployedMapReduce) -> Document:
    return {
        "name": mapreduce.name,
        "project": stack.project,
        "stack": stack.name,
        "arn": mapreduce.arn,
        "region": mapreduce.region,
        "engine": mapreduce.engine,
        "reducers": mapreduce.reducers,
        "functions": dict(mapreduce.functions),
        "workBucket": mapreduce.work_bucket,
        "inputs": [dataclasses.asdict(path) for path in mapreduce.inputs],
        "outputs": [dataclasses.asdict(path) for path in mapreduce.outputs],
    }


def _service_document(stack: DeployedStack, service: DeployedService) -> Document:
    return {
        "name": service.name,
        "cluster": service.cluster,
        "project": stack.project,
        "stack": stack.name,
        "synchronous": service.synchronous,
        "inputs": [dataclasses.asdict(path) for path in service.inputs],
        "outputs": [dataclasses.asdict(path) for path in service.outputs],
    }

"""`put`, `get`, `ls` and `rm`: files in buckets."""

import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from scar_foundation.errors import InputError, ScarError
from scar_pulumi.cli._clusters import open_storage
from scar_pulumi.cli._overview import overview
from scar_pulumi.cli._parser import json_option, yes_option
from scar_pulumi.cli._target import deployed_stacks, is_local, stack_options
from scar_pulumi.cli.console import Console, count, printable, size
from scar_pulumi.client.cloud_errors import about
from scar_pulumi.client.objects import Location, objects, remove_bucket, remove_contents, remove_object
from scar_pulumi.client.outputs import StackOutputs
from scar_pulumi.client.transfer import Fetched, download, plan_downloads, plan_uploads, upload

_PLACE = "BUCKET/PREFIX; the prefix is a folder, or one object's key; minio.default/BUCKET/PREFIX for an OSCAR cluster"


def configure(verb: str, parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    if verb == "put":
        parser.add_argument("place", metavar="BUCKET/PREFIX", help="the folder in a bucket where the files go")
        parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a file, or a folder with all below it")
    elif verb == "get":
        parser.add_argument("place", metavar="BUCKET/PREFIX", help=_PLACE)
        parser.add_argument("folder", metavar="FOLDER", type=Path, help="where the files go; made if missing")
        parser.add_argument("--overwrite", action="store_true", help="replace files that differ")
    elif verb == "ls":
        parser.add_argument("place", metavar="BUCKET/PREFIX", nargs="?", help=f"{_PLACE}; without: what is deployed")
    else:
        parser.add_argument("place", metavar="BUCKET/PREFIX", help=_PLACE)
        parser.add_argument("-r", "--recursive", action="store_true", help="all that is in the bucket or folder")
        yes_option(parser)
    stack_options(parser, search=verb == "ls")
    json_option(parser)


def run(verb: str, arguments: Namespace, console: Console) -> Mapping[str, Any]:
    """Do it."""
    if arguments.place is None:
        return overview(arguments, console)
    location = Location.parse(arguments.place)
    return _VERBS[verb](arguments, location, console)


def _put(arguments: Namespace, location: Location, console: Console) -> Mapping[str, Any]:
    uploads = plan_uploads(location, arguments.files)
    s3 = open_storage(location, arguments, console)
    total, done = sum(item.size for item in uploads), []
    with (
        about(f"bucket {location.container}"),
        console.progress(f"uploading {count(len(uploads), 'file')}") as progress,
    ):
        meter = _Meter(total, progress.update)
        for item in upload(s3, location.bucket, uploads, meter):
            done.append({"bucket": location.bucket, "key": item.key, "size": item.size, "file": str(item.file)})
            console.say(printable(f"{item.file} → {location.container}/{item.key}  ({size(item.size)})"))
    return {"objects": sorted(done, key=lambda entry: str(entry["key"]))}


def _get(arguments: Namespace, location: Location, console: Console) -> Mapping[str, Any]:
    folder: Path = arguments.folder
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; name the folder where the files go")
    s3 = open_storage(location, arguments, console)
    with about(f"bucket {location.container}"), console.progress(f"downloading {location}") as progress:
        downloads, fetched = plan_downloads(s3, location, folder)
        if not downloads and not fetched:
            raise ScarError(f"{location}: there is nothing; `scar-pulumi ls {location.container}` lists the bucket")
        meter = _Meter(sum(item.source.size for item in downloads), progress.update)
        for item in download(s3, location.bucket, folder, downloads, overwrite=arguments.overwrite, moved=meter):
            fetched.append(item)
            if item.outcome == "downloaded":
                console.say(printable(f"{location.container}/{item.key} → {item.file}  ({size(item.size)})"))
    return _got(fetched, console)


def _got(fetched: Sequence[Fetched], console: Console) -> Mapping[str, Any]:
    if unchanged := sum(item.outcome == "unchanged" for item in fetched):
        console.note(f"{count(unchanged, 'file')} unchanged")
    refused = [f"{printable(item.key)}: not downloaded; {item.reason}" for item in fetched if item.outcome == "refused"]
    differing = [f"{item.file}: differs from the object" for item in fetched if item.outcome == "differs"]
    if differing:
        differing.append(f"{count(len(differing), 'file')} left alone; --overwrite replaces them")
    if refused or differing:
        raise ScarError("\n".join(refused + differing))
    files = [{"key": item.key, "file": str(item.file), "size": item.size, "outcome": item.outcome} for item in fetched]
    return {"files": sorted(files, key=lambda entry: str(entry["key"]))}


def _ls(arguments: Namespace, location: Location, console: Console) -> Mapping[str, Any]:
    s3 = open_storage(location, arguments, console)
    listed, total = [], 0
    with about(f"bucket {location.container}"):
        for item in objects(s3, location):
            when = item.modified.astimezone()
            console.say(f"{when:%Y-%m-%d %H:%M:%S}  {size(item.size):>8}  {printable(item.key)}")
            total += item.size
            modified = item.modified.isoformat()
            listed.append({"key": item.key, "size": item.size, "lastModified": modified, "etag": item.etag})
    if location.key and not listed:
        raise ScarError(f"{location}: there is nothing; `scar-pulumi ls {location.container}` lists the bucket")
    console.note(f"{count(len(listed), 'object')}, {size(total)}")
    return {"bucket": location.bucket, "prefix": location.key, "objects": listed}


def _rm(arguments: Namespace, location: Location, console: Console) -> Mapping[str, Any]:
    s3 = open_storage(location, arguments, console)
    whole = not location.key
    user = _user(arguments.stack, location) if whole else ""
    _may_remove(arguments, s3, location, user, console)
    subject = f"bucket {location.container}" if whole else str(location)
    removed = 0
    with about(subject), console.progress(f"removing {subject}") as progress:
        if arguments.recursive:
            removed = remove_contents(s3, location, lambda number: progress.update(count(number, "object")))
        elif not whole:
            remove_object(s3, location)
            removed = 1
        if whole and not user:
            remove_bucket(s3, location.bucket)
    if not (removed or whole):
        raise ScarError(f"{subject}: there is nothing; `scar-pulumi ls {location.container}` lists the bucket")
    if user:
        console.say(f"removed {count(removed, 'object')} from {subject}, which stays: {user} uses it")
    else:
        console.say(f"removed {subject}" + (f" with {count(removed, 'object')}" if arguments.recursive else ""))
    return {
        "bucket": location.bucket,
        "prefix": location.key,
        "objects": removed,
        "bucketRemoved": whole and not user,
    }


def _user(stack: str, location: Location) -> str:
    """Say which deployed stack uses a bucket, which must not go from under it; empty when none does."""
    for found in deployed_stacks(Namespace(stack=stack, fdl=None, project=None)):
        if location.bucket in _buckets_used(found.deployed, location):
            return f"stack {found.name} of project {found.project}"
    return ""


def _buckets_used(deployed: StackOutputs, location: Location) -> set[str]:
    if not location.provider:
        return {bucket.name for bucket in deployed.buckets}
    kind = location.provider.partition(".")[0]
    paths = [path for service in deployed.services() for path in (*service.inputs, *service.outputs)]
    return {path.path.partition("/")[0] for path in paths if path.provider.partition(".")[0] == kind}


def _is_folder(s3: Any, location: Location) -> bool:
    with about(f"bucket {location.container}"):
        found = [item.key for item in islice(objects(s3, location), 2)]
    return bool(found) and location.key not in found


def _may_remove(arguments: Namespace, s3: Any, location: Location, user: str, console: Console) -> None:
    """Refuse what was probably not meant, and ask before more than one named object goes."""
    if user and not arguments.recursive:
        raise InputError(
            f"bucket {location.container}: {user} uses it; destroy that first, or empty the bucket with --recursive"
        )
    if location.key and not arguments.recursive and _is_folder(s3, location):
        raise InputError(f"{location}: is a folder; --recursive removes all that is in it")
    if (arguments.recursive or not location.key) and not _agreed(arguments, location, console):
        subject = location if location.key else f"bucket {location.container}"
        raise ScarError(f"{subject}: not confirmed; nothing was removed")


def _agreed(arguments: Namespace, location: Location, console: Console) -> bool:
    """Ask; scripts may remove files on a local stack without `--yes`."""
    if is_local(arguments.stack) and not console.interactive:
        return True
    what = f"everything in {location}" if arguments.recursive else f"bucket {location.container}"
    return console.must_confirm(f"Remove {what} for good?", yes=arguments.yes)


class _Meter:
    """Adds up the bytes that several threads report, into words such as `3.1 MB of 20.0 MB`."""

    def __init__(self, total: int, show: Callable[[str], None]) -> None:
        self._total, self._moved, self._show, self._lock = total, 0, show, threading.Lock()

    def __call__(self, moved: int) -> None:
        with self._lock:
            self._moved += moved
        self._show(f"{size(self._moved)} of {size(self._total)}")


_VERBS: Mapping[str, Callable[[Namespace, Location, Console], Mapping[str, Any]]] = {
    "put": _put,
    "get": _get,
    "ls": _ls,
    "rm": _rm,
}

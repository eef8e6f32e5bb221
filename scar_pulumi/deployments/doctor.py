"""Whether everything that a stack needs is there: each check finds facts, says whether they will do, and the way out.

Nothing is built, installed, started or changed.
"""

import asyncio
import datetime
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal

from scar_foundation.directories import cache_directory, local_cloud_directory, state_directory
from scar_foundation.errors import ScarError
from scar_foundation.limits import GIB, LAMBDA_CONCURRENCY
from scar_pulumi.client.cloud_errors import translated
from scar_pulumi.cloud import LocalCloud, is_local_stack
from scar_pulumi.deployments.stacks import account_of

# Each check imports what it looks at.
# ruff: noqa: PLC0415

Verdict = Literal["ok", "warn", "fail"]
_LITTLE_DISK, _NO_DISK = 5 * GIB, 1 * GIB
"""Bytes: images are unpacked, and an engine that is built takes 2 GiB for a while."""
_SLOW_CLOCK, _WRONG_CLOCK = 60.0, 300.0
"""Seconds; AWS refuses requests whose time is 5 minutes off: https://docs.aws.amazon.com/general/latest/gr/signing-aws-api-requests.html"""


@dataclass(frozen=True)
class Finding:
    """What was found about one thing, whether it will do, and what to do if not."""

    subject: str
    verdict: Verdict
    found: str
    advice: str = ""

    def document(self) -> dict[str, str]:
        """Return the finding as a JSON document."""
        return asdict(self)


def examine(stack: str) -> Iterator[Finding]:
    """Yield what is found about this machine and, for stacks on AWS, about the account, one after the other."""
    failed: set[str] = set()
    for subject, check in _LOCAL.items() if is_local_stack(stack) else _REMOTE.items():
        if missing := failed.intersection(_NEEDS.get(subject, ())):
            yield Finding(subject, "warn", f"unknown without {' and '.join(sorted(missing))}")
            continue
        for finding in _examined(check, stack):
            if finding.verdict == "fail":
                failed.add(subject)
            yield replace(finding, subject=subject)


def _examined(check: "_Check", stack: str) -> Iterator[Finding]:
    try:
        yield from check(stack)
    except Exception as error:
        sentence = error if isinstance(error, ScarError) else translated(error)
        if sentence is None:
            raise
        found, _, advice = str(sentence).partition("; ")
        yield Finding("", "fail", found, advice)


_Check = Callable[[str], Iterator[Finding]]


def _ok(found: str) -> Finding:
    return Finding("", "ok", found)


def _warn(found: str, advice: str) -> Finding:
    return Finding("", "warn", found, advice)


def _fail(found: str, advice: str) -> Finding:
    return Finding("", "fail", found, advice)


def _python(_stack: str) -> Iterator[Finding]:
    from importlib.metadata import version

    found = sys.version_info
    yield _ok(f"scar-pulumi {version('scar-pulumi')} on Python {found.major}.{found.minor}.{found.micro}")


def _disk(_stack: str) -> Iterator[Finding]:
    for what, folder in (("state", state_directory()), ("cache", cache_directory())):
        free = shutil.disk_usage(folder).free
        found = f"{free / GIB:.1f} GiB free for the {what} in {folder}"
        if not os.access(folder, os.W_OK):
            yield _fail(f"{folder} is not writable", f"set SCAR_{what.upper()}_DIR to a folder that is")
        elif free < _NO_DISK:
            yield _fail(found, f"free some space, or set SCAR_{what.upper()}_DIR to a folder on another disk")
        elif free < _LITTLE_DISK:
            yield _warn(found, f"images need more; SCAR_{what.upper()}_DIR chooses another disk")
        else:
            yield _ok(found)


def _engine(_stack: str) -> Iterator[Finding]:
    from scar_pulumi.engine.find import present_engine
    from scar_pulumi.engine.go_build import INSTALL_GO, find_go

    if engine := present_engine():
        yield _ok(f"Pulumi {engine.version} from {engine.origin}")
        return
    try:
        go = find_go()
    except ScarError:
        yield _fail("Pulumi is not installed, and nothing here can build it", f"install Pulumi 3, or {INSTALL_GO}")
        return
    yield _warn(f"Pulumi is not there yet; {go} can build it", "run `scar-pulumi engine` once (about four minutes)")


def _plugins(stack: str) -> Iterator[Finding]:
    from scar_pulumi.engine.plugins import PACKAGES, has_genuine, needed_version

    for package in PACKAGES:
        if has_genuine(package):
            yield _ok(f"{package}: the genuine plugin is installed")
        elif is_local_stack(stack):
            yield _ok(f"{package}: local stacks use the stand-in")
        else:
            command = f"pulumi plugin install resource {package} v{needed_version(package)}"
            yield _warn(f"{package}: not installed", f"the first `up` downloads it; or run `{command}`")


def _local_cloud(_stack: str) -> Iterator[Finding]:
    if running := LocalCloud().status():
        yield _ok(f"running at {running.endpoint} (process {running.pid})")
        return
    from scar_pulumi.cloud.ministack_environment import ministack_folder, ministack_version

    if ministack_folder().is_dir():
        yield _ok("not running; any verb on a local stack starts it")
    else:
        advice = "the first start installs it, which needs a Python package index (PIP_INDEX_URL)"
        yield _warn(f"MiniStack {ministack_version()} is not installed yet", advice)


def _port(_stack: str) -> Iterator[Finding]:
    from scar_pulumi.cloud.layout import HOST, Layout

    kept, asked = Layout(local_cloud_directory()).port, os.environ.get("SCAR_LOCAL_PORT", "")
    if running := LocalCloud().status():
        yield _ok(f"{running.port}")
        return
    text = asked or (kept.read_text() if kept.is_file() else "")
    if not text.strip().isdecimal():
        yield _ok("chosen at the first start")
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken = probe.connect_ex((HOST, int(text))) == 0
    if taken:
        yield _fail(f"{text} is taken by another program", "end that program, or set SCAR_LOCAL_PORT to another port")
    else:
        yield _ok(f"{text} is free")


def _executor(_stack: str) -> Iterator[Finding]:
    if running := LocalCloud().status():
        yield _ok(f"{running.details.get('runner', {}).get('executor')} runs containers")
        return
    from scar_pulumi.cloud.ecr.image_store import ImageStore
    from scar_pulumi.cloud.runner.runner import choose_executor

    async def probe(folder: Path) -> str:
        executor = await choose_executor(
            os.environ.get("SCAR_LOCAL_EXECUTOR", "auto"), folder / "runner", ImageStore(folder / "images")
        )
        await executor.close()
        return executor.name

    with tempfile.TemporaryDirectory(prefix="scar-doctor-") as folder:
        (Path(folder) / "runner").mkdir()
        yield _ok(f"{asyncio.run(probe(Path(folder)))} can run containers")


def _registries(_stack: str) -> Iterator[Finding]:
    from scar_components.images.credentials import logins

    names = logins()
    yield _ok(f"signed in to {', '.join(names)}" if names else "no logins; public images and ECR need none")


def _backend(_stack: str) -> Iterator[Finding]:
    from scar_pulumi.engine.find import present_engine
    from scar_pulumi.engine.stack import signed_in_as

    if present_engine() is None:
        yield _warn("unknown without Pulumi", "run `scar-pulumi engine` first")
    elif found := signed_in_as():
        yield _ok(f"{found.get('url') or 'Pulumi Cloud'} as {found.get('user') or 'unknown'}")
    else:
        yield _fail("nobody is signed in", "run `pulumi login` (or `pulumi login file://FOLDER`, s3://BUCKET, …)")


def _credentials(stack: str) -> Iterator[Finding]:
    session = account_of(stack)
    answer = session.client("sts", session.region or "us-east-1").get_caller_identity()
    yield _ok(f"account {answer['Account']} as {answer['Arn']}")


def _region(stack: str) -> Iterator[Finding]:
    if found := account_of(stack).region:
        yield _ok(found)
    else:
        yield _fail("none is set", "set AWS_REGION, or aws:region in the stack's configuration")


def _clock(stack: str) -> Iterator[Finding]:
    session = account_of(stack)
    answer = session.client("sts", session.region or "us-east-1").get_caller_identity()
    yield judged_clock(answer["ResponseMetadata"]["HTTPHeaders"], datetime.datetime.now(datetime.UTC))


def judged_clock(headers: Mapping[str, str], now: datetime.datetime) -> Finding:
    """Compare this machine's clock with the date of an answer."""
    if "date" not in headers:
        return _warn("AWS has told no time", "compare the clock yourself")
    off = (now - parsedate_to_datetime(headers["date"])).total_seconds()
    found = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} AWS"
    if abs(off) >= _WRONG_CLOCK:
        return _fail(found, "set the clock: AWS refuses requests that are 5 minutes off")
    if abs(off) >= _SLOW_CLOCK:
        return _warn(found, "set the clock, before AWS refuses requests")
    return _ok("right" if abs(off) < 2 else found)


def _quotas(stack: str) -> Iterator[Finding]:
    limits = account_of(stack).client("lambda").get_account_settings()["AccountLimit"]
    yield judged_concurrency(limits)


def judged_concurrency(limits: Mapping[str, Any]) -> Finding:
    """Judge how many calls Lambda runs at once: new accounts have few."""
    most, free = int(limits["ConcurrentExecutions"]), int(limits["UnreservedConcurrentExecutions"])
    found = f"Lambda runs {most:,} calls at once, {free:,} of them unreserved"
    if most < LAMBDA_CONCURRENCY:
        return _warn(found, f"ask for {LAMBDA_CONCURRENCY:,}: Service Quotas, Lambda, Concurrent executions")
    return _ok(found)


_MACHINE: Mapping[str, _Check] = {
    "python": _python,
    "disk": _disk,
    "engine": _engine,
    "plugins": _plugins,
    "registries": _registries,
}
_LOCAL: Mapping[str, _Check] = {
    **_MACHINE,
    "local cloud": _local_cloud,
    "port": _port,
    "executor": _executor,
}
_REMOTE: Mapping[str, _Check] = {
    **_MACHINE,
    "backend": _backend,
    "region": _region,
    "credentials": _credentials,
    "clock": _clock,
    "quotas": _quotas,
}
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "backend": ("engine",),
    "clock": ("credentials",),
    "quotas": ("credentials", "region"),
}
"""What has to be right before another thing can be looked at."""

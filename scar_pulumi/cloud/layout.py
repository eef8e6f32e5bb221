"""Where the local cloud is: the address it listens on, and what lies where in its state directory."""

import shutil
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path

from scar_foundation.errors import LocalCloudError
from scar_foundation.limits import MIB

HOST = "127.0.0.1"
DEFAULT_ACCOUNT = "000000000000"
DEFAULT_REGION = "us-east-1"

_RESERVE = 16 * MIB
"""Bytes that stay free: journal, snapshots and events must always find room."""

STATE_VERSION = 1
"""The format of what the state directory holds; another number for each format that this version does not share."""
_FORMER = ("journal", "events", "batch", "oscar", "http-apis.json", "image-functions.json")
"""What a state directory without a database has of a local cloud that kept its state in these."""


@dataclass(frozen=True)
class Layout:
    """Paths of one local cloud; the directory is its identity."""

    root: Path

    @property
    def port(self) -> Path:
        """The port, chosen once and kept."""
        return self.root / "port"

    @property
    def daemon(self) -> Path:
        """The identity of the running daemon (JSON); stale after a kill."""
        return self.root / "daemon.json"

    @property
    def daemon_lock(self) -> Path:
        """Locked by the daemon for as long as it lives."""
        return self.root / "daemon.lock"

    @property
    def start_lock(self) -> Path:
        """Locked by whoever is starting or stopping the daemon."""
        return self.root / "start.lock"

    @property
    def log(self) -> Path:
        """What the daemon writes to standard output and error."""
        return self.root / "server.log"

    @property
    def database(self) -> Path:
        """The local cloud's own state: what MiniStack does not keep, and requests that no snapshot holds yet."""
        return self.root / "state.sqlite"

    @property
    def snapshots(self) -> Path:
        """Complete copies of the emulator's state; the highest number counts."""
        return self.root / "snapshots"

    @property
    def working(self) -> Path:
        """MiniStack's STATE_DIR."""
        return self.root / "ministack"

    @property
    def objects(self) -> Path:
        """MiniStack's S3_DATA_DIR."""
        return self.root / "objects"

    @property
    def images(self) -> Path:
        """The content-addressed image store."""
        return self.root / "images"

    @property
    def batch(self) -> Path:
        """The volumes of Batch's jobs."""
        return self.root / "batch"

    @property
    def runner(self) -> Path:
        """The runner's own directory: root filesystems, containers."""
        return self.root / "runner"

    @property
    def token_keys(self) -> Path:
        """The user's: public keys of token issuers that are not on this machine, `{issuer: JSON Web Key Set}`."""
        return self.root / "token-keys.json"

    def create(self) -> None:
        """Create the directory, for its owner only. Raises LocalCloudError when its state is another version's."""
        self._check_version()
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.chmod(0o700)
        for directory in (self.snapshots, self.working, self.objects, self.images):
            directory.mkdir(mode=0o700, exist_ok=True)

    def _check_version(self) -> None:
        version = _version_of(self.database)
        if version is None and any((self.root / name).exists() for name in _FORMER):
            version = 0
        if version in (None, STATE_VERSION):
            return
        other = "an older" if version < STATE_VERSION else "a newer"
        raise LocalCloudError(
            f"{self.root}: this state was written by {other} version of scar-pulumi, and this one cannot read it; "
            "install that version again, or delete everything in the local cloud with: scar-pulumi local reset"
        )


def _version_of(database: Path) -> int | None:
    """Return the format that a database has, None where there is none; nothing of it is opened or changed.

    https://www.sqlite.org/fileformat.html#user_version_number
    """
    try:
        with database.open("rb") as file:
            header = file.read(64)
    except FileNotFoundError:
        return None
    is_whole = header.startswith(b"SQLite format 3\0") and len(header) == 64
    return int.from_bytes(header[60:]) if is_whole else STATE_VERSION


def endpoint_environment(port: int) -> dict[str, str]:
    """Return what a process needs to reach the local cloud as if it were AWS."""
    return {
        "AWS_ENDPOINT_URL": f"http://{HOST}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": DEFAULT_REGION,
        "AWS_DEFAULT_REGION": DEFAULT_REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def shortage(directory: Path, size: int = 0) -> str:
    """Return what to tell the user when `size` more bytes do not fit on the directory's disk; else nothing."""
    free = shutil.disk_usage(directory).free
    if free >= size + _RESERVE:
        return ""
    return f"the disk of {directory} has only {free // MIB} MB left; free some space"


def write_fully(file: RawIOBase, data: bytes) -> None:
    """Write all of `data` to an unbuffered file, which takes only a part of it while the disk is filling up."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) or 0 :]

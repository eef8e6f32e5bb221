"""Where scar-pulumi keeps its files: what it can make again (cache) and what it cannot (state).

They follow the XDG base directories: https://specifications.freedesktop.org/basedir-spec/latest/.

    cache  $SCAR_CACHE_DIR, else $XDG_CACHE_HOME/scar-pulumi, else ~/.cache/scar-pulumi
      engine/       engines that were installed or built, by version
      archives/ builds/ documents/ holders/ layers/ plans/ scripts/   images without a daemon, see `CacheKind`
      supervisor/ packages/                        supervisor layers and the packages that they are made of
      locks/        one for each file that several processes may make at once
      local-run/    unpacked images of single runs
      ministack/    MiniStack and what it needs, by version and interpreter
      errors/       tracebacks of unexpected errors
    state  $SCAR_STATE_DIR, else $XDG_STATE_HOME/scar-pulumi, else ~/.local/state/scar-pulumi
      local/        the local cloud
      pulumi/       backend of local stacks
      projects/     Pulumi projects of FDL files that are in none
      provider/     creates that the stand-in for the aws plugin has begun
      plugins.json  whether local stacks use the genuine plugins or the stand-ins
      deployed/     which FDL file each stack was deployed from

The functions create the directories that they return, for their owner only, but not the files.
"""

import os
from pathlib import Path
from typing import Literal

from scar_foundation.errors import InputError

DEFAULT_STACK = "local"
"""The stack that is meant where none is named; its state is in `backend_directory`."""
CacheKind = Literal[
    "archives", "scripts", "builds", "documents", "holders", "layers", "packages", "plans", "supervisor"
]
"""What is cached of images: archives without their compression, scripts that stand in FDL files, archives built from
Dockerfiles, documents from registries, which repository holds a blob, compressed layers, Python packages of the
supervisor, plans on their way to the provider, supervisor layers."""


def cache_directory() -> Path:
    """Return the directory of everything that can be made again; it may be deleted at any time.

    Raises:
        InputError: It cannot be made.
    """
    return _base("SCAR_CACHE_DIR", "XDG_CACHE_HOME", Path.home() / ".cache")


def state_directory() -> Path:
    """Return the directory of what must last.

    Raises:
        InputError: It cannot be made.
    """
    return _base("SCAR_STATE_DIR", "XDG_STATE_HOME", Path.home() / ".local" / "state")


def engine_directory() -> Path:
    """Return where engines are kept that were installed or built."""
    return _made(cache_directory() / "engine")


def image_cache(kind: CacheKind) -> Path:
    """Return where one kind of files about images is cached."""
    return _made(cache_directory() / kind)


def lock_file(path: Path) -> Path:
    """Return the lock of a cached file or folder: see `scar_foundation.locks`."""
    return _made(cache_directory() / "locks") / f"{path.parent.name}-{path.name}"


def single_run_directory() -> Path:
    """Return where single runs keep unpacked images."""
    return _made(cache_directory() / "local-run")


def ministack_directory() -> Path:
    """Return where each version of MiniStack is installed."""
    return _made(cache_directory() / "ministack")


def error_directory() -> Path:
    """Return where tracebacks of unexpected errors are kept."""
    return _made(cache_directory() / "errors")


def local_cloud_directory() -> Path:
    """Return the local cloud's directory, which is also its identity; the local cloud creates it."""
    return state_directory() / "local"


def backend_directory() -> Path:
    """Return where Pulumi keeps the state of local stacks."""
    return _made(state_directory() / "pulumi")


def passphrase_file() -> Path:
    """Return the file in which 0.1.0 kept the passphrase of local stacks."""
    return state_directory() / "passphrase"


def plugins_record() -> Path:
    """Return the file that says which plugins local stacks use."""
    return state_directory() / "plugins.json"


def project_directory(name: str) -> Path:
    """Return the Pulumi project of FDL files that are in no project of their own."""
    return _made(_made(state_directory() / "projects") / name)


def deployed_directory() -> Path:
    """Return where it is noted which FDL file each stack was deployed from."""
    return _made(state_directory() / "deployed")


def begun_creates_directory() -> Path:
    """Return where the stand-in for the aws plugin notes the creates that it begins."""
    return _made(state_directory() / "provider")


def _base(own: str, xdg: str, fallback: Path) -> Path:
    if explicit := os.environ.get(own):
        path = Path(explicit).absolute()
    else:
        path = Path(os.environ.get(xdg) or fallback).absolute() / "scar-pulumi"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{path}: the folder cannot be made ({error.strerror}); set {own} to one that you may write to"
        ) from None
    return path


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder

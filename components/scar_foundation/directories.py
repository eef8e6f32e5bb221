"""Where scar-pulumi keeps what it can make again (cache) and what it cannot (state), after the XDG base directories."""

import os
from pathlib import Path


def cache_directory() -> Path:
    """Directory of everything that can be made again: engine builds, supervisor bundles, converted layers.

    `$SCAR_CACHE_DIR`, else `$XDG_CACHE_HOME/scar-pulumi`, else `~/.cache/scar-pulumi`. Created when missing.
    """
    return _directory("SCAR_CACHE_DIR", "XDG_CACHE_HOME", Path.home() / ".cache")


def state_directory() -> Path:
    """Directory of what must last: the local cloud's store and the Pulumi state of local stacks.

    `$SCAR_STATE_DIR`, else `$XDG_STATE_HOME/scar-pulumi`, else `~/.local/state/scar-pulumi`. Created when missing.
    """
    return _directory("SCAR_STATE_DIR", "XDG_STATE_HOME", Path.home() / ".local" / "state")


def _directory(own: str, xdg: str, fallback: Path) -> Path:
    if explicit := os.environ.get(own):
        path = Path(explicit).absolute()
    else:
        path = Path(os.environ.get(xdg) or fallback).absolute() / "scar-pulumi"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path

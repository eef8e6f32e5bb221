"""Which plugins local stacks use: the genuine ones or the stand-ins, decided once and kept.

A plugin that comes or goes (deploying to AWS installs one) must not change under the stacks that another has made. The
choice is for all stacks of a state directory: a shell set up for local stacks has one PATH for them all.
"""

import json
import os
import re
from pathlib import Path

from scar_foundation.directories import backend_directory, plugins_record
from scar_foundation.errors import InputError
from scar_foundation.files import write_whole

PACKAGES = ("aws", "kubernetes")
"""Packages whose plugins have a stand-in on local stacks."""
_GENUINE, _STAND_IN = "genuine", "stand-in"
_CHOICE = "SCAR_LOCAL_PLUGINS"


def stood_in() -> list[str]:
    """Return the packages whose stand-in local stacks use, and note the choice.

    Raises InputError when stacks were made with a genuine plugin that is no longer there.
    """
    recorded = _recorded()
    chosen = {package: _choice(package, recorded.get(package)) for package in PACKAGES}
    if chosen != recorded:
        write_whole(plugins_record(), json.dumps(chosen))
    return [package for package, choice in chosen.items() if choice == _STAND_IN]


def _choice(package: str, recorded: str | None) -> str:
    wished = os.environ.get(_CHOICE)
    if wished not in (None, "", _GENUINE, _STAND_IN):
        raise InputError(f"{_CHOICE}: {wished!r} is neither {_GENUINE!r} nor {_STAND_IN!r}")
    is_there = has_genuine(package)
    choice = wished or recorded or (_GENUINE if is_there else _STAND_IN)
    if choice == _GENUINE and not is_there:
        needed = needed_version(package)
        why = f"{_CHOICE} asks for" if wished else "local stacks were made with"
        raise InputError(
            f"plugin {package}: {why} the genuine one, and none that suits this SDK is installed; run "
            f"pulumi plugin install resource {package} v{needed}, or set {_CHOICE}={_STAND_IN} to go on with the "
            "stand-in, which reads and destroys what the genuine one has made"
        )
    return choice


def _recorded() -> dict[str, str]:
    """Return what was chosen, as long as there are stacks for which it counts."""
    if not any((backend_directory() / ".pulumi" / "stacks").glob("*/*.json")):
        return {}
    try:
        return dict(json.loads(plugins_record().read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return {}


def has_genuine(package: str) -> bool:
    """Return whether a plugin is installed that suits this SDK: of the same major version, and not older."""
    needed = _numbers(needed_version(package))
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    plugins = (home / "plugins").glob(f"resource-{package}-v*/pulumi-resource-{package}")
    installed = [_numbers(path.parent.name.removeprefix(f"resource-{package}-v")) for path in plugins]
    return any(found[:1] == needed[:1] and found >= needed for found in installed)


def needed_version(package: str) -> str:
    """Return the version of a package's SDK, which its plugin must have at least."""
    from importlib.metadata import version  # noqa: PLC0415 - slow to import

    return version(f"pulumi-{package}")


def _numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)[:3]]

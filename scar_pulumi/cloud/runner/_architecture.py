"""Which programs this machine's kernel can run: its own, and those that an emulator is registered for.

https://docs.kernel.org/admin-guide/binfmt-misc.html
"""

import os
from pathlib import Path

from scar_pulumi.cloud.runner.executors.interface import LaunchError

_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
_REGISTERED = Path("/proc/sys/fs/binfmt_misc")


def check_architecture(function: str, architecture: str, registered: Path = _REGISTERED) -> None:
    """Raise LaunchError for an architecture that cannot run here, with what would make it."""
    machine, here = _MACHINES[architecture], os.uname().machine
    if machine == here or any(_runs(entry, machine) for entry in registered.glob("*")):
        return
    raise LaunchError(
        f"{function}: it is for {architecture}, and this machine is {here}; install qemu-user-static, which runs such "
        "programs (slowly), or set lambda.architectures for local stacks"
    )


def _runs(entry: Path, machine: str) -> bool:
    """Whether an entry emulates a machine, with an interpreter that containers need not have themselves (F)."""
    try:
        lines = entry.read_text().splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags:")), "")
    return lines[:1] == ["enabled"] and "F" in flags.removeprefix("flags:") and f"qemu-{machine}" in "".join(lines)

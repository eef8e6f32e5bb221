"""What runs containers: bubblewrap by default, Docker's interface by choice or where bubblewrap cannot work."""

from pathlib import Path

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud.runner.configuration import Images
from scar_pulumi.cloud.runner.executors.interface import Executor, ExecutorUnavailable

NAMES = ("auto", "bubblewrap", "docker")


def _make(name: str, directory: Path, images: Images) -> Executor:
    if name == "docker":
        from scar_pulumi.cloud.runner.executors.docker import Docker  # noqa: PLC0415 - its SDK takes 0.2 s to import

        return Docker(directory, images)
    from scar_pulumi.cloud.runner.executors.bubblewrap import Bubblewrap  # noqa: PLC0415 - needs Linux

    return Bubblewrap(directory, images)


async def choose_executor(wish: str, directory: Path, images: Images) -> Executor:
    """Return the executor of that name, started; with "auto" the first that works. Raises LocalCloudError."""
    if wish not in NAMES:
        raise LocalCloudError(f"local cloud: there is no executor {wish!r}; choose one of {', '.join(NAMES)}")
    failures = []
    for name in NAMES[1:] if wish == "auto" else (wish,):
        executor = _make(name, directory, images)
        try:
            await executor.start()
        except ExecutorUnavailable as error:
            failures.append(str(error))
        else:
            return executor
    raise LocalCloudError(
        "local cloud: containers cannot be run here: " + "; ".join(failures) + "; install Docker or Podman, or allow"
        " user namespaces (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
    )

"""Programs in any language under plain `pulumi`, on a local cloud of the tests' own."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from scar_pulumi.engine.tether import kill_tree


class PlainPulumi:
    """`pulumi` in the folder of a program, in the surroundings that `scar-pulumi local env` prints."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.command = shutil.which("pulumi", path=self.environment["PATH"]) or "pulumi"
        self.run("stack", "select", "--create", "local", "--non-interactive")

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command to its end and return all that it has shown; fails where it hangs or ends otherwise."""
        with subprocess.Popen(
            [self.command, *arguments], cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, process_group=0,
        ) as running:  # fmt: skip
            try:
                shown, _ = running.communicate(timeout=240)
            finally:
                kill_tree(running.pid)
        assert (running.returncode == 0) == (code == 0), shown
        return shown

    def up(self, code: int = 0) -> str:
        """Deploy without a preview."""
        return self.run("up", "--yes", "--skip-preview", "--non-interactive", "--stack", "local", code=code)

    def preview(self, *options: str, code: int = 0) -> str:
        """Show what would change."""
        return self.run("preview", "--non-interactive", "--stack", "local", *options, code=code)


def local_environment(printed: str, own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a shell that has taken what `scar-pulumi local env --json` printed."""
    answer = json.loads(printed)
    kept = {key: value for key, value in own.items() if key not in answer["unset"]}
    return {**kept, **answer["environment"]}

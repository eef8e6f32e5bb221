"""Stacks of programs on the test's cluster, run by the real engine with the stand-in or the genuine plugin."""

import sys
from dataclasses import dataclass

from scar_pulumi.engine import find_engine
from scar_pulumi.engine.environment import cli_directory, stand_in_directory
from tests.world import plugins


@dataclass(frozen=True)
class Stacks(plugins.Stacks):
    """Stacks on the cluster of a kubeconfig."""

    kubeconfig: str
    genuine: str = ""
    """The folder of the genuine plugin, to be used instead of the stand-in."""

    def plugins(self) -> str:
        return ":".join(map(str, [cli_directory(find_engine()), self.genuine or stand_in_directory("kubernetes")]))

    def settings(self) -> dict[str, str]:
        (self.directory / "kubeconfig").write_text(self.kubeconfig)
        return {
            "PULUMI_DIY_BACKEND_GZIP": "false",
            "PULUMI_PYTHON_CMD": sys.executable,
            "KUBECONFIG": str(self.directory / "kubeconfig"),
        }

"""Stacks of programs on the test's cluster, run by the real engine with the stand-in provider."""

import sys
from dataclasses import dataclass

from scar_pulumi.engine import find_engine
from scar_pulumi.engine.environment import cli_directory, stand_in_directory
from tests.world import plugins


@dataclass(frozen=True)
class Stacks(plugins.Stacks):
    """Stacks on the cluster of a kubeconfig."""

    kubeconfig: str

    def plugins(self) -> str:
        return ":".join(map(str, [cli_directory(find_engine()), stand_in_directory("kubernetes")]))

    def settings(self) -> dict[str, str]:
        (self.directory / "kubeconfig").write_text(self.kubeconfig)
        return {
            "PULUMI_DIY_BACKEND_GZIP": "false",
            "PULUMI_PYTHON_CMD": sys.executable,
            "KUBECONFIG": str(self.directory / "kubeconfig"),
        }

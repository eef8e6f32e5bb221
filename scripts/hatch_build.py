"""Put the supervisor layers of both architectures into the wheel, made from the pinned parts of the release."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ARCHITECTURES = ("x86_64", "arm64")


class SupervisorLayers(BuildHookInterface):
    """Makes the layers where the build's files lie; without them an installation makes its layer when it needs one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the layers, unless the package is only linked to its sources."""
        if version == "editable":
            return
        for architecture in ARCHITECTURES:
            folder = Path(self.root) / "build" / "layers" / architecture
            folder.mkdir(parents=True, exist_ok=True)
            if self._make(architecture, folder):
                for name in ("layer.tar.gz", "layer.json"):
                    place = f"scar_components/supervisor_image/layers/{architecture}/{name}"
                    build_data["force_include"][str(folder / name)] = place

    def _make(self, architecture: str, folder: Path) -> bool:
        script = Path(self.root) / "supervisor_image" / "bundle.py"
        options = ["--interpreter", "pinned", "--architecture", architecture, "--output", str(folder / "layer.tar.gz")]
        done = subprocess.run([sys.executable, str(script), *options], capture_output=True, text=True, check=False)
        if done.returncode:
            self.app.display_warning(f"the wheel has no layer for {architecture}: {done.stderr.strip()}")
            return False
        (folder / "layer.json").write_text(done.stdout)
        return True

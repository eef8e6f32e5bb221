"""Stacks of services, run by the real engine."""

import os
from pathlib import Path
from typing import Any

import pulumi
from pulumi import automation

from scar_components.oscar_service.service import OscarService, OscarServiceArgs
from tests.components.oscar_service.server import PASSWORD, Server

TYPE = "scar:index:RegisteredService"


class Project:
    """A stack whose program declares the services that a test lists."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.server = server
        self.script = folder / "script.sh"
        self.script.write_text("#!/bin/sh\ncat\n")
        self.services: dict[str, OscarServiceArgs] = {}
        self.after: dict[str, str] = {}
        self.stack = automation.create_or_select_stack("dev", project_name="services", program=self._program)

    def service(self, name: str, read: str | None = None, write: str | None = None, **definition: Any) -> None:
        """Declare a service, or declare it anew."""
        self.services[name] = {
            "endpoint": self.server.endpoint,
            "password": PASSWORD,
            "timeout": 20,
            "image": "debian:12",
            "script": str(self.script),
            "inputs": [{"provider": "minio", "path": read}] if read else [],
            "outputs": [{"provider": "minio", "path": write}] if write else [],
            "definition": definition,
        }

    def _program(self) -> None:
        made: dict[str, OscarService] = {}
        for name, args in self.services.items():
            needed = [made[self.after[name]]] if name in self.after else []
            made[name] = OscarService(name, args, pulumi.ResourceOptions(depends_on=needed))

    def up(self) -> dict[str, int]:
        """Deploy; what happened to services, by operation."""
        counts: dict[str, int] = {}

        def note(event: automation.EngineEvent) -> None:
            step = event.res_outputs_event and event.res_outputs_event.metadata
            if step and step.type == TYPE and step.op != "same":
                counts[step.op.value] = counts.get(step.op.value, 0) + 1

        self.stack.up(on_event=note)
        return counts

    def preview(self) -> dict[str, int]:
        """Return what `up` would do with everything."""
        return {str(getattr(op, "value", op)): count for op, count in self.stack.preview().change_summary.items()}

    def shown(self) -> str:
        """Return what a preview with all differences prints."""
        lines: list[str] = []
        self.stack.preview(diff=True, on_output=lines.append)
        return "\n".join(lines)

    def state(self) -> str:
        """Return the whole state as it is stored: secrets encrypted."""
        file = Path(os.environ["PULUMI_BACKEND_URL"].removeprefix("file://")) / ".pulumi/stacks/services/dev.json"
        return file.read_text()

    def entries(self) -> list[dict[str, Any]]:
        """Return the services in the state."""
        deployment: Any = self.stack.export_stack().deployment
        return [item for item in deployment.get("resources", ()) if item["type"] == TYPE]

"""The command line `scar-pulumi`."""

from scar_pulumi.cli._main import main

__all__ = ["main"]

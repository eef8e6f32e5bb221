"""Container functions on files, declared in FDL and deployed by the Pulumi engine."""

from typing import TYPE_CHECKING

if not TYPE_CHECKING:  # type checkers find the mistake themselves

    def __getattr__(name: str) -> object:
        import scar_components  # noqa: PLC0415 - only to say where a name is

        if name in dir(scar_components):
            raise ImportError(f"{name}: is not in scar_pulumi; use `from scar_components import {name}`")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

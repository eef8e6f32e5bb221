"""Loads the engine's gRPC stubs without the rest of the Pulumi SDK, which would triple the plugin's start-up time.

Only for this process: a program that has imported `pulumi` already keeps it.
"""

import importlib.util
import sys
from types import ModuleType


def load() -> None:
    """Make `pulumi.runtime.proto.*_pb2` importable without running the packages' own `__init__` modules."""
    if "pulumi" in sys.modules:
        return
    spec = importlib.util.find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("pulumi is not installed; reinstall scar-pulumi", name="pulumi")
    root = spec.submodule_search_locations[0]
    _shell("pulumi", root)
    _shell("pulumi.runtime", f"{root}/runtime")
    _shell("pulumi.runtime.proto", f"{root}/runtime/proto")


def _shell(name: str, directory: str) -> None:
    module = ModuleType(name)
    module.__path__ = [directory]
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)

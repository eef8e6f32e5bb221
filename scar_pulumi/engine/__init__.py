"""The Pulumi engine: its CLI, found or built, and the operations on stacks that it does.

`python -m scar_pulumi.engine` prepares it. Modules are imported when something of theirs is used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scar_pulumi.engine.environment import stack_environment, unset_for_local
    from scar_pulumi.engine.events import Changes, Result, Step
    from scar_pulumi.engine.find import Engine, find_engine
    from scar_pulumi.engine.stack import OperationCancelledError, OperationFailedError, Stack

__all__ = [
    "Changes",
    "Engine",
    "OperationCancelledError",
    "OperationFailedError",
    "Result",
    "Stack",
    "Step",
    "find_engine",
    "stack_environment",
    "unset_for_local",
]

_HOMES = {
    "Changes": "events",
    "Engine": "find",
    "OperationCancelledError": "stack",
    "OperationFailedError": "stack",
    "Result": "events",
    "Stack": "stack",
    "Step": "events",
    "unset_for_local": "environment",
    "find_engine": "find",
    "stack_environment": "environment",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""How an operation on a stack can end other than well."""

from scar_foundation.errors import EngineError


class OperationCancelledError(EngineError):
    """The user cancelled the operation; the state is valid and the next operation goes on from there."""


class OperationFailedError(EngineError):
    """The engine ended an operation with errors; they were shown as they happened, and are in the message."""

"""What can go wrong in the stand-in provider; each message is one sentence that the engine shows as it stands."""

from scar_pulumi.errors import LocalCloudError


class ProviderError(LocalCloudError):
    """The provider cannot do what the engine asked for."""


class UnservedError(ProviderError):
    """A resource type, function or provider setting that the stand-in does not serve."""


class CallError(ProviderError):
    """The cloud refused a call; `code` is its error code, such as `EntityAlreadyExists`."""

    def __init__(self, message: str, code: str, status: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.status = status

    @property
    def missing(self) -> bool:
        """Whether the resource does not exist."""
        return self.status == 404 or self.code.startswith("NoSuch") or any(mark in self.code for mark in _MISSING)

    @property
    def taken(self) -> bool:
        """Whether a resource of that name exists already."""
        return "AlreadyExists" in self.code or self.code in _TAKEN


class IncompleteError(ProviderError):
    """The resource exists but could not be brought into the wished state; the engine records it and tries again."""

    def __init__(self, message: str, id_: str, outputs: dict[str, object]) -> None:
        super().__init__(message)
        self.id = id_
        self.outputs = outputs


_MISSING = ("NotFound", "NonExistent", "DoesNotExist")
# Lambda answers ResourceConflictException both for a taken name and for a function that is being changed.
_TAKEN = ("ResourceConflictException", "BucketAlreadyOwnedByYou", "QueueNameExists")

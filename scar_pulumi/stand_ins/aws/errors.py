"""A call that the cloud refused."""

from scar_pulumi.stand_ins.plugin.errors import ProviderError


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


_MISSING = ("NotFound", "NonExistent", "DoesNotExist")
# Lambda answers ResourceConflictException both for a taken name and for a function that is being changed.
_TAKEN = ("ResourceConflictException", "BucketAlreadyOwnedByYou", "QueueNameExists")

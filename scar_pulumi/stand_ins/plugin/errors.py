"""What can go wrong in a stand-in provider; each message is one sentence that the engine shows as it stands."""

from scar_foundation.errors import LocalCloudError


class ProviderError(LocalCloudError):
    """The provider cannot do what the engine asked for."""


class UnservedError(ProviderError):
    """A resource type, function or provider setting that the stand-in does not serve."""


class IncompleteError(ProviderError):
    """The resource exists but could not be brought into the wished state; the engine records it and tries again."""

    def __init__(self, message: str, id_: str, outputs: dict[str, object]) -> None:
        super().__init__(message)
        self.id = id_
        self.outputs = outputs

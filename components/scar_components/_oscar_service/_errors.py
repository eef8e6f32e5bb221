"""What OSCAR answers when it does not do what it was asked to."""

import pulumi


class OscarError(pulumi.RunError):
    """A cluster refuses something, or what is asked of it cannot be done."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status that came with it; 0 where there was none."""


class Unreachable(OscarError):  # noqa: N818 - it is a state, not a mistake
    """No answer came; `sent` tells whether the request may have reached the cluster all the same."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent

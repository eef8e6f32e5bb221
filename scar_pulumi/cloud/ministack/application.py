"""Keeps MiniStack away from Docker: it tidies up containers there, other people's of the same kind included."""

import contextlib
import os
from collections.abc import Iterator

_VARIABLE = "DOCKER_HOST"
_NOWHERE = "unix:///var/empty/none"


class DockerHost:
    """Hides Docker from this process, except for who has to find it."""

    def __init__(self) -> None:
        self._users = os.environ.get(_VARIABLE)

    def hide(self) -> None:
        """From now on there is no Docker here."""
        os.environ[_VARIABLE] = _NOWHERE

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Docker is where the user says."""
        os.environ.pop(_VARIABLE, None)
        if self._users is not None:
            os.environ[_VARIABLE] = self._users
        try:
            yield
        finally:
            self.hide()

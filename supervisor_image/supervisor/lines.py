"""Output of the user's program on its way to our own: only whole lines, so that no two writers share one."""

from supervisor.log import write_all

_LONGEST = 1 << 16


class Lines:
    """Passes on whole lines to a descriptor as they come; a line without end is passed on in pieces."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._begun = b""

    def write(self, data: bytes) -> None:
        """Take output as it comes."""
        whole, newline, rest = (self._begun + data).rpartition(b"\n")
        if newline:
            write_all(self._descriptor, whole + newline)
        self._begun = rest
        if len(rest) > _LONGEST:
            self.close()

    def close(self) -> None:
        """Pass on what was begun, as a line."""
        if self._begun:
            write_all(self._descriptor, self._begun + b"\n")
            self._begun = b""

"""The pipes between the daemon and bwrap."""

import fcntl
import json
import os
import select

# Lowest descriptor that is handed over: the shell in between uses those below.
FIRST_FREE = 10


class Pipes:
    """The pipes to bwrap, and the leash of its guard.

    bwrap tells its child's process number, then waits until the child's users are mapped. When the daemon dies, its end
    of the leash closes.
    """

    def __init__(self) -> None:
        self.map_read, self._map_write = _pipe()
        self._information_read, self.information_write = _pipe()
        self.leash_read, self._leash = _pipe()
        self._theirs = [self.map_read, self.information_write, self.leash_read]
        self._ours = [self._map_write, self._information_read, self._leash]

    def __enter__(self) -> "Pipes":
        return self

    def __exit__(self, *_: object) -> None:
        self.close_theirs()
        for descriptor in self._ours:
            os.close(descriptor)

    def close_theirs(self) -> None:
        """Close what bwrap has inherited."""
        while self._theirs:
            os.close(self._theirs.pop())

    def keep_leash(self) -> int:
        """Return the leash; who keeps it closes it."""
        self._ours.remove(self._leash)
        return self._leash

    def child(self, process: int) -> int:
        """Return the number of the container's first process; `process` is bwrap."""
        content, ended = b"", os.pidfd_open(process)
        try:
            while not content.rstrip().endswith(b"}"):
                # The end of file alone does not tell that bwrap ended: its guard holds the pipe, too.
                ready = wait_for_any(self._information_read, ended)
                part = os.read(self._information_read, 4096) if self._information_read in ready else b""
                if not part:
                    raise OSError("bwrap ended before the container began")
                content += part
        finally:
            os.close(ended)
        return int(json.loads(content)["child-pid"])

    def go(self) -> None:
        """Let bwrap go on, and its child, which reads the second byte."""
        os.write(self._map_write, b"12")


def _pipe() -> tuple[int, int]:
    ends = os.pipe2(os.O_CLOEXEC)
    reading, writing = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE) for end in ends)
    for end in ends:
        os.close(end)
    return reading, writing


def wait_for_any(*descriptors: int) -> list[int]:
    """Wait until one can be read, or its process has ended; `select` takes only the first thousand descriptors."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poll.poll()]

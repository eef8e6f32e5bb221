"""Programs that are fed and read as streams: nothing of their output is lost, however slowly it is taken."""

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from supervisor.errors import ScriptFailed, ScriptTimedOut
from supervisor.log import Log
from supervisor.process import Output, Streams, run_program
from supervisor.program import Command

LINES = b"".join(b"line %d\n" % number for number in range(300_000))


class Slow:
    """Takes output more slowly than it comes."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.taken, self.closed, self._seconds = bytearray(), 0, seconds

    def write(self, data: bytes) -> None:
        time.sleep(self._seconds)
        self.taken += data

    def close(self) -> None:
        self.closed += 1


def run(script: str, sink: Slow | None = None, feed: Iterator[bytes] | None = None, limit: float = 60) -> str:
    """Run a shell script, and return the end of what it printed elsewhere."""
    output = Output(0)
    mark = f"stream-{os.getpid()}-{time.monotonic_ns()}"
    options: dict[str, Any] = {"passed_to": (1, 2), "log": Log("ERROR"), "folder": "/", "request_id": mark}
    environment = {"PATH": "/usr/bin:/bin", "AWS_LAMBDA_REQUEST_ID": mark}
    command = Command(("/bin/sh", "-c", script), "/")
    run_program(command, environment, limit=limit, output=output, streams=Streams(feed, sink), **options)
    return output.tail()


def pieces(whole: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(whole), size):
        yield whole[at : at + size]


@pytest.mark.parametrize("size", [7_919, 1 << 20])
def test_all_that_is_fed_comes_out_again(size: int) -> None:
    sink = Slow()
    tail = run("echo told >&2; cat", sink, pieces(LINES, size))
    assert bytes(sink.taken) == LINES
    assert sink.closed == 1
    assert tail == "told"


def test_a_full_pipe_is_read_to_its_end_after_the_program_has_ended() -> None:
    sink = Slow(0.3)  # longer than the supervisor waits for a pipe that is kept open
    run("seq 1 200000", sink)
    assert bytes(sink.taken) == b"".join(b"%d\n" % number for number in range(1, 200_001))


def test_a_process_left_behind_neither_delays_nor_loses_the_output() -> None:
    sink = Slow()
    run("setsid sleep 4713 & echo done", sink)
    assert bytes(sink.taken) == b"done\n"


def test_a_program_need_not_read_what_it_is_fed() -> None:
    sink = Slow()
    run("head -n 1; exec sleep 0.1", sink, pieces(LINES, 1000))
    assert bytes(sink.taken) == b"line 0\n"
    run("exec true", sink, pieces(LINES, 1000))


def test_a_program_that_waits_for_more_input_is_given_its_end() -> None:
    sink = Slow()
    run("cat; echo end", sink, iter(()))
    assert bytes(sink.taken) == b"end\n"


def test_what_goes_wrong_while_it_is_fed_ends_the_program() -> None:
    def broken() -> Iterator[bytes]:
        yield b"a\n"
        raise ScriptFailed("the merge failed")

    with pytest.raises(ScriptFailed, match="the merge failed"):
        run("cat", Slow(), broken())


def test_a_program_that_is_fed_is_stopped_in_time() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"a\n" * 1000

    with pytest.raises(ScriptTimedOut):
        run("cat >/dev/null", Slow(), endless(), limit=0.5)
    with pytest.raises(ScriptTimedOut):
        run("sleep 4714", Slow(), endless(), limit=0.5)

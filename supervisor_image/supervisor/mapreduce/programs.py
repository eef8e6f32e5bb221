"""Run the user's mapper, combiner and reducer: what each reads, and what takes its output."""

import os
import time
from collections.abc import Iterator
from typing import NamedTuple

from supervisor import program, runs
from supervisor.configuration import FOLDER
from supervisor.errors import BadPair, ConfigurationInvalid, ScriptFailed
from supervisor.events import RunRequest
from supervisor.files import Workspace
from supervisor.mapreduce.attempts import Call
from supervisor.mapreduce.pairs import PairReader
from supervisor.process import Output, Sink, Streams, run_program

COMBINER = f"{FOLDER}/combiner"
MARLA = "/opt/scar/lib/marla.py"
_PYTHONS = ("python3", "python")
_PASSED_ON = 1 << 15  # bytes
_LONGEST_LINE = 1 << 26  # bytes
_NOTHING_RESPONDED = 0


class Program(NamedTuple):
    """One of the user's programs in the folders of a task."""

    call: Call
    space: Workspace

    def map(self, variables: dict[str, str], sink: Sink) -> None:
        """Run the mapper on the file in INPUT_FILE_PATH."""
        self._run(self._command("map"), variables, Streams(sink=sink))

    def combine(self, variables: dict[str, str], feed: Iterator[bytes], sink: Sink) -> None:
        """Run the combiner, which reads pairs and prints pairs."""
        if not os.path.exists(COMBINER):
            raise ConfigurationInvalid(f"the image has no {COMBINER}; deploy the function again")
        image = self.call.function.image._replace(script=COMBINER)
        command = program.choose(RunRequest(()), image, self.space.root, self._search_path)
        self._run(command, variables, Streams(feed, sink))

    def reduce(self, variables: dict[str, str], feed: Iterator[bytes], sink: Sink) -> None:
        """Run the reducer, which reads pairs."""
        self._run(self._command("reduce"), variables, Streams(feed, sink))

    @property
    def _search_path(self) -> str:
        return program.search_path(self.call.function.environment, self.call.function.image)

    def _command(self, stage: str) -> program.Command:
        image = self.call.function.image
        command = program.choose(RunRequest(()), image, self.space.root, self._search_path)
        if self.call.settings.pairs != "marla":
            return command
        if image.script is None:
            raise ScriptFailed("the image has no file with mapper and reducer; deploy the function again")
        return command._replace(arguments=(self._python(), MARLA, stage, image.script), warnings=())

    def _python(self) -> str:
        folders = self._search_path.split(":")
        found = (
            f"{folder}/{name}" for name in _PYTHONS for folder in folders if os.access(f"{folder}/{name}", os.X_OK)
        )
        python = next(found, None)
        if python is None:
            raise ScriptFailed("MARLA's functions need python3 (3.6 or later), and the image has none; add it")
        return python

    def _run(self, command: program.Command, variables: dict[str, str], streams: Streams) -> None:
        (function, _, context, log), space = self.call, self.space
        for warning in command.warnings:
            log.warning(warning)
        own = {
            "TMP_INPUT_DIR": space.input,
            "TMP_OUTPUT_DIR": space.output,
            "AWS_LAMBDA_REQUEST_ID": context.request_id,
            **program.temporary_folder(function.environment, function.image, space.temporary),
        }
        secrets = function.configuration.secret_variables
        environment, _ = program.user_environment(function.environment, function.image, {**own, **variables}, secrets)
        started = time.monotonic()
        run_program(
            command,
            environment,
            limit=runs.latest_end(function, context) - time.time(),
            output=Output(_NOTHING_RESPONDED),
            request_id=context.request_id,
            passed_to=(2, 2),
            log=log,
            folder=space.output,
            streams=streams,
        )
        log.info(f"{command.arguments[0]} ended after {time.monotonic() - started:.3f} s")


class PairSink:
    """Passes printed lines on, some at a time. Raises BadPair."""

    def __init__(self, reader: PairReader) -> None:
        self._reader = reader
        self._held: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Take output."""
        self._held.append(data)
        self._size += len(data)
        if self._size >= _PASSED_ON and b"\n" in data:
            whole = b"".join(self._held)
            begin = self._lines(whole)
            self._held, self._size = [whole[begin:]], len(whole) - begin
        if self._size > _LONGEST_LINE:
            raise BadPair(f"a printed line is longer than {_LONGEST_LINE} bytes")

    def close(self) -> None:
        """Take the end of the output, and of a last line without a newline."""
        whole = b"".join(self._held)
        self._held, self._size = [], 0
        if whole:
            self._pass_on(whole.removesuffix(b"\n"))

    def _lines(self, whole: bytes) -> int:
        """Pass lines on in pieces that stay in the processor's cache; return where the rest begins."""
        begin = 0
        while len(whole) - begin >= _PASSED_ON:
            end = whole.rfind(b"\n", begin, begin + _PASSED_ON)
            end = whole.find(b"\n", begin + _PASSED_ON) if end < 0 else end
            if end < 0:
                break
            self._pass_on(whole[begin:end])
            begin = end + 1
        return begin

    def _pass_on(self, lines: bytes) -> None:
        self._reader.read(lines.decode("latin-1").split("\n"), len(lines))


class FileSink:
    """Writes output to a file."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def write(self, data: bytes) -> None:
        """Take output."""
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]

    def close(self) -> None:
        """Take the end of the output."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

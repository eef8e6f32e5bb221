"""Output files as an answer on standard output: one file in base64, several as a zip archive in base64."""

import base64
import os
import sys
from collections.abc import Iterator
from typing import IO

from supervisor import outputs
from supervisor.events import Data, Item
from supervisor.log import Log

_BLOCK = 3 << 16  # bytes; a multiple of three, so that pieces in base64 join


class HandedBack:
    """Files of events that brought their input along: whoever sent it gets the result the same way."""

    def __init__(self) -> None:
        self.is_written = False

    def collect(self, item: Item, folder: str) -> None:
        """Write the files of the folder; without any the program's own output is the answer."""
        names = [name for name, _ in outputs.files(folder, Log("ERROR"))]
        if not names or not isinstance(item.source, Data):
            return
        self.is_written = True
        path = f"{folder}/{names[0]}" if len(names) == 1 else _zipped(folder, sorted(names))
        with open(path, "rb") as file:  # noqa: PTH123
            for block in _blocks(file):
                sys.stdout.buffer.write(base64.b64encode(block))
        sys.stdout.buffer.write(b"\n")
        sys.stdout.buffer.flush()


def _zipped(folder: str, names: list[str]) -> str:
    import zipfile  # noqa: PLC0415 only several files need it

    path = f"{folder}-{os.urandom(4).hex()}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for name in names:
            archive.write(f"{folder}/{name}", name)
    return path


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block

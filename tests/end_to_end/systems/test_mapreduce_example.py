"""The example of MapReduce as its files are: a word count, sums of a CSV file, and a program of MARLA's."""

import csv
import io
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Terminal

pytestmark = pytest.mark.xdist_group("mapreduce")

EXAMPLE = Path(__file__).parents[3] / "stacks" / "examples" / "mapreduce"
FDL = EXAMPLE / "mapreduce.yaml"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    subprocess.run([FDL.with_name("image.sh")], check=True, env={**os.environ, "PYTHON": sys.executable})
    terminal = Terminal(tmp_path_factory.mktemp("state"))
    try:
        terminal.up(FDL)
        yield terminal
    finally:
        terminal.scar("local", "stop", check=False)


def results(terminal: Terminal, mapreduce: str, file: Path, folder: Path) -> list[str]:
    """Run a MapReduce over a file, and return the content of its parts in order."""
    run = terminal.scar("invoke", mapreduce, "--file", file, "--json").json["run"]
    terminal.scar("get", run["output"].rstrip("/"), folder)
    return [path.read_text(encoding="utf-8") for path in sorted(folder.glob("part-*"))]


def test_the_words_of_a_text_are_counted_and_sorted_throughout(deployed: Terminal, tmp_path: Path) -> None:
    text = (
        FDL.with_name("words-map.sh").read_text()
        + (EXAMPLE.parents[2] / "README.md").read_text()
        + "Ärger über ÄRGER\n"
    )
    file = tmp_path / "readme.md"
    file.write_text(text, encoding="utf-8")
    parts = results(deployed, "words", file, tmp_path / "out")
    assert len(parts) == 2
    lines = "".join(parts).splitlines()
    found = {word: int(count) for word, _, count in (line.partition("\t") for line in lines)}
    # Lower case is ASCII's, as that of the example's awk.
    words = re.findall(rb"[A-Za-z\x80-\xff]+", text.encode())
    assert found == dict(Counter(word.decode().translate(_LOWER) for word in words))
    keys = [line.partition("\t")[0].encode() for line in lines]
    assert keys == sorted(keys)


_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def test_sales_are_summed_whatever_their_quotes_hold(deployed: Terminal, tmp_path: Path) -> None:
    (part,) = results(deployed, "sales", FDL.with_name("sales.csv"), tmp_path / "out")
    assert sorted(csv.reader(io.StringIO(part))) == [
        ["Chair\n(two boxes)", "2", "179.00"],
        ["Desk", "2", "409.00"],
        ['Lamp, "Aurora"', "2", "99.80"],
        ["Regal für Bücher", "1", "75.25"],
    ]


# As MARLA's own check has it: 12,288 bytes with 1,024 lines.
def test_a_program_of_marlas_counts_every_line(deployed: Terminal, tmp_path: Path) -> None:
    stations = ["0Alpha", "6beta", "Ωmega", "Яков"]
    file = tmp_path / "stations.txt"
    file.write_text("".join(f"{stations[number % 4]} {number % 40}\n" for number in range(1024)), encoding="utf-8")
    parts = results(deployed, "marla", file, tmp_path / "out")
    lines = [line for part in parts for line in part.splitlines()]
    assert sorted(lines) == sorted(f"{station},256" for station in stations)

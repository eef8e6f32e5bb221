"""The example of a function over HTTP, with ImageMagick from Debian's packages."""

import os
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import Terminal
from tests.end_to_end.http.browser import Browser
from tests.end_to_end.http.conftest import PICTURES

pytestmark = pytest.mark.xdist_group("http")

EXAMPLES = Path(__file__).resolve().parents[3] / "stacks" / "examples"
FDL = EXAMPLES / "grayscale" / "grayscale.yaml"
PICTURE = EXAMPLES / "thumbnails" / "sample.png"


@pytest.fixture(scope="module")
def grayscale(terminal: Terminal) -> Iterator[dict[str, Any]]:
    """Return the outputs of the deployed example."""
    subprocess.run([FDL.with_name("image.sh")], check=True, env={**os.environ, "PYTHON": sys.executable})
    yield terminal.up(FDL)["outputs"]["functions"]["grayscale"]
    terminal.scar("destroy", FDL, "--yes", check=False)


def width_of(png: bytes) -> int:
    assert png.startswith(b"\x89PNG")
    return int(struct.unpack(">I", png[16:20])[0])


def is_grey(png: bytes) -> bool:
    return png[25] in (0, 4)  # the colour types without colours: https://www.w3.org/TR/png-3/#6Colour-values


def test_a_picture_is_answered_in_shades_of_grey(grayscale: dict[str, Any]) -> None:
    request = urllib.request.Request(grayscale["url"] + "?size=80", PICTURE.read_bytes(), {"Content-Type": "image/png"})
    with urllib.request.urlopen(request) as response:
        assert response.headers["Content-Type"] == "image/png"
        answer = response.read()
    assert is_grey(answer)
    assert width_of(answer) == 80


def test_a_wrong_parameter_is_explained(grayscale: dict[str, Any], terminal: Terminal) -> None:
    refused = terminal.scar("invoke", "grayscale", "-F", FDL, "-db", PICTURE, "-p", "format=exe", check=False)
    assert refused.status == 1
    assert "format: 'exe' is none of png, jpg and gif" in refused.stderr


def test_later_the_picture_is_in_a_folder_of_its_request(
    grayscale: dict[str, Any], terminal: Terminal, tmp_path: Path
) -> None:
    request = terminal.scar("invoke", "grayscale", "-F", FDL, "-db", PICTURE, "-a").stdout.strip()
    assert terminal.wait_for_keys(f"scar-grayscale/out/{request}", 1) == [f"out/{request}/grey.png"]
    terminal.scar("get", f"scar-grayscale/out/{request}/grey.png", tmp_path)
    assert is_grey(next(tmp_path.rglob("grey.png")).read_bytes())


def test_the_page_shows_the_picture(browser: Browser, grayscale: dict[str, Any], tmp_path: Path) -> None:
    browser.open(grayscale["page"])
    browser.choose("#file", [PICTURE])
    browser.click("#run")
    browser.wait_for("!document.querySelector('#result').hidden && document.querySelector('#picture').complete")
    assert browser.text("#outcome") == "Done"
    assert is_grey(browser.download("#save", tmp_path).read_bytes())
    browser.picture(PICTURES / "7-example.png")

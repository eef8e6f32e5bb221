"""Functions behind one API of a local cloud: deployed once, called by everybody."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import Answer, Terminal, busybox_image, terminal
from tests.end_to_end.http.browser import Browser
from tests.end_to_end.http.issuer import AUDIENCE, NAME, Issuer

__all__ = ["busybox_image", "terminal"]

PICTURES = Path(__file__).with_name("screenshots")
SCRIPTS = {
    # Prints what it got: pictures stay pictures, and text stays text.
    "echo": 'cat "$INPUT_FILE_PATH"; printf %s "${CONT_VAR_say:-}"; cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/copy"',
    "fails": "echo 'no decode delegate for this image format'; exit 3",
}


@dataclass
class Endpoints:
    """The deployed functions, by name, and how to call them as a user does."""

    terminal: Terminal
    fdl: Path
    outputs: dict[str, Any]

    def url(self, name: str) -> str:
        """Address of a function."""
        return str(self.outputs[name]["url"])

    def invoke(self, name: str, *arguments: object) -> Answer:
        """Run the verb."""
        return self.terminal.scar("invoke", name, "--fdl", self.fdl, *arguments, check=False)


@pytest.fixture(scope="session")
def issuer(terminal: Terminal) -> Issuer:
    """Whose tokens the function `token` takes."""
    issuer = Issuer()
    issuer.publish(terminal.state / "local" / "token-keys.json")
    return issuer


@pytest.fixture(scope="session")
def endpoints(
    terminal: Terminal, issuer: Issuer, busybox_image: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Endpoints]:
    """Return a stack that is destroyed afterwards."""
    folder = tmp_path_factory.mktemp("pages")
    for name, script in SCRIPTS.items():
        (folder / f"{name}.sh").write_text(f"#!/bin/sh\nset -eu\n{script}\n")
    signed = {"name": "signed", "method": {"authorizationType": "AWS_IAM"}}
    tokens = {"issuer": NAME, "audience": [AUDIENCE]}
    token = {"name": "token", "ui": True, "method": {"authorizationType": "JWT"}, "jwt": tokens}
    functions = [
        *(_function(name, name, busybox_image, name="pages", path_part=name, ui=True) for name in SCRIPTS),
        _function("signed", "echo", busybox_image, **signed),
        _function("token", "echo", busybox_image, **token),
    ]
    fdl = folder / "pages.yaml"
    fdl.write_text(json.dumps({"functions": {"aws": functions}}))
    yield Endpoints(terminal, fdl, terminal.up(fdl)["outputs"]["functions"])
    terminal.scar("destroy", fdl, "--yes", check=False)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return a browser for all tests."""
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """Return the browser, whose console must stay silent."""
    chromium.look()
    yield chromium
    assert chromium.errors == []


def _function(function: str, script: str, image: Path, **api: Any) -> dict[str, Any]:
    section = {
        "name": function,
        "description": f"What {function} does with a file",
        "memory": 256,
        "timeout": 29,
        "init_script": f"{script}.sh",
        "container": {"image_file": str(image)},
        "output": [{"storage_provider": "s3", "path": f"pages-results/{function}"}],
    }
    return {"lambda": section, "api_gateway": api}

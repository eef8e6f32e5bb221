"""A headless Chromium, driven through its DevTools protocol over a pipe: https://chromedevtools.github.io/devtools-protocol/."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.world.waiting import wait_for

_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # the tests run as root, and open only what is on this machine
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)
# Chromium reads commands from descriptor 3 and writes to descriptor 4.
_MOVE = "import os, sys; r, w = map(int, sys.argv[1:3]); r, w = os.dup2(r, 100), os.dup2(w, 101); os.dup2(r, 3); "
_WITH_PIPES = (sys.executable, "-ISc", f"{_MOVE}os.dup2(w, 4); os.execv(sys.argv[3], sys.argv[3:])")
_PATIENCE = 30
_LIMIT = 64 * 1024


class Browser:
    """A Chromium with one tab; `errors` are what its console complained about."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("chromium")
        assert program, "chromium is missing: run `make setup`"
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        self._process = subprocess.Popen(
            [*_WITH_PIPES, str(to_read), str(to_write), program, *_OPTIONS, f"--user-data-dir={folder}"],
            env={**os.environ, "HOME": str(folder)},
            pass_fds=(to_read, to_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self.errors: list[str] = []
        self._session: str | None = None
        self._number, self._rest = 0, b""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> Any:
        """Send a command and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        os.write(
            self._to, json.dumps({**message, "sessionId": self._session} if self._session else message).encode() + b"\0"
        )
        until = time.monotonic() + _PATIENCE
        while (found := self._next(until)).get("id") != self._number:
            self._remember(found)
        assert "error" not in found, f"{method}: {found['error']}"
        return found["result"]

    def open(self, url: str) -> None:
        """Go to an address and wait until it is there."""
        self.errors.clear()
        answer = self.ask("Page.navigate", url=url)
        assert not answer.get("errorText"), f"{url}: {answer['errorText']}"
        self.wait_for("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """Evaluate JavaScript in the page and return its value, awaited."""
        answer = self.ask(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, f"{script}: {answer['exceptionDetails']}"
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait until an expression is true."""
        until = time.monotonic() + _PATIENCE
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < until, f"{condition}: not within {_PATIENCE} s: {self.text('body')}"
            time.sleep(0.02)

    def text(self, selector: str) -> str:
        """Return what a person can read of an element."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def click(self, selector: str) -> None:
        """Press the mouse's button in the middle of an element, once no picture to come can move it."""
        self.run("Promise.allSettled([...document.images].map(image => image.src && image.decode()))")
        self.run("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        place = self.run(
            f"(e => (e.scrollIntoView({{block: 'center'}}), (r => [r.x + r.width / 2, r.y + r.height / 2])"
            f"(e.getBoundingClientRect())))(document.querySelector({json.dumps(selector)}))"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def type(self, selector: str, text: str) -> None:
        """Click into a field, clear it and write."""
        self.run(f"(e => (e.focus(), e.select()))(document.querySelector({json.dumps(selector)}))")
        self.ask("Input.insertText", text=text)

    def press(self, key: str, code: int) -> None:
        """Press a key of the keyboard."""
        text = {"Enter": "\r", " ": " "}.get(key, "")
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, text=text)

    def choose(self, selector: str, files: Sequence[Path]) -> None:
        """Choose files, as the system's dialogue would."""
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", files=[str(file) for file in files], nodeId=node)

    def download(self, selector: str, folder: Path) -> Path:
        """Click on what saves a file, and return that."""
        before = _whole(folder)
        self.ask("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self.click(selector)
        return wait_for(lambda: next(iter(_whole(folder) - before), None), 30, f"a download into {folder}")

    def look(self, width: int = 1000, height: int = 760, *, dark: bool = False) -> None:
        """Set the window's size, and light or dark."""
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, file: Path) -> None:
        """Keep a screenshot of the whole page."""
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(shot))

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def _next(self, until: float) -> Mapping[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], max(0.0, until - time.monotonic()))
            assert ready, "Chromium does not answer"
            block = os.read(self._from, _LIMIT)
            assert block, "Chromium has ended"
            self._rest += block
        message, _, self._rest = self._rest.partition(b"\0")
        found: Mapping[str, Any] = json.loads(message)
        return found

    def _remember(self, event: Mapping[str, Any]) -> None:
        if event["method"] == "Runtime.exceptionThrown":
            self.errors.append(str(event["params"]["exceptionDetails"]))
        elif event["method"] == "Log.entryAdded" and event["params"]["entry"]["source"] in ("security", "javascript"):
            self.errors.append(event["params"]["entry"]["text"])


def _whole(folder: Path) -> set[Path]:
    return {file for file in folder.iterdir() if file.suffix != ".crdownload"}

"""The page in front of a function, in a real browser; screenshots go to `screenshots` beside this file."""

import json
import struct
import zlib
from pathlib import Path

import pytest

from tests.end_to_end.http.browser import Browser
from tests.end_to_end.http.conftest import PICTURES, Endpoints
from tests.end_to_end.http.issuer import Issuer

pytestmark = pytest.mark.xdist_group("http")

SHOWN = "!document.querySelector('#result').hidden"


def png(width: int, height: int) -> bytes:
    """Return a picture with a gradient."""
    rows = b"".join(
        b"\0" + bytes(part for x in range(width) for part in (x * 255 // width, y * 255 // height, 160))
        for y in range(height)
    )
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_a_picture_is_uploaded_and_the_one_that_comes_back_is_shown(
    browser: Browser, endpoints: Endpoints, tmp_path: Path
) -> None:
    picture = tmp_path / "photo.png"
    picture.write_bytes(png(320, 200))
    browser.open(f"{endpoints.url('echo')}/")
    assert browser.run("document.title") == browser.text("h1") == "echo"
    assert browser.text("header p") == "What echo does with a file"
    browser.picture(PICTURES / "1-start.png")
    browser.choose("#file", [picture])
    assert browser.text("#chosen") == "photo.png"
    browser.click("#run")
    browser.wait_for(f"{SHOWN} && document.querySelector('#picture').complete")
    assert browser.text("#outcome") == "Done"
    assert browser.run("[at('picture').naturalWidth, at('picture').naturalHeight]") == [320, 200]
    assert browser.download("#save", tmp_path).read_bytes() == picture.read_bytes()
    browser.picture(PICTURES / "2-picture.png")


def test_text_and_parameters_go_in_and_text_comes_out(browser: Browser, endpoints: Endpoints) -> None:
    browser.look(dark=True)
    browser.open(f"{endpoints.url('echo')}/ui")
    browser.click("[value=text]")
    browser.type("#text", "naïve <b>words</b>\n")
    browser.click("summary")
    browser.type("#parameters", "say=and = more\n")
    browser.click("#run")
    browser.wait_for(SHOWN)
    assert browser.run("at('answer').textContent") == "naïve <b>words</b>\nand = more"
    browser.picture(PICTURES / "3-text-dark.png")


def test_a_failed_script_shows_what_it_printed_and_how_to_see_its_log(browser: Browser, endpoints: Endpoints) -> None:
    browser.look(390, 844)
    browser.open(f"{endpoints.url('fails')}/")
    browser.click("[value=text]")
    browser.click("#run")
    browser.wait_for(SHOWN)
    assert browser.text("#outcome") == "The function failed"
    assert "exit code 3" in browser.text("#advice")
    assert "no decode delegate" in browser.text("#answer")
    command = browser.text("#command").split()
    assert command[:4] == ["scar-pulumi", "logs", "fails", "--request-id"]
    logged = endpoints.terminal.scar(*command[1:], "--fdl", endpoints.fdl)
    assert "no decode delegate" in logged.stdout
    browser.picture(PICTURES / "4-failed-phone.png")


def test_where_calls_need_a_token_the_page_is_open_and_asks_for_one(
    browser: Browser, endpoints: Endpoints, issuer: Issuer
) -> None:
    assert endpoints.outputs["token"]["page"] == f"{endpoints.url('token')}/ui"
    browser.open(endpoints.outputs["token"]["page"])
    browser.click("[value=text]")
    browser.type("#text", "let me in")
    browser.type("#token", "wrong")
    browser.click("#run")
    browser.wait_for(SHOWN)
    assert browser.text("#outcome") == "An access token is needed"
    browser.type("#token", f"Bearer {issuer.token()}")
    browser.click("#run")
    browser.wait_for("at('outcome').textContent === 'Done'")
    assert browser.text("#answer") == "let me in"
    browser.picture(PICTURES / "6-token.png")


def test_in_the_background_the_request_id_is_told_and_the_result_lands_in_the_bucket(
    browser: Browser, endpoints: Endpoints
) -> None:
    browser.open(f"{endpoints.url('echo')}/")
    browser.click("[value=text]")
    browser.type("#text", "later")
    browser.click("#later")
    browser.click("#run")
    browser.wait_for(SHOWN)
    assert browser.text("#outcome").startswith("Accepted")
    assert browser.text("#command").split()[-1]
    assert endpoints.terminal.wait_for_keys("pages-results/echo", 1) == ["echo/copy"]
    browser.picture(PICTURES / "5-background.png")


def test_what_cannot_be_sent_is_told_without_sending_it(browser: Browser, endpoints: Endpoints, tmp_path: Path) -> None:
    browser.open(f"{endpoints.url('echo')}/")
    browser.click("#run")
    browser.wait_for(SHOWN)
    assert browser.text("#outcome") == "No file is chosen"
    (tmp_path / "large.bin").write_bytes(bytes(5_000_000))
    browser.choose("#file", [tmp_path / "large.bin"])
    browser.click("#run")
    browser.wait_for("at('outcome').textContent === 'The input is too large'")
    assert "scar-pulumi put" in browser.text("#advice")


@pytest.mark.parametrize(
    ("status", "title"),
    [(401, "An access token is needed"), (413, "too large"), (429, "busy"), (503, "not available"), (504, "too long")],
)
def test_what_a_gateway_says_by_itself_is_explained(
    browser: Browser, endpoints: Endpoints, status: int, title: str
) -> None:
    browser.open(f"{endpoints.url('echo')}/")
    browser.run(
        f"window.fetch = async () => new Response({json.dumps(json.dumps({'message': 'x'}))}, {{status: {status}}})"
    )
    browser.click("[value=text]")
    browser.click("#run")
    browser.wait_for(SHOWN)
    assert title in browser.text("#outcome")
    assert browser.text("#facts") == f"status {status}"
    if status == 401:
        assert browser.run("document.activeElement.id") == "token"


def test_the_keyboard_is_enough(browser: Browser, endpoints: Endpoints) -> None:
    browser.open(f"{endpoints.url('echo')}/")
    browser.press("Tab", 9)
    assert browser.run("document.activeElement.name") == "kind"
    browser.press("ArrowRight", 39)
    assert browser.run("document.querySelector('#text').checkVisibility()")
    browser.press("Tab", 9)
    browser.ask("Input.insertText", text="typed")
    for _ in range(2):
        browser.press("Tab", 9)
    assert browser.run("document.activeElement.id") == "run"
    browser.press("Enter", 13)
    browser.wait_for(SHOWN)
    assert browser.text("#answer") == "typed"
    assert browser.run("document.activeElement.id") == "result"


def test_nothing_of_the_page_comes_from_elsewhere(browser: Browser, endpoints: Endpoints) -> None:
    browser.open(f"{endpoints.url('echo')}/")
    loaded = browser.run("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in loaded if not name.startswith(("data:", "blob:"))] == []
    added = "new Promise(done => {document.addEventListener('securitypolicyviolation', e => done(e.violatedDirective));"
    script = "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s); })"
    assert browser.run(added + script).startswith("script-src")
    assert browser.run("window.ran") is None
    browser.errors.clear()

"""Files that Rucio knows: who gets which credentials, and what a copy has to be."""

import json
import zlib
from collections.abc import Iterator
from hashlib import md5
from typing import Any

import pytest

from tests.supervisor.conftest import Launch
from tests.supervisor.container import printed
from tests.world.file_servers import Files, PoolServer, RucioServer, WebDavServer, serving
from tests.world.runtime_api import Outcome

EVENT = {"event_type": "transfer-done", "payload": {"scope": "user.jdoe", "name": "a.root"}}
CONTENT = b"events"
OTHER_SUM = "d41d8cd98f00b204e9800998ecf8427e"
TRUE = {
    "bytes": 6,
    "adler32": f"{zlib.adler32(CONTENT):08x}",
    "md5": md5(CONTENT, usedforsecurity=False).hexdigest(),
}


@pytest.fixture
def rucio() -> Iterator[Files]:
    with serving(RucioServer, Files()) as held:
        yield held


@pytest.fixture
def stranger() -> Iterator[Files]:
    """Return a server that the catalogue names, and that refuses all credentials."""
    with serving(PoolServer, Files(files={"rucio/a.root": CONTENT})) as held:
        yield held


def knows(rucio: Files, *copies: str, **told: Any) -> None:
    entry = {"scope": "user.jdoe", "name": "a.root", **told, "pfns": {copy: {"rse": "A"} for copy in copies}}
    rucio.files["user.jdoe/a.root"] = json.dumps(entry).encode()


def read(launch: Launch, rucio: Files, **providers: Any) -> Outcome:
    settings = {"host": rucio.address, "account": "jdoe", "access_token": "macaroon"}
    configuration = {"storage_providers": {"rucio.mine": settings, **providers}}
    return launch(script='cat "$INPUT_FILE_PATH"', configuration=configuration).invoke(EVENT)


def test_the_token_goes_to_rucio_and_never_to_a_host_that_the_catalogue_names(
    launch: Launch, rucio: Files, stranger: Files
) -> None:
    knows(rucio, "root://a/b", f"{stranger.address}/rucio/a.root", **TRUE)
    assert printed(read(launch, rucio)) == "events"
    assert "macaroon" in str(rucio.headers)
    assert "macaroon" not in str(stranger.headers)
    assert "jdoe" not in str(stranger.headers)


def test_a_copy_on_a_server_of_the_functions_own_is_read_with_that_servers_credentials(
    launch: Launch, rucio: Files
) -> None:
    with serving(WebDavServer, Files(files={"rucio/a.root": CONTENT})) as door:
        knows(rucio, f"{door.address}/rucio/a.root", **TRUE)
        settings = {"hostname": door.address, "login": "scar", "password": "pass:word"}
        assert printed(read(launch, rucio, **{"webdav.site": settings})) == "events"
        assert "401" in read(launch, rucio).message


@pytest.mark.parametrize("copy", ["http://storage.example/a.root", "dav://169.254.169.254/latest/meta-data/"])
def test_a_copy_over_plain_http_is_not_read(launch: Launch, rucio: Files, copy: str) -> None:
    knows(rucio, copy, **TRUE)
    assert "is not read over plain http" in read(launch, rucio).message


def test_the_token_is_not_sent_to_rucio_over_plain_http(launch: Launch, rucio: Files) -> None:
    rucio.address = "http://rucio.example"
    outcome = read(launch, rucio)
    assert outcome.document["errorType"] == "ConfigurationInvalid"
    assert "not sent over plain http" in outcome.message


@pytest.mark.parametrize(
    ("told", "difference"),
    [
        ({**TRUE, "bytes": 7}, "6 bytes instead of 7"),
        ({"adler32": "00000001"}, f"its adler32 checksum is {TRUE['adler32']} instead of 00000001"),
        ({**TRUE, "md5": OTHER_SUM}, f"its md5 checksum is {TRUE['md5']} instead of {OTHER_SUM}"),
    ],
)
def test_a_copy_that_is_not_what_rucio_knows_is_refused(
    launch: Launch, rucio: Files, stranger: Files, told: dict[str, Any], difference: str
) -> None:
    knows(rucio, f"{stranger.address}/rucio/a.root", **told)
    outcome = read(launch, rucio)
    assert outcome.document["errorType"] == "InputFailed"
    assert f"is not what Rucio knows: {difference}" in outcome.message


def test_a_wrong_copy_is_passed_over_for_a_right_one(launch: Launch, rucio: Files, stranger: Files) -> None:
    stranger.files["other/a.root"] = b"Events"
    knows(rucio, f"{stranger.address}/other/a.root", f"{stranger.address}/rucio/a.root", **TRUE)
    assert printed(read(launch, rucio)) == "events"


def test_an_answer_that_is_no_catalogue_is_an_error(launch: Launch, rucio: Files) -> None:
    rucio.files["user.jdoe/a.root"] = b"[]"
    assert "Rucio's answer cannot be understood" in read(launch, rucio).message

"""Where the local cloud's HTTP APIs get the keys of token issuers from."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scar_pulumi.cloud.api_gateway.json_web_tokens import IssuerKeys
from tests.world.loopback_server import QuietHandler, serving
from tests.world.token_issuer import issuer_of, make_key


def has_key(issuer: str, directory: Path) -> bool:
    return asyncio.run(IssuerKeys(directory / "token-keys.json").key(issuer, "one")) is not None


@contextmanager
def leading_to(address: str) -> Iterator[str]:
    """Return a server that answers every request with a redirection."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", address + self.path)
            self.end_headers()

    with serving(Handler) as another:
        yield another


@pytest.mark.parametrize("issuer", ["http://127.0.0.1.example.org", "http://10.0.0.1", "https://issuer.example.org"])
def test_no_other_machine_is_asked_for_keys(issuer: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not has_key(issuer, tmp_path)
    assert f"{issuer}/.well-known/openid-configuration is on another machine" in caplog.text


def test_an_issuer_of_this_machine_is_asked_whatever_proxy_there_is_and_followed_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with issuer_of(make_key()) as issuer, leading_to(issuer) as another:
        assert has_key(issuer, tmp_path)
        assert not has_key(another, tmp_path)

"""`invoke` and plain requests on functions that are really deployed and really run."""

import base64
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.end_to_end.http.conftest import Endpoints
from tests.end_to_end.http.issuer import Issuer

pytestmark = pytest.mark.xdist_group("http")


def status_of(url: str, method: str = "GET", **headers: str) -> int:
    """Return the status that a plain request is answered with."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers)) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_bytes_go_in_and_come_out_as_they_are(endpoints: Endpoints, tmp_path: Path) -> None:
    (tmp_path / "in.bin").write_bytes(bytes(range(256)) * 9)
    answer = endpoints.invoke("echo", "-db", tmp_path / "in.bin", "-o", tmp_path / "out.bin", "--json")
    assert (answer.status, answer.json["statusCode"]) == (0, 200)
    assert (tmp_path / "out.bin").read_bytes() == (tmp_path / "in.bin").read_bytes()
    assert base64.b64decode(answer.json["bodyBase64"]) == (tmp_path / "in.bin").read_bytes()


def test_json_text_and_parameters_arrive(endpoints: Endpoints) -> None:
    assert endpoints.invoke("echo", "-jd", '{"a": [1]}').stdout == '{"a": [1]}'
    assert endpoints.invoke("echo", "--data", "naïve", "-p", '{"say": "ü"}').stdout == "naïveü"
    assert endpoints.invoke("echo", "-p", "say=alone").stdout == "alone"
    # Without the gateway it means the same.
    assert endpoints.invoke("echo", "--direct", "--data", "naïve", "-p", '{"say": "ü"}').stdout == "naïveü"


@pytest.mark.parametrize("more", [[], ["--direct"]])
def test_a_failed_script_fails_the_command_and_its_log_is_found(endpoints: Endpoints, more: list[str]) -> None:
    answer = endpoints.invoke("fails", "--data", "x", "--json", *more)
    assert answer.status == 1
    assert "exit code 3" in answer.json["error"]["message"]
    logged = endpoints.terminal.scar("logs", "fails", "--fdl", endpoints.fdl, "--request-id", answer.json["requestId"])
    assert "no decode delegate" in logged.stdout


def test_only_signed_requests_reach_a_function_that_wants_them(endpoints: Endpoints) -> None:
    assert status_of(endpoints.url("signed")) == 403
    assert endpoints.invoke("signed", "--data", "signed by me", "-p", "say=&").stdout.startswith("signed by me")


def test_only_tokens_of_the_issuer_reach_a_function_that_wants_them(
    endpoints: Endpoints, issuer: Issuer, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(issuer.token())
    assert endpoints.invoke("token", "--data", "hello", "--token-file", token).stdout == "hello"
    token.write_text(issuer.token(seconds=-600))
    refused = endpoints.invoke("token", "--data", "hello", "--token-file", token)
    assert refused.status == 1
    assert "access token" in refused.stderr
    assert endpoints.invoke("token").status == 2


def test_what_is_open_to_all_is_the_page_and_nothing_else(endpoints: Endpoints) -> None:
    url = endpoints.url("token")
    assert status_of(f"{url}/ui") == 200
    for method, path in (("GET", ""), ("GET", "/"), ("POST", "/ui"), ("POST", ""), ("GET", "/async"), ("GET", "/ui/x")):
        assert status_of(url + path, method) == 401, (method, path)
    with urllib.request.urlopen(
        urllib.request.Request(f"{url}/ui?say=x", headers={"X-Amz-Invocation-Type": "Event"})
    ) as page:
        assert page.read().startswith(b"<!doctype html>")


def test_an_asynchronous_call_is_answered_before_its_result_is_there(endpoints: Endpoints) -> None:
    answer = endpoints.invoke("signed", "-a", "--data", "later", "--json")
    assert (answer.status, answer.json["statusCode"]) == (0, 202)
    assert endpoints.terminal.wait_for_keys("pages-results/signed", 1) == ["signed/copy"]
    shown = endpoints.terminal.scar("logs", "signed", "--fdl", endpoints.fdl, "--request-id", answer.json["requestId"])
    assert "REPORT" in shown.stdout


def test_the_stack_shows_where_functions_and_pages_are(endpoints: Endpoints) -> None:
    shown = endpoints.terminal.scar("outputs", endpoints.fdl).stdout
    assert f"url {endpoints.url('echo')}\n" in shown
    assert f"page {endpoints.url('echo')}/\n" in shown
    listed = endpoints.terminal.scar("ls", "--fdl", endpoints.fdl)
    assert endpoints.url("echo") in next(line for line in listed.stdout.splitlines() if line.startswith("echo "))

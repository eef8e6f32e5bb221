"""Responses: what callers get, by the Runtime API or over HTTP."""

import base64
import hashlib
import html
import json
import re
from typing import Any

import pytest

from tests.supervisor.conftest import Launch
from tests.supervisor.container import printed
from tests.supervisor.http_calls import answer, received, request


def test_binary_output_that_is_too_large_is_an_error_and_not_half_a_file(launch: Launch) -> None:
    document = answer(launch("glibc", script="#!/bin/bash\n" + r"printf '\377%05000000d' 0"), request())
    assert document["statusCode"] == 500
    assert b"ResponseTooLarge" in received(document)
    assert b"write it to $TMP_OUTPUT_DIR" in received(document)


def test_the_response_holds_the_output(launch: Launch) -> None:
    container = launch(script="echo to-out; echo to-err >&2")
    request_id = container.start({})
    document = container.finish(request_id).document
    assert document == {
        "statusCode": 200,
        "headers": {
            "amz-lambda-request-id": request_id,
            "amz-log-group-name": "/aws/lambda/any",
            "amz-log-stream-name": "2026/01/01/[$LATEST]any",
        },
        "body": base64.b64encode(b"to-out\n").decode(),
        "isBase64Encoded": True,
    }


def test_binary_output_comes_back_unchanged(launch: Launch) -> None:
    outcome = launch().run(r"printf '\000\377\r\n\200'")
    assert base64.b64decode(outcome.document["body"]) == b"\0\xff\r\n\x80"


def test_output_that_is_too_large_is_cut_with_a_notice(launch: Launch) -> None:
    outcome = launch().run("seq 1 1200000")
    assert len(outcome.document["body"]) < 6_200_000
    output = printed(outcome)
    assert output.startswith("1\n2\n3\n")
    assert output.splitlines()[-1].startswith("[cut: 8488896 bytes were printed, ")


@pytest.mark.parametrize(
    ("script", "body", "encoded", "content_type"),
    [
        ("echo héllo", "héllo\n".encode(), False, "text/plain; charset=utf-8"),
        ("""echo '{"a": [1]}'""", b'{"a": [1]}\n', False, "application/json"),
        ("echo '[not json'", b"[not json\n", False, "text/plain; charset=utf-8"),
        ("echo '<!DOCTYPE html><p>'", b"<!DOCTYPE html><p>\n", False, "text/html; charset=utf-8"),
        (r"printf '\211PNG\000\377'", b"\x89PNG\0\xff", True, "image/png"),
        (r"printf 'a\000b'", b"a\0b", True, "application/octet-stream"),
        (r"printf '\377\376'", b"\xff\xfe", True, "application/octet-stream"),
        (":", b"", False, "text/plain; charset=utf-8"),
    ],
)
def test_text_and_binary_output_have_their_types(
    launch: Launch, script: str, body: bytes, encoded: bool, content_type: str
) -> None:
    document = answer(launch(script=script), request())
    assert document["statusCode"] == 200
    assert received(document) == body
    assert document["isBase64Encoded"] is encoded
    assert document["headers"]["Content-Type"] == content_type


def test_text_that_is_too_large_as_json_is_encoded(launch: Launch) -> None:
    document = answer(launch("glibc", script='#!/bin/bash\nprintf "%04000000d" 0 | tr 0 \'"\' || true'), request())
    assert document["statusCode"] == 200


def test_a_failed_script_is_a_500_that_tells_why(launch: Launch) -> None:
    container = launch(script="echo wrong; exit 3")
    document = answer(container, request())
    assert document["statusCode"] == 500
    assert b'"errorType": "ScriptFailed"' in received(document)
    assert b"exit code 3" in received(document)
    assert b"wrong" in received(document)
    assert set(document["headers"]) >= {"amz-lambda-request-id", "amz-log-group-name", "amz-log-stream-name"}


def test_a_timeout_is_a_504(launch: Launch) -> None:
    document = answer(launch(script="sleep 30"), request(), seconds=1.5)
    assert document["statusCode"] == 504
    assert b'"errorType": "ScriptTimedOut"' in received(document)


def test_the_script_sees_the_body_and_the_parameters(launch: Launch) -> None:
    event = request("aGk=", isBase64Encoded=True, queryStringParameters={"size": "9 x"})
    document = answer(launch(script='cat "$INPUT_FILE_PATH"; echo "-$CONT_VAR_size"'), event)
    assert received(document) == b"hi-9 x\n"
    again = answer(launch(script="echo ${CONT_VAR_size-none}"), request())
    assert received(again) == b"none\n"


PAGE = {"name": "cows", "page": {"description": 'Says "moo" & <more>', "token": True}}


def browses(path: str, method: str = "GET", **more: Any) -> dict[str, Any]:
    return {"version": "2.0", "requestContext": {"http": {"method": method}}, "rawPath": path, **more}


def test_a_browser_gets_the_page_and_the_script_does_not_run(launch: Launch) -> None:
    container = launch(script="echo ran", configuration=PAGE)
    document = answer(container, browses("/scar/launch/"))
    assert document["statusCode"] == 200
    assert document["headers"]["Content-Type"] == "text/html; charset=utf-8"
    text = received(document).decode()
    assert text.startswith("<!doctype html>")
    described = re.search('<meta name="about" content="([^"]*)">', text)
    assert described
    assert json.loads(html.unescape(described[1])) == {
        "name": "cows",
        "description": 'Says "moo" & <more>',
        "token": True,
        "limits": {"call": 6 * 1024 * 1024, "queued": 1024 * 1024},
    }
    container.close()
    assert "running" not in container.log


def test_only_the_pages_own_style_and_script_may_run_in_it(launch: Launch) -> None:
    document = answer(launch(script="echo ran", configuration=PAGE), browses("/scar/launch/ui"))
    policy, text = document["headers"]["Content-Security-Policy"], received(document).decode()
    for element in ("script", "style"):
        (content,) = re.findall(f"<{element}>(.*?)</{element}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", text)


@pytest.mark.parametrize(
    ("event", "configuration"),
    [
        (browses("/scar/launch/"), {"name": "cows"}),
        (browses("/scar/launch"), PAGE),
        (browses("/scar/launch/", "POST"), PAGE),
        ({"httpMethod": "POST", "path": "/launch/"}, PAGE),
        ({"Records": []}, PAGE),
    ],
)
def test_everything_else_is_a_call(launch: Launch, event: dict[str, Any], configuration: dict[str, Any]) -> None:
    assert b"doctype" not in received(answer(launch(script="echo ran", configuration=configuration), event))


@pytest.mark.parametrize(
    "more",
    [{}, {"headers": {"X-Amz-Invocation-Type": "Event"}}, {"rawPath": "/scar/launch/%75i", "routeKey": "GET /a/ui"}],
)
def test_the_route_that_is_open_to_all_never_leads_to_a_call(launch: Launch, more: dict[str, Any]) -> None:
    container = launch(script="echo ran", configuration=PAGE)
    assert b"<!doctype html>" in received(answer(container, browses("/scar/launch/ui") | more))
    container.close()
    assert "running" not in container.log


def test_rest_apis_and_load_balancers_show_the_page_too(launch: Launch) -> None:
    event = {"httpMethod": "GET", "path": "/launch/", "requestContext": {"elb": {}}}
    assert b"<!doctype html>" in received(answer(launch(script="echo ran", configuration=PAGE), event))

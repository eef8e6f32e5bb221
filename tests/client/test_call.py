import base64
import json
from pathlib import Path

import pytest

from scar_foundation.errors import InputError
from scar_pulumi.client.call import (
    Body,
    Call,
    binary_body,
    json_body,
    lambda_event,
    mixed_body,
    read_file,
    read_parameters,
    text_body,
)


@pytest.mark.parametrize("text", ['{"a": 1}', "[1]", '"aGk="', "5", "null"])
def test_json_text_is_the_event_as_it_stands(text: str) -> None:
    assert lambda_event(Call(text_body(text))) == text.encode()


@pytest.mark.parametrize("text", ["x", "hello world", "{not json", "", "naïve"])
def test_other_text_becomes_the_content_of_the_input_file(text: str) -> None:
    assert base64.b64decode(json.loads(lambda_event(Call(text_body(text))))) == text.encode()


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n\x00", b"1", b'"text"', b"null", b"", b"a,b\n1,2\n", b"\xff\xfe"]
)
def test_a_file_that_is_no_json_document_becomes_the_input_file(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(content)
    assert base64.b64decode(json.loads(lambda_event(Call(mixed_body(read_file(file)))))) == content


def test_a_json_document_is_the_event_as_it_stands() -> None:
    assert lambda_event(Call(mixed_body(b'{"Records": []}\n'))) == b'{"Records": []}\n'
    assert (
        json.loads(lambda_event(Call(binary_body(b'{"Records": []}')))) == base64.b64encode(b'{"Records": []}').decode()
    )
    assert lambda_event(Call()) == b"{}"


def test_a_call_with_parameters_is_the_request_that_a_gateway_would_pass_on() -> None:
    given = read_parameters(['{"size": 160, "name": ["a", "b"]}', "x=1&y="])
    event = json.loads(lambda_event(Call(Body(b"\xff", "image/png"), given, later=True)))
    assert event["queryStringParameters"] == {"size": "160", "name": "a,b", "x": "1", "y": ""}
    assert (event["body"], event["isBase64Encoded"]) == ("/w==", True)
    assert event["headers"] == {"x-amz-invocation-type": "Event"}


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.png", "image/png"),
        ("a.pdf", "application/pdf"),
        ("a.csv", "application/octet-stream"),
        ("a.json", "application/octet-stream"),
        ("a.svg", "application/octet-stream"),
        ("-", "application/octet-stream"),
    ],
)
def test_a_file_is_named_so_that_no_gateway_takes_it_for_text(name: str, content_type: str) -> None:
    assert binary_body(b"{}", name) == Body(b"{}", content_type)


def test_what_is_said_to_be_json_has_to_be_json() -> None:
    assert json_body("[1]") == Body(b"[1]", "application/json")
    with pytest.raises(InputError, match="--json-data: is not JSON"):
        json_body("{a: 1}")
    with pytest.raises(InputError, match="--parameters: size: is neither"):
        read_parameters(["size"])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.json: No such file"):
        read_file(tmp_path / "missing.json")

"""How services word their refusals, and what the gateway's requests know."""

import json

from scar_pulumi.cloud.asgi import Request, scope_of
from scar_pulumi.cloud.service import ServiceError, ServiceRequest, rest_json_error, s3_error
from scar_pulumi.cloud.signature import Caller, authorization


def test_lambda_and_its_like_name_the_error_in_a_header() -> None:
    error = ServiceError(429, "TooManyRequestsException", "Rate Exceeded.", details={"Reason": "busy"})
    response = rest_json_error(error)
    assert (response.status_code, response.headers["x-amzn-errortype"]) == (429, "TooManyRequestsException")
    assert response.headers["content-type"] == "application/json"
    document = {"Type": "User", "Message": "Rate Exceeded.", "message": "Rate Exceeded.", "Reason": "busy"}
    assert json.loads(response.body) == document
    assert json.loads(rest_json_error(ServiceError(503, "ServiceException", "")).body)["Type"] == "Service"


def test_s3_names_the_error_in_xml() -> None:
    response = s3_error(ServiceError(507, "InsufficientStorage", "a <full> disk"))
    body = b"<Error><Code>InsufficientStorage</Code><Message>a &lt;full&gt; disk</Message></Error>"
    assert (response.status_code, response.body, response.media_type) == (507, body, "application/xml")


def test_a_request_knows_its_signature_and_its_path_as_it_was_sent() -> None:
    signed = Request("GET", "/a%20b", "x=1", (authorization("123456789012", "eu-west-1", "s3"),))
    request = ServiceRequest(scope_of(signed))
    assert (request.path, request.raw_path, request.service) == ("/a b", "/a%20b", "s3")
    assert request.caller == Caller("123456789012", "eu-west-1", "s3")
    assert ServiceRequest(scope_of(Request("GET", "/"))).service == ""

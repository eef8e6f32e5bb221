"""Access logs of HTTP APIs."""

import json
from typing import Any

from scar_components.api_gateway_endpoint import ACCESS_LOG_FORMAT
from tests.world.fake_cloud import FakeCloud, wait_for
from tests.world.http_endpoints import ANSWER, make_endpoint


def test_every_request_is_a_line_of_the_access_log(cloud: FakeCloud) -> None:
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="/access/log")
    arn = "arn:aws:logs:us-east-1:000000000000:log-group:/access/log"
    settings = {"AccessLogSettings": {"DestinationArn": arn, "Format": ACCESS_LOG_FORMAT}}
    endpoint = make_endpoint(cloud, "logged", variables=ANSWER, routes=("POST /launch",), stage=settings)
    posted = endpoint.call("POST", body=b"x", user_agent='a"b')
    missing = endpoint.call("GET", "/nowhere")

    def events() -> list[dict[str, Any]]:
        found = logs.filter_log_events(logGroupName="/access/log")["events"]
        return [json.loads(event["message"]) for event in found]

    wait_for(lambda: len(events()) == 2)
    by_id = {event["requestId"]: event for event in events()}
    line = by_id[posted.headers["apigw-requestid"]]
    (call,) = cloud.calls("logged")
    assert (line["status"], line["routeKey"], line["path"]) == ("200", "POST /launch", "/scar/launch")
    assert (line["functionRequestId"], line["responseLength"]) == (call["request"], "4")
    assert by_id[missing.headers["apigw-requestid"]]["status"] == "404"

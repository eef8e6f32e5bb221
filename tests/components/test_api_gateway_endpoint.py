"""What an endpoint over HTTP declares."""

import json
from collections.abc import Callable
from typing import Any, cast

import pulumi
import pytest

from scar_components import ApiGatewayEndpoint, ApiGatewayEndpointArgs, LambdaContainerFunction
from tests.world.pulumi_mocks import Recorder, run_program

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ready@sha256:" + "0" * 64
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:"
TOKENS = {"issuer": "https://issuer.example.org", "audience": ["photos"]}


def function(name: str = "resize", **more: Any) -> dict[str, Any]:
    return {"function_name": name, "function_arn": ARN + name, **more}


def endpoint(*functions: dict[str, Any], **more: Any) -> None:
    """Declare an endpoint and wait for everything that it declares."""
    arguments = cast(ApiGatewayEndpointArgs, {"functions": functions or [function()], **more})
    run_program(lambda: ApiGatewayEndpoint("photos", arguments).url)


def routes(recorder: Recorder) -> dict[str, Any]:
    """Return the inputs of every route by its key."""
    types = recorder.types()
    found = [recorder.inputs(name) for name in types if types[name] == "aws:apigatewayv2/route:Route"]
    return {inputs["routeKey"]: inputs for inputs in found}


def test_the_children_of_an_endpoint_are_exactly_these(recorder: Recorder) -> None:
    endpoint()
    assert recorder.types() == {
        "photos": "scar:index:ApiGatewayEndpoint",
        "photos-api": "aws:apigatewayv2/api:Api",
        "photos-log-group": "scar:index:LogGroup",
        "photos-stage": "aws:apigatewayv2/stage:Stage",
        "photos-resize-integration": "aws:apigatewayv2/integration:Integration",
        "photos-resize-any-any": "aws:apigatewayv2/route:Route",
        "photos-resize-launch-async-any": "aws:apigatewayv2/route:Route",
        "photos-resize-permission": "aws:lambda/permission:Permission",
    }


def test_every_path_and_method_of_the_stage_leads_to_the_function_and_only_this_api_may_call_it(
    recorder: Recorder,
) -> None:
    endpoint()
    assert set(routes(recorder)) == {"ANY /{proxy+}", "ANY /launch/async"}
    assert all(route["target"] == "integrations/photos-resize-integration-id" for route in routes(recorder).values())
    integration = recorder.inputs("photos-resize-integration")
    assert integration["integrationUri"] == (
        f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{ARN}resize/invocations"
    )
    assert (integration["integrationType"], integration["payloadFormatVersion"]) == ("AWS_PROXY", "2.0")
    permission = recorder.inputs("photos-resize-permission")
    assert permission["principal"] == "apigateway.amazonaws.com"
    assert permission["sourceArn"] == "arn:aws:execute-api:eu-west-1:123456789012:photos-api-id/scar/*"
    stage = recorder.inputs("photos-stage")
    assert (stage["name"], stage["autoDeploy"]) == ("scar", True)
    assert stage["accessLogSettings"]["destinationArn"].startswith("arn:aws:logs:eu-west-1:123456789012:log-group:")
    assert "$context.integration.requestId" in stage["accessLogSettings"]["format"]
    assert recorder.inputs("photos-log-group")["log_retention"] == 30


def test_urls_are_those_that_users_of_scar_know(recorder: Recorder) -> None:
    seen: dict[str, Any] = {}

    def program() -> pulumi.Output[None]:
        functions = [function(), function("blur", path="/filters/blur", method="POST")]
        made = ApiGatewayEndpoint("photos", cast(ApiGatewayEndpointArgs, {"functions": functions}))
        return pulumi.Output.all(made.url, made.function_urls, made.async_urls).apply(
            lambda all_: seen.update(zip(("url", "functions", "async"), all_, strict=True))
        )

    run_program(program)
    stage = "https://photos-api-id.execute-api.eu-west-1.amazonaws.com/scar"
    assert seen == {
        "url": stage,
        "functions": {"resize": f"{stage}/launch", "blur": f"{stage}/filters/blur"},
        "async": {"resize": f"{stage}/launch/async", "blur": f"{stage}/filters/blur/async"},
    }


def test_functions_share_an_api_under_paths_of_their_own(recorder: Recorder) -> None:
    endpoint(function("a", path="a"), function("b", path="images/{size}", method="POST", authorization="AWS_IAM"))
    assert {key: route["authorizationType"] for key, route in routes(recorder).items()} == {
        "ANY /a": "NONE",
        "ANY /a/{proxy+}": "NONE",
        "ANY /a/async": "NONE",
        "POST /images/{size}": "AWS_IAM",
        "POST /images/{size}/{proxy+}": "AWS_IAM",
        "POST /images/{size}/async": "AWS_IAM",
    }
    assert recorder.inputs("photos-b-permission")["function"] == f"{ARN}b"


def test_tokens_are_checked_by_one_authorizer_and_scopes_by_each_route(recorder: Recorder) -> None:
    endpoint(function("a", path="a", authorization="JWT", scopes=["run"]), function("b", path="b"), tokens=TOKENS)
    assert recorder.inputs("photos-authorizer")["jwtConfiguration"] == {
        "issuer": "https://issuer.example.org",
        "audiences": ["photos"],
    }
    guarded, free = routes(recorder)["ANY /a"], routes(recorder)["ANY /b"]
    assert (guarded["authorizationType"], guarded["authorizerId"]) == ("JWT", "photos-authorizer-id")
    assert guarded["authorizationScopes"] == ["run"]
    assert free["authorizationType"] == "NONE"
    assert "authorizerId" not in free


def test_the_page_of_a_function_that_wants_a_token_is_open(recorder: Recorder) -> None:
    endpoint(function(authorization="JWT", page=True), tokens=TOKENS)
    assert {key: route["authorizationType"] for key, route in routes(recorder).items()} == {
        "ANY /{proxy+}": "JWT",
        "ANY /launch/async": "JWT",
        "GET /launch/ui": "NONE",
    }


def test_a_browser_can_ask_before_a_call_that_needs_authorization(recorder: Recorder) -> None:
    endpoint(function(authorization="AWS_IAM"), cors={"allow_origins": ["https://example.org"]})
    assert recorder.inputs("photos-api")["corsConfiguration"] == {
        "allowOrigins": ["https://example.org"],
        "allowMethods": ["*"],
        "allowHeaders": ["*"],
        "exposeHeaders": ["amz-lambda-request-id", "apigw-requestid"],
    }
    methods = {key.partition(" ")[0] for key in routes(recorder)}
    assert methods == {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}


def test_limits_domain_stage_name_retention_and_tags_are_those_asked_for(recorder: Recorder) -> None:
    endpoint(
        api_name="public",
        stage="v1",
        throttling={"rate_limit": 10, "burst_limit": 20},
        domain={"name": "f.example.org", "certificate_arn": "arn:aws:acm:eu-west-1:123456789012:certificate/c"},
        log_retention=7,
        tags={"team": "photos"},
    )
    assert recorder.inputs("photos-api")["name"] == "public"
    stage = recorder.inputs("photos-stage")
    assert stage["name"] == "v1"
    assert stage["defaultRouteSettings"] == {"throttlingRateLimit": 10, "throttlingBurstLimit": 20}
    domain = recorder.inputs("f.example.org-domain")
    assert domain["domainName"] == "f.example.org"
    assert domain["domainNameConfiguration"]["certificateArn"].startswith("arn:aws:acm:")
    assert recorder.inputs("f.example.org-domain-mapping")["apiId"] == "photos-api-id"
    assert recorder.inputs("photos-log-group")["log_retention"] == 7
    assert recorder.inputs("photos-log-group")["log_group_name"].startswith("/aws/vendedlogs/apigateway/public-")
    tagged = ("photos-api", "photos-stage", "photos-log-group", "f.example.org-domain")
    assert [recorder.inputs(name)["tags"] for name in tagged] == [{"team": "photos"}] * 4


@pytest.mark.parametrize(
    ("declare", "complaint"),
    [
        (lambda: endpoint(function("a"), function("b")), r"a and b: both have the route 'ANY /\{proxy\+\}'; give each"),
        (lambda: endpoint(function(authorization="JWT")), "resize: authorization JWT needs .* give `tokens`"),
        (lambda: endpoint(function(authorization="CUSTOM")), "use one of NONE, AWS_IAM, JWT"),
        (lambda: endpoint(function(path="a/async")), "'a/async' ends in 'async'"),
    ],
)
def test_what_no_api_can_have_is_refused(recorder: Recorder, declare: Callable[[], None], complaint: str) -> None:
    with pytest.raises(pulumi.RunError, match=complaint):
        declare()


def test_a_function_that_is_called_asynchronously_may_invoke_itself_and_nothing_else(recorder: Recorder) -> None:
    arguments: Any = {"image_uri": IMAGE, "asynchronous_http": True}
    run_program(lambda: LambdaContainerFunction("resize", arguments).arn)
    assert '"asynchronous_http":true' in recorder.inputs("resize-function")["environment"]["variables"]["SCAR_FUNCTION"]
    statements = json.loads(recorder.inputs("resize-role-policy")["policy"])["Statement"]
    assert [(statement["Action"], statement["Resource"]) for statement in statements[1:]] == [
        (["lambda:InvokeFunction"], [f"{ARN}resize"])
    ]

"""Functions over HTTP: an HTTP API of API Gateway, its routes, and who may call them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, NotRequired, Optional, TypedDict

import pulumi
import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from scar_components.arguments import check_arguments
from scar_components.log_group import LogGroup, LogGroupArgs
from scar_components.naming import access_log_name, stack_identity, statement_id
from scar_foundation.limits import HTTP_API_TIMEOUT


class EndpointFunction(TypedDict):
    """A function behind an endpoint."""

    function_name: str
    """Name of the function. The names of its routes and permission contain it."""
    function_arn: Input[str]
    """ARN of the function."""
    path: NotRequired[str]
    """Path below the stage, such as `resize` or `images/{size}`. The function gets all paths below it too.

    Default: `{proxy+}`, every path that no other function has.
    """
    method: NotRequired[str]
    """HTTP method of the routes, such as `POST`. Default: `ANY`."""
    authorization: NotRequired[str]
    """Who may call: `NONE` (everybody), `AWS_IAM` (signed requests with the right to `execute-api:Invoke`) or `JWT`
    (access tokens). Default: `NONE`."""
    scopes: NotRequired[Sequence[str]]
    """With `JWT`: scopes of which a token needs at least one. Default: none; tokens need no scope."""
    page: NotRequired[bool]
    """With `JWT`: whether everybody may open the page at `ui` below the path; it asks for a token. Default: false."""
    timeout: NotRequired[int]
    """The function's timeout in seconds. Above 30, a warning says that longer calls are answered with 504.
    Default: no warning."""


class EndpointTokens(TypedDict):
    """Which access tokens are accepted."""

    issuer: Input[str]
    """URL of the tokens' issuer, such as `https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc`."""
    audience: Sequence[Input[str]]
    """Accepted audiences, at least one; a token must be issued for one of them."""


class EndpointCors(TypedDict):
    """Calls from web pages of other origins.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
    """

    allow_origins: Sequence[Input[str]]
    """Allowed origins, such as `https://example.org`, or `*`."""
    allow_methods: NotRequired[Sequence[Input[str]]]
    """Allowed methods. Default: `*`."""
    allow_headers: NotRequired[Sequence[Input[str]]]
    """Allowed request headers. Default: `*`."""
    expose_headers: NotRequired[Sequence[Input[str]]]
    """Response headers that pages may read. Default: those with the request id."""
    allow_credentials: NotRequired[Input[bool]]
    """Whether requests may carry cookies and credentials; not with the origin `*`. Default: false."""
    max_age: NotRequired[Input[int]]
    """Seconds for which a browser caches these permissions. Default: the browser's."""


class EndpointThrottling(TypedDict):
    """Limits of each route; calls above them are answered with 429."""

    rate_limit: NotRequired[Input[float]]
    """Calls per second on average. Default: the account's limit."""
    burst_limit: NotRequired[Input[int]]
    """Calls at the same time. Default: the account's limit."""


class EndpointDomain(TypedDict):
    """A custom domain name."""

    name: Input[str]
    """The domain, such as `functions.example.org`."""
    certificate_arn: Input[str]
    """ARN of its certificate in AWS Certificate Manager, in the endpoint's region."""


class ApiGatewayEndpointArgs(TypedDict):
    """Arguments of an ApiGatewayEndpoint."""

    functions: Sequence[EndpointFunction]
    """The functions, each with its own path."""
    api_name: NotRequired[str]
    """Name of the API. Default: the component's name."""
    stage: NotRequired[str]
    """Name of the stage, the first part of every path. Default: `scar`."""
    tokens: NotRequired[EndpointTokens]
    """Which access tokens are accepted; required by functions with authorization `JWT`. Default: none."""
    cors: NotRequired[EndpointCors]
    """Calls from web pages of other origins. Default: not allowed."""
    throttling: NotRequired[EndpointThrottling]
    """Limits of each route. Default: the account's."""
    domain: NotRequired[EndpointDomain]
    """A custom domain name. Default: none; the API has AWS's address only."""
    log_retention: NotRequired[Input[int]]
    """Days for which the access log is kept. Default: 30."""
    region: NotRequired[Input[str]]
    """Region of the API and of its functions. Default: the aws provider's."""
    tags: NotRequired[Input[Mapping[str, Input[str]]]]
    """Tags of all resources that can have tags. Default: none."""


EVERYTHING = "{proxy+}"
LAUNCH = "launch"
"""The path that SCAR's users know for a function that gets every path."""
ASYNC = "async"
"""Last part of the path for asynchronous calls."""
PAGE = "ui"
"""Last part of the path of the page for trying the function in a browser."""

AUTHORIZATIONS = ("NONE", "AWS_IAM", "JWT")
# All but OPTIONS: without a route for it the gateway answers a browser's preflight request itself, while a route with
# authorization would refuse it. https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
ACCESS_LOG_FORMAT = json.dumps(
    {
        "requestId": "$context.requestId",
        "time": "$context.requestTime",
        "sourceIp": "$context.identity.sourceIp",
        "method": "$context.httpMethod",
        "path": "$context.path",
        "routeKey": "$context.routeKey",
        "status": "$context.status",
        "responseLength": "$context.responseLength",
        "responseLatency": "$context.responseLatency",
        "functionRequestId": "$context.integration.requestId",
        "error": "$context.error.message",
        "integrationError": "$context.integrationErrorMessage",
    }
)


class ApiGatewayEndpoint(ComponentResource):
    """An HTTP API in front of one or more functions.

    The response to a call is what the function prints. Calls with the header `X-Amz-Invocation-Type: Event`, or on the
    path that ends in `async`, are asynchronous: they are answered with 202 and the request id, and the function runs
    afterwards. For that the LambdaContainerFunction needs `asynchronous_http`.
    """

    api_id: Output[str]
    """Id of the API."""
    url: Output[str]
    """URL of the stage, `https://<id>.execute-api.<region>.amazonaws.com/scar`."""
    function_urls: Output[Mapping[str, str]]
    """URL of each function, by function name."""
    async_urls: Output[Mapping[str, str]]
    """URL for asynchronous calls of each function, by function name."""
    log_group: Output[str]
    """Name of the access log's group in CloudWatch Logs."""
    domain_target: Output[Optional[str]]
    """Domain name of the API that the custom domain must be an alias of in DNS; none without a custom domain."""

    def __init__(self, name: str, args: ApiGatewayEndpointArgs, opts: Optional[ResourceOptions] = None) -> None:
        """Declare the API, its stage with the access log, and the routes and the permission of each function."""
        check_arguments(name, args, ApiGatewayEndpointArgs)
        super().__init__("scar:index:ApiGatewayEndpoint", name, None, opts)
        self._name = name
        self._args = args
        self._stage_name = args.get("stage", "scar")
        check_functions(args["functions"], tokens="tokens" in args)
        self._warn_of_long_calls()
        api = self._api()
        log_group = self._log_group()
        authorizer = self._authorizer(api)
        for function in args["functions"]:
            self._routes(api, function, authorizer)
        stage = self._stage(api, log_group)
        self.domain_target = self._domain(api, stage)
        self.api_id = api.id
        self.log_group = log_group.log_group_name
        # Not the stage's invoke URL, which is AWS's even where the API is in a local cloud.
        self.url = Output.concat(api.api_endpoint, "/", self._stage_name)
        places = {function["function_name"]: place(function) for function in args["functions"]}
        self.function_urls = self.url.apply(lambda url: {key: url + its.url for key, its in places.items()})
        self.async_urls = self.url.apply(lambda url: {key: url + its.asynchronous for key, its in places.items()})
        self.register_outputs({key: getattr(self, key) for key in ApiGatewayEndpoint.__annotations__})

    def _child(self) -> ResourceOptions:
        return ResourceOptions(parent=self)

    def _warn_of_long_calls(self) -> None:
        for function in self._args["functions"]:
            if function.get("timeout", 0) > HTTP_API_TIMEOUT:
                message = (
                    f"{function['function_name']}: a call over HTTP that takes longer than {HTTP_API_TIMEOUT} s is "
                    "answered with 504 and its request id, and the function keeps running; call it asynchronously"
                )
                pulumi.log.warn(message, self)

    def _api(self) -> aws.apigatewayv2.Api:
        return aws.apigatewayv2.Api(
            f"{self._name}-api",
            name=self._args.get("api_name", self._name),
            protocol_type="HTTP",
            cors_configuration=self._cors(),
            region=self._args.get("region"),
            tags=self._args.get("tags"),
            opts=self._child(),
        )

    def _cors(self) -> Optional[aws.apigatewayv2.ApiCorsConfigurationArgsDict]:
        cors = self._args.get("cors")
        if cors is None:
            return None
        ids = ["amz-lambda-request-id", "apigw-requestid"]
        return {"allow_methods": ["*"], "allow_headers": ["*"], "expose_headers": ids, **cors}

    def _log_group(self) -> LogGroup:
        args: LogGroupArgs = {
            "log_group_name": access_log_name(self._args.get("api_name", self._name), stack_identity()),
            "log_retention": self._args.get("log_retention"),
            "region": self._args.get("region"),
            "tags": self._args.get("tags"),
        }
        return LogGroup(f"{self._name}-log-group", args, self._child())

    def _stage(self, api: aws.apigatewayv2.Api, log_group: LogGroup) -> aws.apigatewayv2.Stage:
        throttling = self._args.get("throttling")
        settings: Optional[aws.apigatewayv2.StageDefaultRouteSettingsArgsDict] = None
        if throttling:
            limits = {f"throttling_{key}": value for key, value in throttling.items()}
            settings = limits  # type: ignore[assignment]  # the keys are the same except for their prefix
        return aws.apigatewayv2.Stage(
            f"{self._name}-stage",
            api_id=api.id,
            name=self._stage_name,
            auto_deploy=True,
            access_log_settings={"destination_arn": log_group.arn, "format": ACCESS_LOG_FORMAT},
            default_route_settings=settings,
            region=self._args.get("region"),
            tags=self._args.get("tags"),
            opts=self._child(),
        )

    def _authorizer(self, api: aws.apigatewayv2.Api) -> Optional[aws.apigatewayv2.Authorizer]:
        tokens = self._args.get("tokens")
        if tokens is None:
            return None
        return aws.apigatewayv2.Authorizer(
            f"{self._name}-authorizer",
            api_id=api.id,
            name="tokens",
            authorizer_type="JWT",
            identity_sources=["$request.header.Authorization"],
            jwt_configuration={"issuer": tokens["issuer"], "audiences": list(tokens["audience"])},
            region=self._args.get("region"),
            opts=self._child(),
        )

    def _routes(
        self,
        api: aws.apigatewayv2.Api,
        function: EndpointFunction,
        authorizer: Optional[aws.apigatewayv2.Authorizer],
    ) -> None:
        name = f"{self._name}-{function['function_name']}"
        region = self._args.get("region")
        integration = aws.apigatewayv2.Integration(
            f"{name}-integration",
            api_id=api.id,
            integration_type="AWS_PROXY",
            integration_uri=Output.from_input(function["function_arn"]).apply(_invocation_uri),
            payload_format_version="2.0",
            region=region,
            opts=self._child(),
        )
        for key, authorization in route_keys(function, cors="cors" in self._args):
            bearer = authorizer if authorization == "JWT" else None
            aws.apigatewayv2.Route(
                f"{name}-{route_name(key)}",
                api_id=api.id,
                route_key=key,
                target=Output.concat("integrations/", integration.id),
                authorization_type=authorization,
                authorizer_id=bearer.id if bearer else None,
                authorization_scopes=list(function.get("scopes", ())) or None if bearer else None,
                region=region,
                opts=self._child(),
            )
        aws.lambda_.Permission(
            f"{name}-permission",
            statement_id=statement_id(f"{name}-endpoint"),
            action="lambda:InvokeFunction",
            function=function["function_arn"],
            principal="apigateway.amazonaws.com",
            source_arn=Output.concat(api.execution_arn, "/", self._stage_name, "/*"),
            region=region,
            opts=self._child(),
        )

    def _domain(self, api: aws.apigatewayv2.Api, stage: aws.apigatewayv2.Stage) -> Output[Optional[str]]:
        given = self._args.get("domain")
        if given is None:
            return Output.from_input(None)
        # A domain exists once, so it stays the same resource when the endpoint is renamed.
        name = given["name"] if isinstance(given["name"], str) else self._name
        domain = aws.apigatewayv2.DomainName(
            f"{name}-domain",
            domain_name=given["name"],
            domain_name_configuration={
                "certificate_arn": given["certificate_arn"],
                "endpoint_type": "REGIONAL",
                "security_policy": "TLS_1_2",
            },
            region=self._args.get("region"),
            tags=self._args.get("tags"),
            opts=self._child(),
        )
        aws.apigatewayv2.ApiMapping(
            f"{name}-domain-mapping",
            api_id=api.id,
            domain_name=domain.id,
            stage=stage.name,
            region=self._args.get("region"),
            opts=ResourceOptions(parent=self, delete_before_replace=True),
        )
        return domain.domain_name_configuration.target_domain_name


def _invocation_uri(arn: str) -> str:
    # https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-integrations.html
    _, partition, _, region, *_ = arn.split(":")
    return f"arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations"


class Place(NamedTuple):
    """Where a function is called, relative to the stage: paths of its URLs, and all paths that lead to it."""

    url: str
    asynchronous: str
    paths: tuple[str, ...]


def place(function: EndpointFunction) -> Place:
    """Return where a function is called."""
    path = function.get("path", EVERYTHING).strip("/")
    if path == EVERYTHING:
        url = f"/{LAUNCH}"
        return Place(url, f"{url}/{ASYNC}", (f"/{EVERYTHING}", f"{url}/{ASYNC}"))
    url = f"/{path}"
    below = () if path.endswith("+}") else (f"{url}/{EVERYTHING}", f"{url}/{ASYNC}")
    return Place(url, f"{url}/{ASYNC}", (url, *below))


def route_keys(function: EndpointFunction, *, cors: bool) -> Iterator[tuple[str, str]]:
    """Return the keys of a function's routes, each with its authorization."""
    method, authorization = function.get("method", "ANY"), function.get("authorization", "NONE")
    methods = _METHODS if method == "ANY" and cors and authorization != "NONE" else (method,)
    for path in place(function).paths:
        yield from ((f"{one} {path}", authorization) for one in methods)
    if function.get("page") and authorization == "JWT":
        yield f"GET {place(function).url}/{PAGE}", "NONE"


def route_name(key: str) -> str:
    """Return the route's part of its resource's name."""
    method, _, path = key.partition(" ")
    words = re.sub(r"[^A-Za-z0-9]+", "-", path.replace("{proxy+}", "any")).strip("-")
    return f"{words}-{method.lower()}"


def check_functions(functions: Sequence[EndpointFunction], *, tokens: bool) -> None:
    """Check that one API can have all these functions.

    Raises:
        pulumi.RunError: It cannot.
    """
    taken: dict[str, str] = {}
    for function in functions:
        name = function["function_name"]
        _check_one(function, tokens=tokens)
        for key in (f"{function.get('method', 'ANY')} {path}" for path in place(function).paths):
            if key in taken:
                raise pulumi.RunError(
                    f"functions {taken[key]} and {name}: both have the route {key!r}; give each its own path"
                )
            taken[key] = name


def _check_one(function: EndpointFunction, *, tokens: bool) -> None:
    name, authorization = function["function_name"], function.get("authorization", "NONE")
    if authorization not in AUTHORIZATIONS:
        raise pulumi.RunError(
            f"{name}: authorization {authorization!r} is unknown; use one of {', '.join(AUTHORIZATIONS)}"
        )
    if authorization == "JWT" and not tokens:
        raise pulumi.RunError(f"{name}: authorization JWT needs an issuer and an audience; give `tokens`")
    path = function.get("path", EVERYTHING).strip("/")
    if path == ASYNC or path.endswith(f"/{ASYNC}"):
        raise pulumi.RunError(
            f"{name}: path {path!r} ends in {ASYNC!r}, which is reserved for asynchronous calls; choose another path"
        )

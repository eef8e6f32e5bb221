"""What an endpoint over HTTP is declared with."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from pulumi import Input


class EndpointFunction(TypedDict):
    """A function behind an endpoint."""

    function_name: str
    """Name of the function; also names what is made for it."""
    function_arn: Input[str]
    """ARN of the function."""
    path: NotRequired[str]
    """Path below the stage, such as `resize` or `images/{size}`; paths below it are the function's, too.

    Default: `{proxy+}`, every path that no other function has.
    """
    method: NotRequired[str]
    """HTTP method that is answered. Default: `ANY`."""
    authorization: NotRequired[str]
    """`NONE`, `AWS_IAM` (signed requests of who may `execute-api:Invoke`) or `JWT`. Default: `NONE`, everybody."""
    scopes: NotRequired[Sequence[str]]
    """With `JWT`: scopes of which a token needs one. Default: any token of the issuer for the audience will do."""
    page: NotRequired[bool]
    """With `JWT`: whether everybody gets the page at the path's end `ui`, which then asks for a token. Default: no."""
    timeout: NotRequired[int]
    """Time limit of the function in seconds; calls are answered within 30 s, and what that means is told."""


class EndpointTokens(TypedDict):
    """Whose tokens are accepted."""

    issuer: Input[str]
    """The issuer, such as `https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc`."""
    audience: Sequence[Input[str]]
    """Whom tokens have to be for: at least one."""


class EndpointCors(TypedDict):
    """Which pages of other origins may call. https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html"""

    allow_origins: Sequence[Input[str]]
    """Origins such as `https://example.org`, or `*`."""
    allow_methods: NotRequired[Sequence[Input[str]]]
    """Methods that they may use. Default: `*`."""
    allow_headers: NotRequired[Sequence[Input[str]]]
    """Headers that they may send. Default: `*`."""
    expose_headers: NotRequired[Sequence[Input[str]]]
    """Headers of the answer that they may read. Default: those with the request id."""
    allow_credentials: NotRequired[Input[bool]]
    """Whether cookies and credentials are sent along; not with `*`. Default: no."""
    max_age: NotRequired[Input[int]]
    """Seconds that a browser remembers this. Default: its own."""


class EndpointThrottling(TypedDict):
    """How many calls each route takes; more are answered with 429."""

    rate_limit: NotRequired[Input[float]]
    """Calls per second. Default: the account's limit."""
    burst_limit: NotRequired[Input[int]]
    """Calls at once. Default: the account's limit."""


class EndpointDomain(TypedDict):
    """A domain of one's own."""

    name: Input[str]
    """Such as `functions.example.org`."""
    certificate_arn: Input[str]
    """ARN of its certificate in AWS Certificate Manager, in the endpoint's region."""


class ApiGatewayEndpointArgs(TypedDict):
    """Arguments of an ApiGatewayEndpoint."""

    functions: Sequence[EndpointFunction]
    """The functions, each under a path of its own."""
    api_name: NotRequired[str]
    """Name of the API. Default: the component's name."""
    stage: NotRequired[str]
    """Stage, the first part of every path. Default: `scar`."""
    tokens: NotRequired[EndpointTokens]
    """Whose tokens are accepted; needed by functions with authorization `JWT`."""
    cors: NotRequired[EndpointCors]
    """Calls from pages of other origins. Default: none."""
    throttling: NotRequired[EndpointThrottling]
    """Limits of each route. Default: the account's."""
    domain: NotRequired[EndpointDomain]
    """A domain of one's own. Default: only the one that AWS gives."""
    log_retention: NotRequired[Input[int]]
    """Days that the access log is kept. Default: 30."""
    region: NotRequired[Input[str]]
    """Region of the API and of its functions. Default: the provider's."""
    tags: NotRequired[dict[str, Input[str]]]
    """Tags of everything that takes some."""

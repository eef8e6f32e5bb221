"""What a file says of HTTP endpoints."""

from collections.abc import Callable

from scar_pulumi.fdl import Fdl
from scar_pulumi.fdl.model import Cors, Throttling

Load = Callable[..., Fdl]

FILE = """\
functions:
  aws:
  - lambda: {name: a, timeout: 300, container: {image: debian}}
    api_gateway:
      name: shared
      method: {authorizationType: COGNITO_USER_POOLS}
      jwt: {issuer: https://issuer.example.org, audience: photos, scopes: [run]}
      cors: https://example.org
      throttling: {rate_limit: 10}
      domain: {domain_name: f.example.org, certificate_arn: "arn:aws:acm:us-east-1:000000000000:certificate/c"}
  - lambda: {name: b, timeout: 20, container: {image: debian}}
    api_gateway: {name: shared, method: {authorizationType: AWS_IAM}}
"""


def test_everything_about_an_endpoint_becomes_data(load_text: Load) -> None:
    one, other = (function.api_gateway for function in load_text(FILE).functions)
    assert one
    assert other
    assert one.authorization == "JWT"
    assert one.tokens
    assert (one.tokens.issuer, one.tokens.audience, one.tokens.scopes) == (
        "https://issuer.example.org",
        ("photos",),
        ("run",),
    )
    assert one.cors == Cors(allow_origins=("https://example.org",))
    assert one.throttling == Throttling(rate_limit=10)
    assert one.domain
    assert one.domain.name == "f.example.org"
    assert (other.authorization, other.tokens, other.cors, other.throttling) == ("AWS_IAM", None, None, None)


def test_functions_that_share_an_api_are_told_their_paths_and_slow_ones_what_becomes_of_calls(load_text: Load) -> None:
    said = [f"{warning.path}: {warning.message}" for warning in load_text(FILE).warnings]
    assert said == [
        "functions.aws[0].api_gateway: shares the API 'shared' with others, so its path is /a",
        "functions.aws[0].api_gateway: calls over HTTP get 504 after 30 s, while the function runs on for up to 300 s",
        "functions.aws[1].api_gateway: shares the API 'shared' with others, so its path is /b",
    ]

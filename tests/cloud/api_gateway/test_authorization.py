"""Who may call an HTTP API, and from which pages."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.world.fake_cloud import FakeCloud
from tests.world.http_endpoints import ANSWER, Endpoint, Reply, ask, make_endpoint
from tests.world.token_issuer import Key, claims, issuer_of, make_key

FORBIDDEN, UNAUTHORIZED = (403, {"message": "Forbidden"}), (401, {"message": "Unauthorized"})


def told(reply: Reply) -> tuple[int, Any]:
    return reply.status, reply.json


@pytest.fixture(scope="module")
def guarded(cloud: FakeCloud) -> Endpoint:
    return make_endpoint(cloud, "guarded", variables=ANSWER, route={"AuthorizationType": "AWS_IAM"})


def signed(url: str, region: str = "us-east-1", service: str = "execute-api", **credentials: str) -> AWSRequest:
    request = AWSRequest("POST", url, data=b"x", headers={"X-B": "two  spaces", "Content-Type": "text/plain"})
    key, secret = credentials.get("key", "test"), credentials.get("secret", "test")
    SigV4Auth(Credentials(key, secret), service, region).add_auth(request)
    return request


def test_a_signed_request_passes_and_tells_the_function_who_signed(guarded: Endpoint) -> None:
    url = f"{guarded.url}/scar/a%20b?b=2&a=%C3%A9&a=1"
    assert ask(url, "POST", b"x", **dict(signed(url).headers.items())).status == 200
    identity = guarded.events()[-1]["requestContext"]["authorizer"]["iam"]
    assert (identity["accessKey"], identity["accountId"]) == ("test", "000000000000")
    request = AWSRequest("GET", f"{guarded.url}/scar/launch?x=1")
    SigV4QueryAuth(Credentials("test", "test"), "execute-api", "us-east-1", expires=60).add_auth(request)
    assert ask(str(request.url)).status == 200


@pytest.mark.parametrize(
    "wrong",
    [{"secret": "guessed"}, {"key": "AKIAIOSFODNN7EXAMPLE"}, {"region": "eu-west-1"}, {"service": "lambda"}],
)
def test_any_other_signature_is_refused(guarded: Endpoint, wrong: dict[str, str]) -> None:
    url = f"{guarded.url}/scar/launch"
    assert told(ask(url, "POST", b"x", **dict(signed(url, **wrong).headers.items()))) == FORBIDDEN


def test_a_signature_that_is_none_is_refused(guarded: Endpoint) -> None:
    request = AWSRequest("GET", f"{guarded.url}/scar/launch")
    SigV4QueryAuth(Credentials("test", "test"), "execute-api", "us-east-1", expires=60).add_auth(request)
    start, _, _ = str(request.url).rpartition("X-Amz-Signature=")
    assert told(ask(f"{start}X-Amz-Signature=%C3%A9")) == FORBIDDEN


def test_a_request_that_was_changed_or_kept_after_it_was_signed_is_refused(guarded: Endpoint) -> None:
    url = f"{guarded.url}/scar/launch"
    headers = dict(signed(url).headers.items())
    before = len(guarded.events())
    assert told(ask(url, "POST", b"other", **headers)) == FORBIDDEN
    assert told(ask(f"{url}?a=1", "POST", b"x", **headers)) == FORBIDDEN
    assert told(ask(f"{url}/b", "POST", b"x", **headers)) == FORBIDDEN
    assert told(ask(url, "POST", b"x", **{**headers, "X-B": "another"})) == FORBIDDEN
    old = {**headers, "X-Amz-Date": "20200101T000000Z"}
    assert told(ask(url, "POST", b"x", **old)) == FORBIDDEN
    assert told(ask(url)) == FORBIDDEN
    assert len(guarded.events()) == before


@pytest.fixture(scope="module")
def key() -> Key:
    return make_key()


@pytest.fixture(scope="module")
def issuer(key: Key) -> Iterator[str]:
    with issuer_of(key) as address:
        yield address


@pytest.fixture(scope="module")
def bearer(cloud: FakeCloud, issuer: str) -> Endpoint:
    return with_tokens(cloud, "bearer", issuer)


def with_tokens(cloud: FakeCloud, name: str, issuer: str, *scopes: str) -> Endpoint:
    """Return an endpoint that takes tokens of an issuer."""
    endpoint = make_endpoint(cloud, name, variables=ANSWER)
    client = cloud.client("apigatewayv2")
    authorizer = client.create_authorizer(
        ApiId=endpoint.api,
        Name="tokens",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer, "Audience": ["photos"]},
    )["AuthorizerId"]
    (route,) = client.get_routes(ApiId=endpoint.api)["Items"]
    client.update_route(
        ApiId=endpoint.api,
        RouteId=route["RouteId"],
        AuthorizationType="JWT",
        AuthorizerId=authorizer,
        AuthorizationScopes=list(scopes),
    )
    return endpoint


def test_a_token_of_the_issuer_passes_with_its_claims(bearer: Endpoint, key: Key, issuer: str) -> None:
    token = key.token(claims(issuer, scope="read run", groups=["a", "b"], n=1))
    assert bearer.call(authorization=f"Bearer {token}").status == 200
    seen = bearer.events()[-1]["requestContext"]["authorizer"]["jwt"]
    assert seen["claims"]["sub"] == "ana"
    assert (seen["claims"]["groups"], seen["claims"]["n"]) == ("[a b]", "1")
    assert bearer.call(authorization=token).status == 200


def test_any_other_token_is_refused(bearer: Endpoint, key: Key, issuer: str) -> None:
    now = int(time.time())
    good = claims(issuer)
    head, body, signature = key.token(good).split(".")
    wrong = [
        "",
        "Bearer",
        "Bearer not.a.token",
        f"Bearer {head}.{body}",
        f"Bearer {head}.{body}.{signature[:-4]}AAAA",
        f"Bearer {make_key().token(good)}",
        f"Bearer {key.token(good, kid='another')}",
        f"Bearer {key.token(good, alg='none')}",
        f"Bearer {key.token(good, alg='HS256')}",
        f"Bearer {key.token({**good, 'iss': 'https://other.example.org'})}",
        f"Bearer {key.token({**good, 'aud': 'others'})}",
        f"Bearer {key.token({**good, 'aud': {'photos': True}})}",
        f"Bearer {key.token({**good, 'aud': [['photos']]})}",
        f"Bearer {key.token({**good, 'aud': 7})}",
        f"Bearer {key.token(good, alg=['RS256'])}",
        f"Bearer {base64.b64encode(b'[' * 20000).decode()}.{body}.{signature}",
        f"Bearer {key.token({**good, 'exp': now - 1})}",
        f"Bearer {key.token({**good, 'nbf': now + 60})}",
        f"Bearer {key.token({name: value for name, value in good.items() if name != 'exp'})}",
    ]
    for authorization in wrong:
        reply = bearer.call(**({"authorization": authorization} if authorization else {}))
        assert told(reply) == UNAUTHORIZED, authorization
        assert reply.headers["www-authenticate"].startswith("Bearer")


def test_a_route_with_scopes_takes_only_tokens_that_have_one(cloud: FakeCloud, key: Key, issuer: str) -> None:
    endpoint = with_tokens(cloud, "scopes", issuer, "run", "admin")
    for scope in ("read", [["run"]], {"run": True}):
        assert told(endpoint.call(authorization=key.token(claims(issuer, scope=scope)))) == FORBIDDEN
    assert endpoint.call(authorization=key.token(claims(issuer, scope="read run"))).status == 200
    assert endpoint.events()[-1]["requestContext"]["authorizer"]["jwt"]["scopes"] == ["run"]


def test_keys_of_an_issuer_elsewhere_come_from_a_file_and_from_nowhere_else(cloud: FakeCloud, key: Key) -> None:
    elsewhere = "https://issuer.example.org"
    endpoint = with_tokens(cloud, "elsewhere", elsewhere)
    token = key.token(claims(elsewhere))
    assert told(endpoint.call(authorization=token)) == UNAUTHORIZED
    (cloud.state / "token-keys.json").write_text(json.dumps({elsewhere: {"keys": [key.jwk()]}}))
    assert endpoint.call(authorization=token).status == 200

"""The section `api_gateway` of a function; it has an effect only with a name in it."""

from scar_foundation.limits import HTTP_API_PATH, HTTP_API_STAGE
from scar_pulumi.fdl.kinds import Choice, Flag, Items, Key, Rule, Section, Text, Whole
from scar_pulumi.fdl.model import ApiGateway, Cors, Domain, Throttling, Tokens
from scar_pulumi.fdl.tables.names import PROFILE, REGION

_API = "https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis.html"
_GUIDE = "https://docs.aws.amazon.com/apigateway/latest/developerguide"
_SET = "scar-pulumi sets up the API itself"
_WORDS = Items(of=Text(), single=True)

_JWT = Section(
    makes=Tokens,
    keys={
        "issuer": Key(
            doc="Issuer of the tokens, such as https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc.",
            kind=Text(what="an issuer", rules=(Rule(r"https?://\S+", "is not a URL", "write it like https://…"),)),
            required=True,
        ),
        "audience": Key(
            doc="Accepted audiences of tokens.",
            kind=Items(of=Text(what="an audience", loose=True), least=1, single=True),
            required=True,
        ),
        "scopes": Key(
            doc="Scopes, of which a token needs one.",
            kind=Items(of=Text(what="a scope"), single=True),
            default_doc="no scope is needed",
        ),
    },
    only_if_given=True,
)

_CORS = Section(
    makes=Cors,
    keys={
        "allow_origins": Key(
            doc="Origins such as https://example.org, or '*'.",
            kind=Items(of=Text(what="an origin"), least=1, single=True),
            required=True,
        ),
        "allow_methods": Key(doc="Methods that their pages may use.", kind=_WORDS, default_doc="all"),
        "allow_headers": Key(doc="Headers that their pages may send.", kind=_WORDS, default_doc="all"),
        "expose_headers": Key(
            doc="Headers of responses that their pages may read.", kind=_WORDS, default_doc="those with the request id"
        ),
        "allow_credentials": Key(doc="Whether browsers send cookies and credentials along.", kind=Flag()),
        "max_age": Key(
            doc="Seconds for which browsers remember these rules.",
            kind=Whole(minimum=0, maximum=86400, unit="s", whose="an API's"),
        ),
    },
    shorthand="allow_origins",
    only_if_given=True,
)

_CALLS = Whole(minimum=1, maximum=100_000, whose="a route's")
_THROTTLING = Section(
    makes=Throttling,
    keys={
        "rate_limit": Key(doc="Calls per second.", kind=_CALLS, default_doc="the account's limit"),
        "burst_limit": Key(doc="Calls at once.", kind=_CALLS, default_doc="the account's limit"),
    },
    at_least_one=("rate_limit", "burst_limit"),
    only_if_given=True,
)

_DOMAIN_NAME = Text(
    what="a domain",
    longest=253,
    rules=(
        Rule(
            r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}",
            "is not a domain name",
            "write it like functions.example.org",
        ),
    ),
)
_CERTIFICATE = Text(
    what="a certificate's ARN",
    rules=(Rule(r"arn:aws[a-z-]*:acm:.+", "is not the ARN of a certificate", "write it like arn:aws:acm:…"),),
)
_DOMAIN = Section(
    makes=Domain,
    keys={
        "domain_name": Key(
            doc="The domain, such as functions.example.org.", kind=_DOMAIN_NAME, field="name", required=True
        ),
        "certificate_arn": Key(
            doc="ARN of its certificate in AWS Certificate Manager, in the function's region.",
            kind=_CERTIFICATE,
            required=True,
        ),
    },
    together=("domain_name", "certificate_arn"),
    only_if_given=True,
)

_METHOD = Section(
    inline=True,
    keys={
        "authorizationType": Key(
            doc="Who may call: NONE (everybody), AWS_IAM (signed requests), JWT or COGNITO_USER_POOLS (tokens).",
            kind=Choice(values=("NONE", "AWS_IAM", "JWT", "CUSTOM", "COGNITO_USER_POOLS")),
            default="NONE",
            field="authorization_type",
        ),
        "requestParameters": Key(doc="Parameters of SCAR's method.", note=_SET),
    },
    open_for="API Gateway",
)

_PATH = Text(
    what="a path",
    rules=(
        Rule(
            r"\{[a-zA-Z0-9._$:-]+\+?\}|[a-zA-Z0-9._$:/-]+",
            "is not a path that API Gateway accepts",
            "use letters, digits and - . _",
        ),
    ),
)
_STAGE = Text(
    what="a stage name",
    longest=128,
    rules=(Rule(r"[a-zA-Z0-9_-]+", "is not a name that API Gateway accepts", "use letters, digits, '-' and '_'"),),
)

API_GATEWAY = Section(
    makes=ApiGateway,
    keys={
        "name": Key(
            doc="Name of the API, which turns the HTTP endpoint on; functions with the same name here share one API.",
            kind=Text(what="an API name", longest=128, optional=True),
            link=_API,
        ),
        "http_method": Key(
            doc="HTTP method that is answered.",
            kind=Choice(values=("ANY", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"), fold=True),
            default="ANY",
        ),
        "method": Key(doc="Who may call.", kind=_METHOD),
        "path_part": Key(
            doc=f"Path below the stage; {HTTP_API_PATH} is every path, with the address …/launch.",
            kind=_PATH,
            default=HTTP_API_PATH,
        ),
        "stage_name": Key(doc="Name of the stage, which is part of the URL.", kind=_STAGE, default=HTTP_API_STAGE),
        "ui": Key(
            doc="Whether a browser gets a page to try the function at the endpoint's address with a slash at its end.",
            kind=Flag(),
            default=False,
        ),
        "jwt": Key(
            doc="Accepted access tokens.", kind=_JWT, field="tokens", link=f"{_GUIDE}/http-api-jwt-authorizer.html"
        ),
        "cors": Key(doc="Calls from web pages of other origins.", kind=_CORS, link=f"{_GUIDE}/http-api-cors.html"),
        "throttling": Key(
            doc="Limits on calls; calls above them get 429.",
            kind=_THROTTLING,
            link=f"{_GUIDE}/http-api-throttling.html",
        ),
        "domain": Key(doc="A custom domain.", kind=_DOMAIN, link=f"{_GUIDE}/http-api-custom-domain-names.html"),
        "region": Key(doc="Region of the API: always the function's.", kind=REGION, unused=True),
        "boto_profile": PROFILE,
        **{
            name: Key(doc="Part of SCAR's API.", note=_SET)
            for name in (
                *("integration", "request_parameters", "service_id", "endpoint"),
                *("source_arn_testing", "source_arn_invocation"),
            )
        },
    },
)

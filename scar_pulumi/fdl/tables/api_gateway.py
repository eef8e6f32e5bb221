"""The section `api_gateway` of a function; it has an effect only with a name in it."""

from scar_foundation.limits import HTTP_API_AUDIENCES, HTTP_API_PATH, HTTP_API_SCOPES, HTTP_API_STAGE
from scar_pulumi.fdl.kinds import Choice, Flag, Items, Key, Rule, Section, Text, Whole
from scar_pulumi.fdl.model import ApiGateway, Cors, Domain, Throttling, Tokens
from scar_pulumi.fdl.tables.names import PROFILE, REGION

_API = "https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis.html"
_GUIDE = "https://docs.aws.amazon.com/apigateway/latest/developerguide"
_SET = "scar-pulumi sets up the API itself"
_WORDS = Items(Text(), single=True)

_JWT = Section(
    makes=Tokens,
    keys={
        "issuer": Key(
            "Issuer of the tokens, such as https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc.",
            Text(what="an issuer", rules=(Rule(r"https?://\S+", "is not a URL", "write it like https://…"),)),
            required=True,
        ),
        "audience": Key(
            "Accepted audiences of tokens.",
            Items(Text(what="an audience", loose=True), least=1, most=HTTP_API_AUDIENCES, single=True),
            required=True,
        ),
        "scopes": Key(
            "Scopes, of which a token needs one.",
            Items(Text(what="a scope"), most=HTTP_API_SCOPES, single=True),
            default_doc="no scope is needed",
        ),
    },
    only_if_given=True,
)

_CORS = Section(
    makes=Cors,
    keys={
        "allow_origins": Key(
            "Origins such as https://example.org, or '*'.",
            Items(Text(what="an origin"), least=1, single=True),
            required=True,
        ),
        "allow_methods": Key("Methods that their pages may use.", _WORDS, default_doc="all"),
        "allow_headers": Key("Headers that their pages may send.", _WORDS, default_doc="all"),
        "expose_headers": Key(
            "Headers of responses that their pages may read.", _WORDS, default_doc="those with the request id"
        ),
        "allow_credentials": Key("Whether browsers send cookies and credentials along.", Flag()),
        "max_age": Key(
            "Seconds for which browsers remember these rules.",
            Whole(minimum=0, maximum=86400, unit="s", whose="an API's"),
        ),
    },
    shorthand="allow_origins",
    only_if_given=True,
)

_CALLS = Whole(minimum=1, maximum=100_000, whose="a route's")
_THROTTLING = Section(
    makes=Throttling,
    keys={
        "rate_limit": Key("Calls per second.", _CALLS, default_doc="the account's limit"),
        "burst_limit": Key("Calls at once.", _CALLS, default_doc="the account's limit"),
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
        "domain_name": Key("The domain, such as functions.example.org.", _DOMAIN_NAME, field="name", required=True),
        "certificate_arn": Key(
            "ARN of its certificate in AWS Certificate Manager, in the function's region.", _CERTIFICATE, required=True
        ),
    },
    together=("domain_name", "certificate_arn"),
    only_if_given=True,
)

_METHOD = Section(
    inline=True,
    keys={
        "authorizationType": Key(
            "Who may call: NONE (everybody), AWS_IAM (signed requests), JWT or COGNITO_USER_POOLS (tokens).",
            Choice(("NONE", "AWS_IAM", "JWT", "CUSTOM", "COGNITO_USER_POOLS")),
            default="NONE",
            field="authorization_type",
        ),
        "requestParameters": Key("Parameters of SCAR's method.", note=_SET),
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
            "Name of the API, which turns the HTTP endpoint on; functions with the same name here share one API.",
            Text(what="an API name", longest=128, optional=True),
            link=_API,
        ),
        "http_method": Key(
            "HTTP method that is answered.",
            Choice(("ANY", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"), fold=True),
            default="ANY",
        ),
        "method": Key("Who may call.", _METHOD),
        "path_part": Key(
            f"Path below the stage; {HTTP_API_PATH} is every path, with the address …/launch.",
            _PATH,
            default=HTTP_API_PATH,
        ),
        "stage_name": Key("Name of the stage, which is part of the URL.", _STAGE, default=HTTP_API_STAGE),
        "ui": Key(
            "Whether a browser gets a page to try the function at the endpoint's address with a slash at its end.",
            Flag(),
            default=False,
        ),
        "jwt": Key("Accepted access tokens.", _JWT, field="tokens", link=f"{_GUIDE}/http-api-jwt-authorizer.html"),
        "cors": Key("Calls from web pages of other origins.", _CORS, link=f"{_GUIDE}/http-api-cors.html"),
        "throttling": Key(
            "Limits on calls; calls above them get 429.", _THROTTLING, link=f"{_GUIDE}/http-api-throttling.html"
        ),
        "domain": Key("A custom domain.", _DOMAIN, link=f"{_GUIDE}/http-api-custom-domain-names.html"),
        "region": Key("Region of the API: always the function's.", REGION, unused=True),
        "boto_profile": PROFILE,
        **{
            name: Key("Part of SCAR's API.", note=_SET)
            for name in (
                *("integration", "request_parameters", "service_id", "endpoint"),
                *("source_arn_testing", "source_arn_invocation"),
            )
        },
    },
)

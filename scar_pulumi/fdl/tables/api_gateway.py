"""The section `api_gateway` of a function; it has an effect only with a name in it."""

from scar_pulumi.fdl.kinds import Choice, Flag, Items, Key, Rule, Section, Text, Whole
from scar_pulumi.fdl.tables.names import CREDENTIALS_NOTE, REGION

_API = "https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis.html"
_SET = "the API's own parts are set by scar-pulumi"

_GUIDE = "https://docs.aws.amazon.com/apigateway/latest/developerguide"
_TOKENS = f"{_GUIDE}/http-api-jwt-authorizer.html"
_ORIGINS = f"{_GUIDE}/http-api-cors.html"
_LIMITS = f"{_GUIDE}/http-api-throttling.html"
_DOMAINS = f"{_GUIDE}/http-api-custom-domain-names.html"

_JWT = Section(
    keys={
        "issuer": Key(
            doc="Issuer of the tokens, such as https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc.",
            kind=Text(what="an issuer", rules=(Rule(r"https?://\S+", "is not a URL", "write it like https://…"),)),
            required=True,
        ),
        "audience": Key(
            doc="Whom tokens have to be for.",
            kind=Items(of=Text(what="an audience", loose=True), least=1, single=True),
            required=True,
        ),
        "scopes": Key(doc="Scopes of which a token needs one.", kind=Items(of=Text(what="a scope"), single=True)),
    },
    only_if_given=True,
)

_WORDS = Items(of=Text(), single=True)
_CORS = Section(
    keys={
        "allow_origins": Key(
            doc="Origins such as https://example.org, or '*'.",
            kind=Items(of=Text(what="an origin"), least=1, single=True),
            required=True,
        ),
        "allow_methods": Key(doc="Methods that they may use. Default: all.", kind=_WORDS),
        "allow_headers": Key(doc="Headers that they may send. Default: all.", kind=_WORDS),
        "expose_headers": Key(doc="Headers of answers that they may read.", kind=_WORDS),
        "allow_credentials": Key(doc="Whether cookies and credentials are sent along.", kind=Flag()),
        "max_age": Key(
            doc="Seconds that a browser remembers this.",
            kind=Whole(minimum=0, maximum=86400, unit="s", whose="an API's"),
        ),
    },
    shorthand="allow_origins",
    only_if_given=True,
)

_THROTTLING = Section(
    keys={
        "rate_limit": Key(doc="Calls per second.", kind=Whole(minimum=1, maximum=100_000, whose="a route's")),
        "burst_limit": Key(doc="Calls at once.", kind=Whole(minimum=1, maximum=100_000, whose="a route's")),
    },
    at_least_one=("rate_limit", "burst_limit"),
    only_if_given=True,
)

_DOMAIN = Section(
    keys={
        "domain_name": Key(
            doc="The domain, such as functions.example.org.",
            kind=Text(
                what="a domain",
                longest=253,
                rules=(
                    Rule(
                        r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}",
                        "is not a domain's name",
                        "write it like functions.example.org",
                    ),
                ),
            ),
            required=True,
        ),
        "certificate_arn": Key(
            doc="ARN of its certificate in AWS Certificate Manager, in the function's region.",
            kind=Text(
                what="a certificate's ARN",
                rules=(Rule(r"arn:aws[a-z-]*:acm:.+", "is not a certificate's ARN", "write it like arn:aws:acm:…"),),
            ),
            required=True,
        ),
    },
    together=("domain_name", "certificate_arn"),
    only_if_given=True,
)

API_GATEWAY = Section(
    keys={
        "name": Key(
            doc="Name of the API; giving one switches the HTTP endpoint on. Functions that name the same share it.",
            kind=Text(what="an API's name", longest=128, optional=True),
            link=_API,
        ),
        "http_method": Key(
            doc="HTTP method that is answered.",
            kind=Choice(values=("ANY", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"), fold=True),
            default="ANY",
        ),
        "method": Key(
            doc="Who may call: authorizationType NONE, AWS_IAM (signed requests) or JWT (tokens).",
            kind=Section(
                keys={
                    "authorizationType": Key(
                        doc="NONE lets everybody call.",
                        kind=Choice(values=("NONE", "AWS_IAM", "JWT", "CUSTOM", "COGNITO_USER_POOLS")),
                        default="NONE",
                    ),
                    "requestParameters": Key(doc="Parameters of SCAR's method.", note=_SET),
                },
                open_for="API Gateway",
            ),
        ),
        "path_part": Key(
            doc="Path below the stage; {proxy+} is every path, and then the function is known as launch.",
            kind=Text(
                what="a path",
                rules=(
                    Rule(
                        r"\{[a-zA-Z0-9._$:-]+\+?\}|[a-zA-Z0-9._$:/-]+",
                        "is not a path part that API Gateway accepts",
                        "use letters, digits and - . _",
                    ),
                ),
            ),
            default="{proxy+}",
        ),
        "stage_name": Key(
            doc="Name of the stage, which is part of the URL.",
            kind=Text(
                what="a stage's name",
                longest=128,
                rules=(
                    Rule(
                        r"[a-zA-Z0-9_-]+", "is not a name that API Gateway accepts", "use letters, digits, '-' and '_'"
                    ),
                ),
            ),
            default="scar",
        ),
        "ui": Key(
            doc="Whether the address with a slash at its end shows a page to try the function in a browser.",
            kind=Flag(),
            default=False,
        ),
        "jwt": Key(doc="Whose tokens are accepted.", kind=_JWT, link=_TOKENS),
        "cors": Key(doc="Calls from web pages of other origins.", kind=_CORS, link=_ORIGINS),
        "throttling": Key(doc="How many calls are taken; more are answered with 429.", kind=_THROTTLING, link=_LIMITS),
        "domain": Key(doc="A domain of your own.", kind=_DOMAIN, link=_DOMAINS),
        "region": Key(doc="Region of the API: always that of the function.", kind=REGION),
        "boto_profile": Key(doc="Profile of SCAR's AWS client.", note=CREDENTIALS_NOTE, quiet=("default",)),
        **{
            name: Key(doc="A part of SCAR's API.", note=_SET)
            for name in (
                *("integration", "request_parameters", "service_id", "endpoint"),
                *("source_arn_testing", "source_arn_invocation"),
            )
        },
    },
)

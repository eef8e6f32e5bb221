"""The section `api_gateway` of a function; it has an effect only with a name in it."""

from scar_pulumi.fdl._kinds import Choice, Flag, Key, Rule, Section, Text
from scar_pulumi.fdl._schema.names import CREDENTIALS_NOTE, REGION

_API = "https://docs.aws.amazon.com/apigateway/latest/api/API_CreateRestApi.html"
_SET = "the API's own parts are set by scar-pulumi"

API_GATEWAY = Section(
    keys={
        "name": Key(
            doc="Name of the API; giving one switches the HTTP endpoint on.",
            kind=Text(what="an API's name", longest=1024, optional=True),
            link=_API,
        ),
        "http_method": Key(
            doc="HTTP method that is answered.",
            kind=Choice(values=("ANY", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"), fold=True),
            default="ANY",
        ),
        "method": Key(
            doc="Who may call.",
            kind=Section(
                keys={
                    "authorizationType": Key(
                        doc="NONE lets everybody call.",
                        kind=Choice(values=("NONE", "AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS")),
                        default="NONE",
                    ),
                    "requestParameters": Key(doc="Parameters of SCAR's method.", note=_SET),
                },
                open_for="API Gateway",
            ),
        ),
        "path_part": Key(
            doc="Path below the stage.",
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

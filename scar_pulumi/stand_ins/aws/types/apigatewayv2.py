"""API Gateway: HTTP APIs and their parts."""

from functools import partial
from typing import Any

from scar_foundation.limits import HTTP_API_TIMEOUT, Range
from scar_pulumi.stand_ins.aws.forms import ARN_OR_NOTHING
from scar_pulumi.stand_ins.aws.model import (
    AutoName,
    Call,
    ResourceType,
    Setting,
    Tags,
    boolean,
    integer,
    mapping,
    nested,
    number,
    output,
    string,
    strings,
)

_REFERENCE = "https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/"
_API = string(required=True, replace=True)
_words = partial(strings, unordered=True)
_METHODS = ("ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_KEY_SOURCES = ("$context.authorizer.usageIdentifierKey", "$request.header.x-api-key")
_ADDRESSES = ("ipv4", "dualstack")
_ROUTING = ("API_MAPPING_ONLY", "ROUTING_RULE_ONLY", "ROUTING_RULE_THEN_API_MAPPING")
_NAME, _DESCRIPTION = Range(1, 128), Range(0, 1024)


def _tags(arn: str) -> Tags:
    return Tags({"ResourceArn": arn}, "get_tags", "tag_resource", "untag_resource")


def _resource(kind: str, noun: str, page: str, **described: Any) -> ResourceType:
    """Describe a type whose operations are all named after its noun."""
    return ResourceType(
        f"aws:apigatewayv2/{kind[0].lower()}{kind[1:]}:{kind}",
        service="apigatewayv2",
        documentation=f"{_REFERENCE}{page}",
        create=Call(f"create_{noun}"),
        read=Call(f"get_{noun}"),
        updates=(f"update_{noun}",),
        delete=Call(f"delete_{noun}"),
        **described,
    )


API = _resource(
    "Api",
    "api",
    "apis.html",
    identity="{apiId}",
    unique="{name}",
    name=AutoName("name", 128),
    properties={
        "name": string(computed=True, length=_NAME),
        "protocolType": string(required=True, replace=True, one_of=("HTTP",)),
        "description": string(length=_DESCRIPTION),
        "version": string(length=Range(1, 64)),
        "corsConfiguration": nested(
            {
                "allowCredentials": boolean(),
                "allowHeaders": _words(),
                "allowMethods": _words(),
                "allowOrigins": _words(),
                "exposeHeaders": _words(),
                "maxAge": integer(between=Range(-1, 86400)),
            }
        ),
        "disableExecuteApiEndpoint": boolean(default=False),
        "ipAddressType": string(computed=True, one_of=_ADDRESSES),
        "apiKeySelectionExpression": string(default=_KEY_SOURCES[1], one_of=_KEY_SOURCES),
        "routeSelectionExpression": string(default="$request.method $request.path"),
        "apiId": output(),
        "apiEndpoint": output(),
        "arn": output(template="arn:{partition}:apigateway:{region}::/apis/{apiId}"),
        "executionArn": output(template="arn:{partition}:execute-api:{region}:{account}:{apiId}"),
    },
    settings=(Setting("corsConfiguration", "update_api", "delete_cors_configuration"),),
    tags=_tags("{arn}"),
)

INTEGRATION = _resource(
    "Integration",
    "integration",
    "apis-apiid-integrations.html",
    identity="{integrationId}",
    lookup="{apiId}/{integrationId}",
    unique="{apiId}/{integrationUri}",
    properties={
        "apiId": _API,
        "integrationType": string(required=True, replace=True, one_of=("AWS_PROXY", "HTTP_PROXY")),
        "integrationUri": string(required=True),
        "integrationMethod": string(computed=True, one_of=_METHODS),
        "connectionType": string(default="INTERNET", one_of=("INTERNET", "VPC_LINK")),
        "credentialsArn": string(form=ARN_OR_NOTHING),
        "description": string(),
        "payloadFormatVersion": string(default="1.0", one_of=("1.0", "2.0")),
        "requestParameters": mapping(),
        "timeoutMilliseconds": integer("TimeoutInMillis", computed=True, between=Range(50, HTTP_API_TIMEOUT * 1000)),
        "integrationId": output(),
    },
)

ROUTE = _resource(
    "Route",
    "route",
    "apis-apiid-routes.html",
    identity="{routeId}",
    lookup="{apiId}/{routeId}",
    unique="{apiId}/{routeKey}",
    properties={
        "apiId": _API,
        "routeKey": string(required=True),
        "target": string(length=_NAME),
        "apiKeyRequired": boolean(default=False),
        "authorizationType": string(default="NONE", one_of=("NONE", "AWS_IAM", "CUSTOM", "JWT")),
        "authorizerId": string(),
        "authorizationScopes": _words(),
        "operationName": string(length=Range(1, 64)),
        "routeId": output(),
    },
)

_LIMITS = {
    "throttlingBurstLimit": integer(),
    "throttlingRateLimit": number(),
    "detailedMetricsEnabled": boolean(default=False),
}

STAGE = _resource(
    "Stage",
    "stage",
    "apis-apiid-stages.html",
    identity="{name}",
    lookup="{apiId}/{name}",
    name=AutoName("name", 128),
    properties={
        "apiId": _API,
        "name": string("StageName", computed=True, replace=True, length=_NAME),
        "autoDeploy": boolean(default=False),
        "description": string(length=_DESCRIPTION),
        "deploymentId": string(computed=True),
        "accessLogSettings": nested(
            {"destinationArn": string(required=True, form=ARN_OR_NOTHING), "format": string(required=True)}
        ),
        "defaultRouteSettings": nested(_LIMITS, computed=True),
        "stageVariables": mapping(),
        "arn": output(template="arn:{partition}:apigateway:{region}::/apis/{apiId}/stages/{name}"),
        "executionArn": output(template="arn:{partition}:execute-api:{region}:{account}:{apiId}/{name}"),
        "invokeUrl": output(template="https://{apiId}.execute-api.{region}.amazonaws.com/{name}"),
    },
    tags=_tags("{arn}"),
    amend_request=lambda operation, request, values: (
        {**request, "AccessLogSettings": {}}
        if operation == "update_stage" and not values.get("accessLogSettings")
        else request
    ),
)

AUTHORIZER = _resource(
    "Authorizer",
    "authorizer",
    "apis-apiid-authorizers.html",
    identity="{authorizerId}",
    lookup="{apiId}/{authorizerId}",
    unique="{apiId}/{name}",
    name=AutoName("name", 128),
    properties={
        "apiId": _API,
        "name": string(computed=True, length=_NAME),
        "authorizerType": string(required=True, one_of=("JWT",)),
        "identitySources": _words("IdentitySource"),
        "jwtConfiguration": nested({"audiences": _words("Audience"), "issuer": string()}),
        "authorizerId": output(),
    },
)

DOMAIN_NAME = _resource(
    "DomainName",
    "domain_name",
    "domainnames.html",
    identity="{domainName}",
    properties={
        "domainName": string(required=True, replace=True, length=Range(1, 512)),
        "domainNameConfiguration": nested(
            {
                "certificateArn": string(required=True, form=ARN_OR_NOTHING),
                "endpointType": string(required=True, one_of=("REGIONAL",), any_case=True),
                "securityPolicy": string(required=True, one_of=("TLS_1_2",), any_case=True),
                "ipAddressType": string(computed=True, one_of=_ADDRESSES),
                "targetDomainName": output("ApiGatewayDomainName"),
                "hostedZoneId": output(),
            },
            "DomainNameConfigurations.0",
            required=True,
        ),
        "routingMode": string(computed=True, one_of=_ROUTING, any_case=True),
        "arn": output(template="arn:{partition}:apigateway:{region}::/domainnames/{domainName}"),
    },
    tags=_tags("{arn}"),
)

API_MAPPING = _resource(
    "ApiMapping",
    "api_mapping",
    "domainnames-domainname-apimappings.html",
    identity="{apiMappingId}",
    lookup="{apiMappingId}/{domainName}",
    unique="{domainName}/{apiId}/{stage}",
    properties={
        "apiId": _API,
        "domainName": string(required=True, replace=True),
        "stage": string(required=True),
        "apiMappingKey": string(),
        "apiMappingId": output(),
    },
)

"""API Gateway: HTTP APIs and their parts."""

from functools import partial

from scar_pulumi.local.aws_provider._model import (
    AutoName,
    Call,
    ResourceType,
    Setting,
    Tags,
    boolean,
    integer,
    mapping,
    nested,
    output,
    string,
    strings,
)

_REFERENCE = "https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/"
_API = string(required=True, replace=True)
_words = partial(strings, unordered=True)


def _tags(arn: str) -> Tags:
    return Tags({"ResourceArn": arn}, "get_tags", "tag_resource", "untag_resource")


API = ResourceType(
    "aws:apigatewayv2/api:Api",
    service="apigatewayv2",
    documentation=f"{_REFERENCE}apis.html",
    identity="{apiId}",
    unique="{name}",
    name=AutoName("name", 128),
    properties={
        "name": string(computed=True),
        "protocolType": string(required=True, replace=True, one_of=("HTTP",)),
        "description": string(),
        "version": string(),
        "corsConfiguration": nested(
            {
                "allowCredentials": boolean(),
                "allowHeaders": _words(),
                "allowMethods": _words(),
                "allowOrigins": _words(),
                "exposeHeaders": _words(),
                "maxAge": integer(between=(-1, 86400)),
            }
        ),
        "disableExecuteApiEndpoint": boolean(default=False),
        "ipAddressType": string(computed=True, one_of=("ipv4", "dualstack")),
        "apiKeySelectionExpression": string(default="$request.header.x-api-key"),
        "routeSelectionExpression": string(default="$request.method $request.path"),
        "apiId": output(),
        "apiEndpoint": output(),
        "arn": output(template="arn:{partition}:apigateway:{region}::/apis/{apiId}"),
        "executionArn": output(template="arn:{partition}:execute-api:{region}:{account}:{apiId}"),
    },
    create=Call("create_api"),
    read=Call("get_api"),
    updates=("update_api",),
    settings=(Setting("corsConfiguration", "update_api", "delete_cors_configuration"),),
    delete=Call("delete_api"),
    tags=_tags("{arn}"),
)

INTEGRATION = ResourceType(
    "aws:apigatewayv2/integration:Integration",
    service="apigatewayv2",
    documentation=f"{_REFERENCE}apis-apiid-integrations.html",
    identity="{integrationId}",
    lookup="{apiId}/{integrationId}",
    unique="{apiId}/{integrationUri}",
    properties={
        "apiId": _API,
        "integrationType": string(required=True, replace=True, one_of=("AWS_PROXY", "HTTP_PROXY")),
        "integrationUri": string(required=True),
        "integrationMethod": string(computed=True),
        "connectionType": string(default="INTERNET", one_of=("INTERNET", "VPC_LINK")),
        "credentialsArn": string(),
        "description": string(),
        "payloadFormatVersion": string(default="1.0", one_of=("1.0", "2.0")),
        "requestParameters": mapping(),
        "timeoutMilliseconds": integer("TimeoutInMillis", computed=True, between=(50, 30000)),
        "integrationId": output(),
    },
    create=Call("create_integration"),
    read=Call("get_integration"),
    updates=("update_integration",),
    delete=Call("delete_integration"),
)

ROUTE = ResourceType(
    "aws:apigatewayv2/route:Route",
    service="apigatewayv2",
    documentation=f"{_REFERENCE}apis-apiid-routes.html",
    identity="{routeId}",
    lookup="{apiId}/{routeId}",
    unique="{apiId}/{routeKey}",
    properties={
        "apiId": _API,
        "routeKey": string(required=True),
        "target": string(),
        "apiKeyRequired": boolean(default=False),
        "authorizationType": string(default="NONE", one_of=("NONE", "AWS_IAM", "CUSTOM", "JWT")),
        "authorizerId": string(),
        "authorizationScopes": _words(),
        "operationName": string(),
        "routeId": output(),
    },
    create=Call("create_route"),
    read=Call("get_route"),
    updates=("update_route",),
    delete=Call("delete_route"),
)

_LIMITS = {
    "throttlingBurstLimit": integer(),
    "throttlingRateLimit": integer(),
    "detailedMetricsEnabled": boolean(),
}

STAGE = ResourceType(
    "aws:apigatewayv2/stage:Stage",
    service="apigatewayv2",
    documentation=f"{_REFERENCE}apis-apiid-stages.html",
    identity="{name}",
    lookup="{apiId}/{name}",
    name=AutoName("name", 128),
    properties={
        "apiId": _API,
        "name": string("StageName", computed=True, replace=True),
        "autoDeploy": boolean(default=False),
        "description": string(),
        "deploymentId": string(computed=True),
        "accessLogSettings": nested({"destinationArn": string(required=True), "format": string(required=True)}),
        "defaultRouteSettings": nested(_LIMITS, computed=True),
        "stageVariables": mapping(),
        "arn": output(template="arn:{partition}:apigateway:{region}::/apis/{apiId}/stages/{name}"),
        "executionArn": output(template="arn:{partition}:execute-api:{region}:{account}:{apiId}/{name}"),
        "invokeUrl": output(template="https://{apiId}.execute-api.{region}.amazonaws.com/{name}"),
    },
    create=Call("create_stage"),
    read=Call("get_stage"),
    updates=("update_stage",),
    delete=Call("delete_stage"),
    tags=_tags("{arn}"),
    amend=lambda operation, request, values: (
        {**request, "AccessLogSettings": {}}
        if operation == "update_stage" and not values.get("accessLogSettings")
        else request
    ),
)

AUTHORIZER = ResourceType(
    "aws:apigatewayv2/authorizer:Authorizer",
    service="apigatewayv2",
    documentation=f"{_REFERENCE}apis-apiid-authorizers.html",
    identity="{authorizerId}",
    lookup="{apiId}/{authorizerId}",
    unique="{apiId}/{name}",
    name=AutoName("name", 128),
    properties={
        "apiId": _API,
        "name": string(computed=True),
        "authorizerType": string(required=True, replace=True, one_of=("JWT",)),
        "identitySources": _words("IdentitySource"),
        "jwtConfiguration": nested({"audiences": _words("Audience"), "issuer": string()}),
        "authorizerId": output(),
    },
    create=Call("create_authorizer"),
    read=Call("get_authorizer"),
    updates=("update_authorizer",),
    delete=Call("delete_authorizer"),
)

DOMAIN_NAME = ResourceType(
    "aws:apigatewayv2/domainName:DomainName",
    service="apigatewayv2",
    documentation=f"{_REFERENCE}domainnames.html",
    identity="{domainName}",
    properties={
        "domainName": string(required=True, replace=True),
        "domainNameConfiguration": nested(
            {
                "certificateArn": string(required=True),
                "endpointType": string(required=True, one_of=("REGIONAL",)),
                "securityPolicy": string(required=True, one_of=("TLS_1_2",)),
                "ipAddressType": string(computed=True),
                "targetDomainName": output("ApiGatewayDomainName"),
                "hostedZoneId": output(),
            },
            "DomainNameConfigurations.0",
            required=True,
        ),
        "routingMode": string(computed=True),
        "arn": output(template="arn:{partition}:apigateway:{region}::/domainnames/{domainName}"),
    },
    create=Call("create_domain_name"),
    read=Call("get_domain_name"),
    updates=("update_domain_name",),
    delete=Call("delete_domain_name"),
    tags=_tags("{arn}"),
)

API_MAPPING = ResourceType(
    "aws:apigatewayv2/apiMapping:ApiMapping",
    service="apigatewayv2",
    documentation=f"{_REFERENCE}domainnames-domainname-apimappings.html",
    identity="{apiMappingId}",
    lookup="{apiMappingId}/{domainName}",
    unique="{domainName}/{apiId}/{stage}",
    properties={
        "apiId": string(required=True),
        "domainName": string(required=True, replace=True),
        "stage": string(required=True),
        "apiMappingKey": string(),
        "apiMappingId": output(),
    },
    create=Call("create_api_mapping"),
    read=Call("get_api_mapping"),
    updates=("update_api_mapping",),
    delete=Call("delete_api_mapping"),
)

TYPES = (API, INTEGRATION, ROUTE, STAGE, AUTHORIZER, DOMAIN_NAME, API_MAPPING)

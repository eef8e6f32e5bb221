"""Limits of AWS that decide what the supervisor does; bytes and seconds.

The supervisor imports no other package, so these repeat `scar_foundation.limits`; a test compares the two.
"""

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LAMBDA_PAYLOAD_BYTES = 6 * 1024 * 1024
"""Input or result of a synchronous invocation."""
LAMBDA_ASYNC_PAYLOAD_BYTES = 1024 * 1024
"""Input of an asynchronous invocation."""
LAMBDA_LONGEST_TIMEOUT = 900
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
HTTP_API_TIMEOUT = 30
"""How long an HTTP API waits for its integration; nobody can raise that."""
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
REST_API_TIMEOUT = 29
"""How long a REST API waits for its integration, unless the account has a higher quota."""
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
BATCH_OVERRIDES_CHARACTERS = 8192
"""All overrides of a job together, as JSON and with Batch's own. ECS fails the job after Batch has accepted it."""

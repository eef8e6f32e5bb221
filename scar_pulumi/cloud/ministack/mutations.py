"""Which requests change the cloud's configuration, and so must outlive a kill: data first, one rule behind it.

Configuration is journaled; data and actions are not. Repeating `SendMessage` or `StartExecution` after a kill would do
things twice, and objects are on disk already.
"""

import re
from collections.abc import Iterable
from urllib.parse import parse_qs

from scar_pulumi.cloud.asgi import Request, find_header

READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# First words of the actions (JSON and query protocols) that set something up. Whatever is not here is not repeated.
_VERBS = frozenset(
    {
        *("Add", "Allocate", "Associate", "Attach", "Authorize", "Change", "Create", "Delete", "Deregister", "Detach"),
        *("Disable", "Disassociate", "Enable", "Import", "Modify", "Put", "Register", "Release", "Remove", "Replace"),
        *("Reset", "Revoke", "Set", "Subscribe", "Tag", "Transact", "Unsubscribe", "Untag", "Update"),
    }
)
_ACTIONS = frozenset({"BatchDeleteImage", "BatchWriteItem"})
_NOT_ACTIONS = frozenset(
    {
        *("DeleteMessage", "DeleteMessageBatch", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch"),
        *("PutEvents", "PutPartnerEvents", "PutMetricData", "PutRecord", "PutRecordBatch", "PutRecords"),
    }
)
_FIRST_WORD = re.compile(r"[A-Z][a-z]+")

# REST services: what runs something instead of setting it up.
_NOT_PATHS = re.compile(
    r"/(?:invocations|invoke-async|response-streaming-invocations|outbound-emails|outbound-bulk-emails)/?$"
    r"|^/v1/(?:submitjob|canceljob|terminatejob)$"
    r"|^/(?:model|async-invoke|_aws|_ministack|_scar|restapis/[^/]+/[^/]+/_user_request_)(?:/|$)"
)
_NOT_SERVICES = frozenset({"", "execute-api", "sts", "bedrock-runtime", "iotdata", "rds-data"})
_QUERY_FORM = "application/x-www-form-urlencoded"


def action_of(request: Request) -> str:
    """The action that a JSON or query protocol request names, else the empty string."""
    if target := request.header("x-amz-target"):
        return target.rpartition(".")[2]
    if request.header("content-type").startswith(_QUERY_FORM):
        return parse_qs(request.body.decode("latin-1")).get("Action", [""])[0]
    return parse_qs(request.query).get("Action", [""])[0]


def is_data_plane(service: str, method: str, path: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request can be passed through unread: a read, unsigned, or about an object's bytes."""
    if service in _NOT_SERVICES or (method in READ_METHODS and not find_header(headers, "x-amz-target")):
        return True
    if service not in ("s3", "s3express"):
        return False
    return method == "POST" or not is_bucket_path(path)


def is_bucket_path(path: str) -> bool:
    """Whether an S3 path names a bucket and no object."""
    bucket, _, key = path.strip("/").partition("/")
    return bool(bucket) and not key


def is_journaled(service: str, request: Request) -> bool:
    """Whether a request that succeeded must be repeated after a kill."""
    if service in ("s3", "s3express"):
        return request.method in ("PUT", "DELETE") and is_bucket_path(request.path)
    if action := action_of(request):
        word = _FIRST_WORD.match(action)
        allowed = action in _ACTIONS or (word is not None and word[0] in _VERBS)
        return allowed and action not in _NOT_ACTIONS
    return request.method not in READ_METHODS and not _NOT_PATHS.search(request.path)

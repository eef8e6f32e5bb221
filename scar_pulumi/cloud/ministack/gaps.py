"""What AWS answers and MiniStack does not, of services that this cloud otherwise leaves to it."""

import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree

from scar_pulumi.cloud.asgi import ASGIApp, Request, Response
from scar_pulumi.cloud.ministack.upstream import Upstream, action_of
from scar_pulumi.cloud.service import Service, ServiceRequest

_CONTROL = "/v20180820/"
_ACCOUNT = re.compile(rb"[0-9]{12}\.(?P<host>.+)")
_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


class S3Control(Service):
    """S3 Control under an account's host name, which MiniStack would take for a bucket's.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_AWS_S3_Control.html
    """

    name = "s3-control"

    def __init__(self, upstream: ASGIApp) -> None:
        self._upstream = upstream

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether the path is S3 Control's."""
        return request.path.startswith(_CONTROL) and request.service == "s3"

    async def __call__(self, request: ServiceRequest) -> ASGIApp:
        """Let MiniStack answer, under the host name without the account."""
        request.scope["headers"] = [
            (name, _without_account(value) if name == b"host" else value) for name, value in request.scope["headers"]
        ]
        return self._upstream


def _without_account(host: bytes) -> bytes:
    found = _ACCOUNT.fullmatch(host)
    return found["host"] if found else host


class Ec2(Service):
    """EC2 as MiniStack has it, and the attributes of the account.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAccountAttributes.html
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a request is signed for EC2."""
        return request.service == "ec2"

    async def __call__(self, incoming: ServiceRequest) -> Response:
        """Answer one request."""
        request = await incoming.read()
        if action_of(request) != "DescribeAccountAttributes":
            return await self._upstream.request(request)
        wanted = {value for name, value in parse_qsl(request.body.decode()) if name.startswith("AttributeName.")}
        attributes = {**_ATTRIBUTES, "default-vpc": await self._default_vpc(request)}
        return _described({name: value for name, value in attributes.items() if name in (wanted or attributes)})

    async def _default_vpc(self, request: Request) -> str:
        query = {"Action": "DescribeVpcs", "Filter.1.Name": "is-default", "Filter.1.Value.1": "true"}
        body = urlencode(query).encode()
        kept = [(name, value) for name, value in request.headers if name != b"content-length"]
        asked = replace(request, headers=(*kept, (b"content-length", b"%d" % len(body))), body=body)
        answer = await self._upstream.request(asked, lasting=False)
        return next(_texts(answer.body, "vpcId"), "none")


# The quotas of a new account: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
_ATTRIBUTES = {
    "supported-platforms": "VPC",
    "max-instances": "20",
    "max-elastic-ips": "5",
    "vpc-max-elastic-ips": "5",
    "vpc-max-security-groups-per-interface": "5",
}


def _texts(document: bytes, name: str) -> Iterator[str]:
    for element in ElementTree.fromstring(document).iter(f"{{{_NAMESPACE}}}{name}"):  # noqa: S314 - MiniStack's
        yield element.text or ""


def _described(attributes: dict[str, str]) -> Response:
    root = ElementTree.Element("DescribeAccountAttributesResponse", xmlns=_NAMESPACE)
    ElementTree.SubElement(root, "requestId").text = str(uuid.uuid4())
    listed = ElementTree.SubElement(root, "accountAttributeSet")
    for name, value in attributes.items():
        item = ElementTree.SubElement(listed, "item")
        ElementTree.SubElement(item, "attributeName").text = name
        values = ElementTree.SubElement(ElementTree.SubElement(item, "attributeValueSet"), "item")
        ElementTree.SubElement(values, "attributeValue").text = value
    return Response(ElementTree.tostring(root), media_type="text/xml")

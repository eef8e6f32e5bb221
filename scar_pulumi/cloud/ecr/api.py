"""ECR's API: MiniStack answers; here images go with their repositories, and clients are sent to the registry."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from scar_pulumi.cloud.asgi import Response
from scar_pulumi.cloud.ecr.image_store import ImageStore, MissingBlobError, Repository
from scar_pulumi.cloud.ecr.registry import token
from scar_pulumi.cloud.ministack.upstream import Upstream, action_of, json_request
from scar_pulumi.cloud.service import Service, ServiceRequest
from scar_pulumi.cloud.signature import Caller

_TARGET = "AmazonEC2ContainerRegistry_V20150921"


class EcrApi(Service):
    """Keeps MiniStack's ECR and the image store in agreement."""

    name = "ecr"

    def __init__(self, upstream: Upstream, images: ImageStore, endpoint: str) -> None:
        self._upstream = upstream
        self._images = images
        self._endpoint = endpoint
        self._actions: dict[str, Callable[[Caller, dict[str, Any], dict[str, Any]], Awaitable[None]]] = {
            "BatchDeleteImage": self._after_delete_images,
            "CreateRepository": self._after_create,
            "DeleteRepository": self._after_delete,
            "DescribeImages": self._add_sizes,
            "GetAuthorizationToken": self._point_here,
            "PutImage": self._after_put,
        }

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a request names an action of ECR."""
        return request.header("x-amz-target").startswith(_TARGET)

    async def __call__(self, incoming: ServiceRequest) -> Response:
        """Answer one request."""
        request = await incoming.read()
        response = await self._upstream.request(request)
        action = self._actions.get(action_of(request))
        if action is None or not response.succeeded:
            return response
        document = json.loads(response.body)
        await action(incoming.caller or Caller(), json.loads(request.body or b"{}"), document)
        return response.with_body(json.dumps(document).encode())

    async def exists(self, repository: Repository) -> bool:
        """Return whether ECR knows a repository."""
        answer = await self._ask(repository, "DescribeRepositories", {"repositoryNames": [repository.name]})
        return answer.succeeded

    async def announce(
        self, repository: Repository, digest: str, data: bytes, media_type: str, tag: str | None
    ) -> Response:
        """Tell ECR of a pushed manifest, or, without data, of a deleted one."""
        if not data:
            document: dict[str, Any] = {"repositoryName": repository.name, "imageIds": [{"imageDigest": digest}]}
            answer = await self._ask(repository, "BatchDeleteImage", document)
            await self._reconcile(repository)
            return answer
        document = {
            "repositoryName": repository.name,
            "imageManifest": data.decode(),
            "imageManifestMediaType": media_type,
            "imageDigest": digest,
        }
        held = self._images.resolve(repository, tag) if tag else None
        if held == digest:
            return Response()
        return await self._ask(repository, "PutImage", document | ({"imageTag": tag} if tag else {}))

    async def _ask(self, repository: Repository, action: str, document: dict[str, Any]) -> Response:
        return await self._upstream.request(
            json_request("ecr", f"{_TARGET}.{action}", document, account=repository.account, region=repository.region)
        )

    async def _reconcile(self, repository: Repository) -> None:
        answer = await self._ask(repository, "DescribeImages", {"repositoryName": repository.name})
        if not answer.succeeded:
            return
        images = json.loads(answer.body)["imageDetails"]
        tags = {tag for image in images for tag in image.get("imageTags", ())}
        self._images.keep(repository, {image["imageDigest"] for image in images}, tags)

    async def _after_delete_images(self, caller: Caller, asked: dict[str, Any], _answer: dict[str, Any]) -> None:
        await self._reconcile(_repository(caller, asked))

    async def _after_create(self, caller: Caller, asked: dict[str, Any], _answer: dict[str, Any]) -> None:
        self._images.create(_repository(caller, asked))

    async def _after_delete(self, caller: Caller, asked: dict[str, Any], _answer: dict[str, Any]) -> None:
        self._images.drop(_repository(caller, asked))

    async def _after_put(self, caller: Caller, asked: dict[str, Any], answer: dict[str, Any]) -> None:
        image = answer["image"]
        data = asked["imageManifest"].encode()
        try:
            self._images.put_manifest(
                _repository(caller, asked), data, image["imageManifestMediaType"], asked.get("imageTag")
            )
        except (MissingBlobError, ValueError):
            return  # described but never pushed: it is listed, and cannot run

    async def _add_sizes(self, _caller: Caller, _asked: dict[str, Any], answer: dict[str, Any]) -> None:
        for image in answer["imageDetails"]:
            if image["imageDigest"] in self._images.blobs:
                image["imageSizeInBytes"] = self._images.size(image["imageDigest"])

    async def _point_here(self, caller: Caller, _asked: dict[str, Any], answer: dict[str, Any]) -> None:
        for data in answer["authorizationData"]:
            data["proxyEndpoint"] = self._endpoint
            data["authorizationToken"] = token(caller.account, caller.region)


def _repository(caller: Caller, document: dict[str, Any]) -> Repository:
    return Repository(document.get("registryId") or caller.account, caller.region, document["repositoryName"])

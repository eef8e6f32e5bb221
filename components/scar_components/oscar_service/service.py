"""A service on an OSCAR cluster, and the provider that creates, reads, updates and deletes it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, Optional, TypedDict

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi.runtime.rpc import UNKNOWN

from scar_components.arguments import check_arguments
from scar_components.naming import stack_identity
from scar_components.oscar_api import OscarApi, OscarError, OscarUnreachable
from scar_components.oscar_service.connection import CONNECTION, Connections, is_on_another_cluster, open_api
from scar_components.oscar_service.definition import (
    ServiceStorage,
    buckets,
    check_version,
    completed,
    is_exposed,
    marked,
    mistakes,
    observed,
    places,
    updates_lose_script,
    whole,
)
from scar_components.oscar_service.lifecycle import (
    Creation,
    blank_secrets,
    put,
    remove,
    sent_form,
    shared_buckets,
    tags_kept,
)
from scar_components.oscar_service.notifications import Notifications, NoWebhook, watched_paths
from scar_components.own_resource import OwnResource
from scar_components.resource_provider import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult
from scar_components.supervised_image import planned_digest
from scar_foundation.loopback import is_loopback_url
from scar_foundation.plugin.provider import tell

_LEAVING_SECONDS = 10
_HOW_TO_LEAVE = (
    "if it is gone for good, `scar-pulumi destroy --leave-unreachable` (SCAR_LEAVE_UNREACHABLE=true for pulumi itself) "
    "forgets the service and leaves it there"
)
_NOT_HERE = (
    "a cluster elsewhere cannot read files of this machine, clusters of the local cloud alone can; push the image to a "
    "registry that the cluster reads, and name it with image"
)
_INPUTS = (*CONNECTION, "cluster", "definition", "owner", "adopt", "delete_buckets")
_COMPARED = tuple(key for key in _INPUTS if key not in ("adopt", "cluster"))
_OUTPUTS = ("token", "version", "synchronous", "run_url", "job_url", "exposed_url", "shared", "watched", "reported")


class OscarServiceArgs(TypedDict):
    """Arguments of an OscarService."""

    endpoint: Input[str]
    """URL of the cluster, such as `https://oscar.example.org`, as reached from where Pulumi runs."""
    username: NotRequired[Input[str]]
    """User of the cluster. Default: `oscar`."""
    password: Input[str]
    """Password of that user. It is kept as a secret, whether or not it is given as one."""
    verify_certificate: NotRequired[Input[bool]]
    """Whether to verify the cluster's certificate. Default: true."""
    cluster: NotRequired[Input[str]]
    """Id of the cluster in the stack's configuration `scar:clusters`. What that says of it (`endpoint`, `auth_user`,
    `auth_password`, `ssl_verify`) is used by `refresh` and `destroy` before what the last `up` has used. Default:
    none."""
    timeout: NotRequired[Input[int]]
    """Seconds to wait for a cluster that does not answer, or is restarting its MinIO. Default: 60."""
    service_name: NotRequired[str]
    """Name of the service: 1 to 39 lower-case letters, digits and `-`. Default: the component's name."""
    image: NotRequired[Input[str]]
    """Container image of the service, such as `ghcr.io/owner/name:1.0`. Either `image` or `image_file` is required."""
    image_file: NotRequired[str]
    """Path of an image on this machine: an archive (`docker save`), an OCI directory, or a directory with a Dockerfile.
    Clusters of the local cloud alone run it."""
    script: NotRequired[str]
    """Path of the script that runs for each event. Required by OSCAR, unless `definition` has it as text."""
    inputs: NotRequired[Sequence[ServiceStorage]]
    """Places whose new files start the service: folders in the cluster's MinIO (`minio.default`), WebDAV or Rucio.
    Default: none."""
    outputs: NotRequired[Sequence[ServiceStorage]]
    """Places where output files go. Default: none."""
    definition: NotRequired[Mapping[str, Any]]
    """Everything else, in OSCAR's own terms, with these defaults of OSCAR: `memory` (`256Mi`), `cpu` (`0.2`),
    `environment` (`variables`, `secrets`), `synchronous` (`min_scale` 0, `max_scale` 0), `expose` (`api_port`,
    `min_scale` 1, `max_scale` 10, `cpu_threshold` 80), `enable_gpu`, `storage_providers` and so on:
    https://docs.oscar.grycap.net/fdl/. Environment secrets, storage providers, clusters and headers are kept as
    secrets, whether or not they are given as ones."""
    adopt: NotRequired[bool]
    """Whether to take over an existing service of that name, which is an error otherwise. The buckets of an adopted
    service stay when it is deleted. Default: false."""
    delete_buckets: NotRequired[bool]
    """Whether to delete the service's buckets, with all files in them, when the service is deleted. Default: the
    stack's `scar:deleteBuckets`, else false."""


class OscarServiceError(pulumi.RunError):
    """The arguments of an OscarService have mistakes."""


class OscarService(pulumi.ComponentResource):
    """A service on an OSCAR cluster: created, updated in place, refreshed and deleted over OSCAR's REST interface.

    A new input, name or cluster replaces the service. Deleting it keeps its buckets and their files, unless
    `delete_buckets` is true. Services of one cluster are changed one at a time, because OSCAR restarts its MinIO.
    """

    service_name: Output[str]
    """Name of the service."""
    endpoint: Output[str]
    """URL of the cluster."""
    token: Output[str]
    """Token for calling the service, a secret."""
    run_url: Output[str]
    """URL for synchronous calls: POST, with the token as bearer token."""
    job_url: Output[str]
    """URL for asynchronous calls: POST, with the token as bearer token."""
    exposed_url: Output[str]
    """URL of the service's own HTTP interface; empty if it exposes none."""
    synchronous: Output[bool]
    """Whether `run_url` answers: on clusters with Knative, unless the service is exposed."""
    version: Output[str]
    """Version of the cluster's OSCAR."""
    input_buckets: Output[Sequence[str]]
    """Buckets of the cluster's MinIO whose new files start the service."""

    def __init__(self, name: str, args: OscarServiceArgs, opts: Optional[ResourceOptions] = None) -> None:
        """Declare the service."""
        check_arguments(name, args, OscarServiceArgs)
        super().__init__("scar:index:OscarService", name, None, opts)
        service_name = args.get("service_name") or name
        definition = checked_definition(service_name, args)
        inputs = {
            "endpoint": args["endpoint"],
            "username": args.get("username") or "oscar",
            "password": Output.secret(args["password"]),
            "verify_certificate": args.get("verify_certificate"),
            "cluster": args.get("cluster"),
            "timeout": args.get("timeout"),
            "definition": marked(definition),
            "owner": stack_identity(),
            "adopt": args.get("adopt"),
            "delete_buckets": args.get("delete_buckets"),
        }
        # `depends_on` delays the component and not its children.
        child = ResourceOptions(parent=self, depends_on=opts.depends_on if opts else None)
        entry = RegisteredService(f"{name}-service", inputs, child)
        self.service_name = Output.from_input(service_name)
        self.endpoint = Output.from_input(args["endpoint"])
        self.token, self.run_url, self.job_url = entry.token, entry.run_url, entry.job_url
        self.exposed_url, self.synchronous, self.version = entry.exposed_url, entry.synchronous, entry.version
        self.input_buckets = Output.from_input(buckets(definition, "input"))
        self.register_outputs({key: getattr(self, key) for key in OscarService.__annotations__})


def checked_definition(service_name: str, args: OscarServiceArgs) -> dict[str, Any]:
    """Return the service's definition. Raises OscarServiceError with every mistake in the arguments."""
    given: dict[str, Any] = {**args.get("definition", {}), **_image(service_name, args)}
    if "script" in args:
        given["script"] = _script(service_name, args["script"])
    definition = completed(service_name, args.get("inputs", ()), args.get("outputs", ()), given)
    if found := mistakes(definition):
        raise OscarServiceError("\n".join(f"service {service_name}: {mistake}" for mistake in found))
    return definition


def _image(service_name: str, args: OscarServiceArgs) -> dict[str, Any]:
    """Return the image as the definition has it; of a file its digest, so that a changed file changes the service."""
    if ("image" in args) == ("image_file" in args):
        raise OscarServiceError(f"service {service_name}: give either image or image_file")
    if "image_file" not in args:
        return {"image": args["image"]}
    endpoint = args["endpoint"]
    if isinstance(endpoint, str) and endpoint and not is_loopback_url(endpoint):
        raise OscarServiceError(f"service {service_name}: image_file: {_NOT_HERE}")
    file = Path(args["image_file"])
    digest = planned_digest(service_name, {"image_file": str(file)})
    return {"image": f"{file.name}@{digest}", "image_file": str(file.absolute())}


def _script(service_name: str, path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise OscarServiceError(f"service {service_name}: script {path}: {reason}; check the path") from None


class RegisteredService(OwnResource):
    """The service as its cluster knows it."""

    token: Output[str]
    version: Output[str]
    synchronous: Output[bool]
    run_url: Output[str]
    job_url: Output[str]
    exposed_url: Output[str]

    def __init__(self, name: str, inputs: Mapping[str, Any], opts: Optional[ResourceOptions] = None) -> None:
        """Declare the service; `inputs` are those of its provider."""
        secret = ResourceOptions(additional_secret_outputs=["token", "password"])
        properties = {**dict.fromkeys(_OUTPUTS), **inputs}
        super().__init__("RegisteredService", name, properties, ResourceOptions.merge(opts, secret))


class RegisteredServiceProvider(ResourceProvider):
    """Creates, updates, reads and deletes services over a cluster's REST interface.

    The buckets of services that do not say so themselves are deleted as the stack's `scar:deleteBuckets` says.
    """

    connections = Connections()
    """The clusters as the stack's configuration has them."""

    def configure(self, configuration: Mapping[str, str]) -> None:
        """Take the stack's `scar:deleteBuckets` and `scar:clusters`."""
        super().configure(configuration)
        self.connections = Connections(configuration.get("clusters"))

    def foresee(self, _props: dict[str, Any], _olds: dict[str, Any]) -> dict[str, Any]:
        """Return the addresses of the service, which follow from its cluster's and its name."""
        return _urls(_props["endpoint"].rstrip("/"), whole(_props["definition"]))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Replace the service for another cluster, name, input or HTTP interface; from 4.1 on with one for any change.

        An address is no cluster: where the service of this stack is found at the new one, it is the same cluster.

        OSCAR never updates MinIO's events of the old input. Of a service with an HTTP interface it updates a part.
        """
        new = whole(_news["definition"])
        if _is_known(new):
            check_version(new, _olds["version"])
        replaces = ["endpoint"] if is_on_another_cluster(_olds, _news) else []
        if _is_known(new) and self._is_replaced(_olds, _news):
            if not replaces:
                self._check_replacement(_olds, new)
            replaces.append("definition")
        elif _is_known(new) and not replaces:
            _check_volume(whole(_olds["definition"]), new)
        changes = any(whole(_olds.get(key)) != whole(_news.get(key)) for key in _COMPARED)
        changes = changes or (_is_known(new) and _is_reported_otherwise(_olds, new))
        return DiffResult(changes=bool(replaces) or changes, replaces=replaces, delete_before_replace=True)

    def _is_replaced(self, olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
        old, new = whole(olds["definition"]), whole(news["definition"])
        if old["name"] != new["name"] or _watched(olds) != places_listed(new):
            return True
        if is_exposed(old) != is_exposed(new) or (is_exposed(new) and old["expose"] != new["expose"]):
            return True
        is_changed = old != new or news["owner"] not in (olds["owner"], UNKNOWN)
        return is_changed and is_exposed(new) and updates_lose_script(olds["version"])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create the service, or take over what an interrupted creation has left."""
        api, definition = open_api(props), whole(props["definition"])
        with api.alone():
            information = api.information()
            creation = Creation(api, definition, props["owner"], str(information.get("version", "")))
            shared = creation.run(adopt=bool(props.get("adopt")))
            _tell_of_unread_storage(definition, creation.notifications)
            return CreateResult(definition["name"], _outputs(api, props, information, shared, creation.notifications))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return the service as it is in the cluster; what OSCAR does not return is taken to be as declared."""
        api, asked = open_api(self.connections.now(props)), whole(props["definition"])
        found = api.find(asked["name"])
        if found is None:
            return ReadResult("", props)
        outputs = {
            **props,
            "token": found.get("token"),
            "definition": observed(asked, found, props["version"]),
            "reported": Notifications(api).paths(asked["name"], {*buckets(asked, "input"), *buckets(found, "input")}),
        }
        if outputs["definition"] == asked:
            return ReadResult(id_, {**outputs, "definition": props["definition"]})
        return ReadResult(id_, outputs, {key: outputs[key] for key in _INPUTS if key in outputs})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Apply the new definition, unless only the access to the cluster has changed."""
        api, old, new = open_api(_news), whole(_olds["definition"]), whole(_news["definition"])
        with api.alone():
            information = api.information()
            version = str(information.get("version", ""))
            shared, notifications = list(_olds.get("shared") or ()), Notifications(api)
            if old != new or _olds["owner"] != _news["owner"]:
                shared += [bucket for bucket in shared_buckets(api, new) if bucket not in [*buckets(old), *shared]]
                with tags_kept(api, notifications, shared):
                    _change(api, old, sent_form(new, version, _news["owner"]), version)
            try:
                notifications.assign(new["name"], watched_paths(new), {*buckets(new, "input"), *buckets(old, "input")})
            except NoWebhook:
                remove(api, old, version, wipe=False, shared=())
                shared = Creation(api, new, _news["owner"], version).run(adopt=False)
            return UpdateResult(_outputs(api, _news, information, shared, notifications))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete the service; keep its buckets unless their deletion is wanted and no other service shares them."""
        patience = {"timeout": _LEAVING_SECONDS} if _leaves_unreachable() else {}
        api, shared = open_api({**self.connections.now(_props), **patience}), _props.get("shared") or ()
        try:
            with api.alone():
                remove(api, whole(_props["definition"]), _props["version"], wipe=self._wipes(_props), shared=shared)
        except OscarUnreachable as error:
            if not _leaves_unreachable():
                raise OscarError(f"{error}; {_HOW_TO_LEAVE}") from None
            kept = ", ".join(buckets(_props["definition"])) or "none"
            _tell(_props["definition"], f"stays on {api.endpoint}, which cannot be reached; its buckets: {kept}")

    def _wipes(self, props: Mapping[str, Any]) -> bool:
        chosen = props.get("delete_buckets")
        return self.delete_buckets if chosen is None else bool(chosen)

    def _check_replacement(self, olds: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Raise OscarError, before anything is deleted, if a kept bucket would have to report other folders."""
        old = {**whole(olds["definition"]), "input": _as_input(_watched(olds))}
        if self._wipes(olds):
            return
        kept = sorted(set(buckets(new)) & set(buckets(old)))
        if kept and is_exposed(new) and updates_lose_script(olds["version"]):
            raise OscarError(
                f"service {new['name']}: OSCAR {olds['version']} cannot create a service with an HTTP interface on the "
                f"existing bucket '{kept[0]}', and empties its script when it updates it; choose another bucket, or "
                "set delete_buckets first, which deletes its files"
            )
        can_be_set = olds.get("reported") is not None
        for bucket in () if can_be_set else set(buckets(new, "input")) & set(buckets(old)):
            if old["name"] != new["name"] or _folders(old, bucket) != _folders(new, bucket):
                raise OscarError(
                    f"service {new['name']}: OSCAR {olds['version']} cannot change what the existing bucket '{bucket}' "
                    "reports, and its MinIO cannot be reached from here; choose another bucket, or set delete_buckets "
                    "first, which deletes its files"
                )


def _tell(definition: Mapping[str, Any], text: str) -> None:
    tell(f"service {definition['name']}: {text}")


def _tell_of_unread_storage(definition: Mapping[str, Any], notifications: Notifications) -> None:
    if watched_paths(definition) and not notifications.can_be_read:
        place = notifications.endpoint or "an address that OSCAR does not tell"
        _tell(
            definition,
            f"its cluster's MinIO, at {place}, cannot be reached from here or does not take OSCAR's keys; whether new "
            "files start the service is OSCAR's word alone, and is neither checked nor put right",
        )


def _leaves_unreachable() -> bool:
    return os.environ.get("SCAR_LEAVE_UNREACHABLE", "").lower() == "true"


def _check_volume(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Raise OscarError in the preview for a change that OSCAR refuses."""
    if old.get("volume") != new.get("volume"):
        raise OscarError(
            f"service {new['name']}: OSCAR cannot change the volume of a service; keep it, or give the service another "
            "name, which creates it anew"
        )


def _change(api: OscarApi, old: Mapping[str, Any], sent: Mapping[str, Any], version: str) -> None:
    found = api.find(sent["name"])
    if found is None:
        raise OscarError(f"service {sent['name']}: no longer exists on {api.endpoint}; refresh the stack")
    blank_secrets(api, sent, old, version)
    put(api, sent, found, version)


def _outputs(
    api: OscarApi,
    props: Mapping[str, Any],
    information: Mapping[str, Any],
    shared: list[str],
    notifications: Notifications,
) -> dict[str, Any]:
    """Return the inputs with what OSCAR adds to them."""
    definition = props["definition"]
    name = definition["name"]
    token = (api.find(name) or {}).get("token")
    backend = (information.get("serverless_backend") or {}).get("name") or ""
    return {
        **{key: props[key] for key in _INPUTS if key in props},
        "token": token,
        "version": str(information.get("version", "")),
        "synchronous": backend.lower() == "knative" and not is_exposed(definition),
        **_urls(api.endpoint, definition),
        "shared": shared,
        "watched": places_listed(definition),
        "reported": notifications.paths(name, buckets(definition, "input")),
    }


def _urls(endpoint: str, definition: Mapping[str, Any]) -> dict[str, str]:
    name = definition["name"]
    return {
        "run_url": f"{endpoint}/run/{name}",
        "job_url": f"{endpoint}/job/{name}",
        "exposed_url": f"{endpoint}/system/services/{name}/exposed/" if is_exposed(definition) else "",
    }


def places_listed(definition: Mapping[str, Any]) -> list[list[str]]:
    """Return provider and path of each input, as they are kept in the state."""
    return [list(place) for place in places(definition, "input")]


def _watched(olds: Mapping[str, Any]) -> list[list[str]]:
    """Return the inputs that the service was last given; its definition may show what somebody else made of them."""
    watched: list[list[str]] | None = olds.get("watched")
    return places_listed(whole(olds["definition"])) if watched is None else [list(place) for place in watched]


def _as_input(watched: list[list[str]]) -> list[dict[str, str]]:
    return [{"storage_provider": provider, "path": path} for provider, path in watched]


def _is_reported_otherwise(olds: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether MinIO reports other folders to the service than it should, where that is known."""
    reported = olds.get("reported")
    return reported is not None and list(reported) != watched_paths(new)


def _folders(definition: Mapping[str, Any], bucket: str) -> set[str]:
    return {path for _, path in places(definition, "input") if path.partition("/")[0] == bucket}


def _is_known(definition: object) -> bool:
    return isinstance(definition, Mapping)

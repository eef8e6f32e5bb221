"""A service on an OSCAR cluster, and the provider that creates, reads, updates and deletes it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, Optional, TypedDict

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import (
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)
from pulumi.runtime.rpc import UNKNOWN

from scar_components.dynamic import deletes_buckets
from scar_components.lambda_container_function_arguments import FunctionStorage
from scar_components.naming import stack_identity
from scar_components.oscar_api import OscarAccess, OscarApi, OscarError
from scar_components.oscar_service.definition import (
    buckets,
    completed,
    is_exposed,
    marked,
    mistakes,
    observed,
    owns_buckets,
    places,
    whole,
)
from scar_components.oscar_service.lifecycle import (
    Creation,
    blank_secrets,
    change,
    remove,
    sent_form,
    shared_buckets,
)


class OscarServiceArgs(TypedDict):
    """Arguments of an OscarService."""

    endpoint: Input[str]
    """URL of the cluster's interface, such as `https://oscar.example.org`, as it is reached from where Pulumi runs."""
    username: NotRequired[Input[str]]
    """User of the interface. Default: `oscar`."""
    password: Input[str]
    """Password of that user. It is kept as a secret, whether or not it is given as one."""
    verify_certificate: NotRequired[Input[bool]]
    """Whether the certificate of the interface is verified. Default: yes."""
    timeout: NotRequired[Input[int]]
    """Seconds to wait for a cluster that does not answer, or is restarting its MinIO. Default: 60."""
    service_name: NotRequired[str]
    """Name of the service, at most 39 lower-case letters, digits and `-`. Default: the component's name."""
    image: Input[str]
    """Container image of the service."""
    script: NotRequired[str]
    """Path of the script that runs for each event."""
    inputs: NotRequired[Sequence[FunctionStorage]]
    """Places whose new files start the service: folders of the cluster's MinIO, `minio.default`, WebDAV or Rucio."""
    outputs: NotRequired[Sequence[FunctionStorage]]
    """Places where result files go."""
    definition: NotRequired[Mapping[str, Any]]
    """Everything else, in OSCAR's own words: `memory` (`256Mi`), `cpu` (`0.2`), `environment` (`variables`, `secrets`),
    `synchronous` (`min_scale` 0, `max_scale` 0), `expose` (`api_port`, `min_scale` 1, `max_scale` 10, `cpu_threshold`
    80), `enable_gpu`, `storage_providers` and so on: https://docs.oscar.grycap.net/fdl/. Environment secrets, storage
    providers, clusters and headers are secrets, whether or not they are given as ones."""
    adopt: NotRequired[bool]
    """Take over a service of that name that others have made. Its buckets stay when this one is deleted. Default: no,
    which makes it an error."""
    delete_buckets: NotRequired[bool]
    """Delete the service's buckets with it, and all files in them. Default: the stack's `scar:deleteBuckets`, else
    no."""


class OscarServiceError(pulumi.RunError):
    """Mistakes in the arguments of an OscarService."""


class RegisteredService(Resource, module="scar", name="RegisteredService"):
    """The entry of a service in its cluster."""

    token: Output[str]
    version: Output[str]
    synchronous: Output[bool]
    run_url: Output[str]
    job_url: Output[str]
    exposed_url: Output[str]

    def __init__(self, name: str, inputs: Mapping[str, Any], opts: Optional[ResourceOptions] = None) -> None:
        """Declare the entry; `inputs` are those of its provider."""
        secret = ResourceOptions(additional_secret_outputs=["token", "told_token", "password"])
        properties = {**dict.fromkeys(OUTPUTS), **inputs}
        super().__init__(RegisteredServiceProvider(), name, properties, ResourceOptions.merge(opts, secret))


class OscarService(pulumi.ComponentResource):
    """A service on an OSCAR cluster: created, updated in place, read back and deleted over the cluster's interface.

    Another input, name or cluster replaces the service. Deleting it leaves its buckets and their files, unless
    `delete_buckets` says otherwise. Services of one cluster are changed one after another, as OSCAR restarts its MinIO.
    """

    service_name: Output[str]
    """Name of the service."""
    endpoint: Output[str]
    """URL of the cluster's interface."""
    token: Output[str]
    """Token for calling the service, a secret. OSCAR may give it another one with each update."""
    run_url: Output[str]
    """Where the service is called synchronously: POST, with the token as bearer."""
    job_url: Output[str]
    """Where an event is left to be worked on: POST, with the token as bearer."""
    exposed_url: Output[str]
    """URL of the service's own HTTP interface; empty where it exposes none."""
    synchronous: Output[bool]
    """Whether `run_url` answers: on clusters with Knative, for services that are not exposed."""
    version: Output[str]
    """Version of the cluster's OSCAR."""
    input_buckets: Output[Sequence[str]]
    """Buckets of the cluster's MinIO whose new files start the service."""

    def __init__(self, name: str, args: OscarServiceArgs, opts: Optional[ResourceOptions] = None) -> None:
        """Declare the service."""
        super().__init__("scar:index:OscarService", name, None, opts)
        service_name = args.get("service_name") or name
        definition = checked_definition(service_name, args)
        inputs = {
            "endpoint": args["endpoint"],
            "username": args.get("username") or "oscar",
            "password": Output.secret(args["password"]),
            "verify_certificate": args.get("verify_certificate"),
            "timeout": args.get("timeout"),
            "definition": marked(definition),
            "owner": stack_identity(),
            "adopt": args.get("adopt"),
            "delete_buckets": args.get("delete_buckets"),
        }
        # The engine makes a component wait for what it depends on, and not the children of it.
        waiting = ResourceOptions(parent=self, depends_on=opts.depends_on if opts else None)
        entry = RegisteredService(f"{name}-service", inputs, waiting)
        self.service_name = Output.from_input(service_name)
        self.endpoint = Output.from_input(args["endpoint"])
        self.token, self.run_url, self.job_url = entry.token, entry.run_url, entry.job_url
        self.exposed_url, self.synchronous, self.version = entry.exposed_url, entry.synchronous, entry.version
        self.input_buckets = Output.from_input(buckets(definition, "input"))
        self.register_outputs({key: getattr(self, key) for key in OscarService.__annotations__})


def checked_definition(service_name: str, args: OscarServiceArgs) -> dict[str, Any]:
    """Return a service as OSCAR takes it. Raises OscarServiceError with every mistake in the arguments."""
    given: dict[str, Any] = {**args.get("definition", {}), "image": args["image"]}
    if "script" in args:
        given["script"] = _script(service_name, args["script"])
    definition = completed(service_name, args.get("inputs", ()), args.get("outputs", ()), given)
    if found := mistakes(definition):
        raise OscarServiceError("\n".join(f"service {service_name}: {mistake}" for mistake in found))
    return definition


def _script(service_name: str, path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise OscarServiceError(f"service {service_name}: script {path}: {reason}; check the path") from None


CONNECTION = ("endpoint", "username", "password", "verify_certificate", "timeout")
INPUTS = (*CONNECTION, "definition", "owner", "adopt", "delete_buckets")
_COMPARED = tuple(key for key in INPUTS if key != "adopt")
OUTPUTS = ("token", "told_token", "version", "synchronous", "run_url", "job_url", "exposed_url", "shared")


class RegisteredServiceProvider(ResourceProvider):
    """Creates, updates, reads and deletes services over a cluster's REST interface."""

    # There is nothing in it, secret or not; a secret would hide every diff of the resource.
    serialize_as_secret_always = False

    delete_buckets: bool
    """What services do that do not say whether their buckets are deleted with them."""

    def configure(self, req: ConfigureRequest) -> None:
        """Take over the stack's `scar:deleteBuckets`."""
        self.delete_buckets = deletes_buckets(req)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Another cluster, name or input is another service: OSCAR keeps what it has told MinIO about the old input."""
        old, new = whole(_olds["definition"]), whole(_news["definition"])
        moved = _news["endpoint"] not in (_olds["endpoint"], UNKNOWN)
        replaces = ["endpoint"] if moved else []
        if _is_known(new) and (old["name"] != new["name"] or places(old, "input") != places(new, "input")):
            if not replaces:
                self._check_replacement(_olds, old, new)
            replaces.append("definition")
        changes = (
            bool(replaces)
            or _is_refused(_olds)
            or any(whole(_olds.get(key)) != whole(_news.get(key)) for key in _COMPARED)
        )
        return DiffResult(changes=changes, replaces=replaces, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make the service, or take over what an interrupted creation has made."""
        api, definition = _api(props), whole(props["definition"])
        with api.alone():
            information = api.information()
            creation = Creation(api, definition, props["owner"], str(information.get("version", "")))
            shared = creation.run(adopt=bool(props.get("adopt")))
            return CreateResult(definition["name"], _outputs(api, props, information, shared))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return the service as it stands in the cluster; what OSCAR does not tell is taken to be what was asked."""
        api, asked = _api(props), whole(props["definition"])
        found = api.find(asked["name"])
        if found is None:
            return ReadResult("", props)
        outputs = {**props, "token": found.get("token"), "definition": observed(asked, found, props["version"])}
        if outputs["definition"] == asked:
            return ReadResult(id_, {**outputs, "definition": props["definition"]})
        return ReadResult(id_, outputs, {key: outputs[key] for key in INPUTS if key in outputs})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Give the service its new definition, unless only the way to it has changed."""
        api, old, new = _api(_news), whole(_olds["definition"]), whole(_news["definition"])
        with api.alone():
            information = api.information()
            version = str(information.get("version", ""))
            shared = list(_olds.get("shared") or ())
            if old != new or _olds["owner"] != _news["owner"] or _is_refused(_olds):
                shared += [bucket for bucket in shared_buckets(api, new) if bucket not in [*buckets(old), *shared]]
                _change(api, old, sent_form(new, version, _news["owner"]), version)
            return UpdateResult(_outputs(api, _news, information, shared))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete the service; its buckets stay, unless the stack asks for their deletion and nobody shares them."""
        api, shared = _api(_props), _props.get("shared") or ()
        with api.alone():
            remove(api, whole(_props["definition"]), _props["version"], wipe=self._wipes(_props), shared=shared)

    def _wipes(self, props: Mapping[str, Any]) -> bool:
        chosen = props.get("delete_buckets")
        return self.delete_buckets if chosen is None else bool(chosen)

    def _check_replacement(self, olds: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """A bucket that stays cannot be watched otherwise: better known before the service is deleted than after."""
        if self._wipes(olds) or not owns_buckets(olds["version"]):
            return
        for bucket in set(buckets(new, "input")) & set(buckets(old)):
            if old["name"] != new["name"] or _folders(old, bucket) != _folders(new, bucket):
                raise OscarError(
                    f"service {new['name']}: OSCAR {olds['version']} cannot watch the bucket '{bucket}' otherwise than "
                    "it does, and its files are kept; choose another bucket, or set delete_buckets first"
                )


def _change(api: OscarApi, old: Mapping[str, Any], sent: Mapping[str, Any], version: str) -> None:
    found = api.find(sent["name"])
    if found is None:
        raise OscarError(f"service {sent['name']}: is gone from {api.endpoint}; refresh the stack")
    blank_secrets(api, sent, old, version)
    change(api, sent, found, version)


def _outputs(
    api: OscarApi, props: Mapping[str, Any], information: Mapping[str, Any], shared: list[str]
) -> dict[str, Any]:
    """What is kept of a service beside what was asked for; OSCAR may give it another token with each update."""
    definition, endpoint = props["definition"], api.endpoint
    name, exposed = definition["name"], is_exposed(definition)
    token = (api.find(name) or {}).get("token")
    backend = (information.get("serverless_backend") or {}).get("name") or ""
    return {
        **{key: props[key] for key in INPUTS if key in props},
        "token": token,
        "told_token": token,
        "version": str(information.get("version", "")),
        "synchronous": backend.lower() == "knative" and not exposed,
        "run_url": f"{endpoint}/run/{name}",
        "job_url": f"{endpoint}/job/{name}",
        "exposed_url": f"{endpoint}/system/services/{name}/exposed/" if exposed else "",
        "shared": shared,
    }


def _is_refused(olds: Mapping[str, Any]) -> bool:
    """Whether the service refuses what MinIO sends: an update by somebody else has given it another token."""
    told = olds.get("told_token")
    return told is not None and told != olds.get("token") and bool(buckets(olds["definition"], "input"))


def _folders(definition: Mapping[str, Any], bucket: str) -> set[str]:
    return {path for _, path in places(definition, "input") if path.partition("/")[0] == bucket}


def _is_known(definition: object) -> bool:
    return isinstance(definition, Mapping)


def _api(props: Mapping[str, Any]) -> OscarApi:
    cluster = OscarAccess(
        props["endpoint"], props["username"], props["password"], bool(props.get("verify_certificate", True))
    )
    return OscarApi(cluster, float(props.get("timeout") or 60))

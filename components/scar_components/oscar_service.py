"""A service on an OSCAR cluster, whoever has made the cluster."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, Optional, TypedDict

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import Resource

from scar_components._naming import stack_identity
from scar_components._oscar_service._definition import buckets, completed
from scar_components._oscar_service._mistakes import mistakes
from scar_components._oscar_service._provider import OUTPUTS, RegisteredServiceProvider
from scar_components._oscar_service._secrets import marked
from scar_components.function_arguments import FunctionStorage


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

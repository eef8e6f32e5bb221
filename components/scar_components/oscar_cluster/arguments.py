"""What an OSCAR cluster is declared with."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

from pulumi import Input


class ResourcesArgs(TypedDict):
    """What a container asks of its node, in Kubernetes' quantities."""

    cpu: NotRequired[Input[str]]
    """CPU that is reserved, such as `500m`."""
    memory: NotRequired[Input[str]]
    """Memory that is reserved, such as `512Mi`."""
    memory_limit: NotRequired[Input[str]]
    """Memory above which the container is ended. Default: none."""


class MinioArgs(TypedDict):
    """The MinIO server that is deployed beside OSCAR."""

    image: NotRequired[Input[str]]
    """Image of the server. Default: the last release that MinIO has published as an image."""
    storage_size: NotRequired[Input[str]]
    """Size of its volume. Default: `10Gi`."""
    storage_class: NotRequired[Input[str]]
    """Storage class of its volume, which one node mounts. Default: the cluster's default class."""
    root_user: NotRequired[Input[str]]
    """User name and access key, at least 3 characters. Default: `minio`."""
    root_password: NotRequired[Input[str]]
    """Password and secret key, at least 8 characters. Default: generated."""
    region: NotRequired[Input[str]]
    """Region that it says it is in. Default: `us-east-1`."""
    service_type: NotRequired[str]
    """`ClusterIP`, `NodePort` or `LoadBalancer`: from where it is reached. Default: `ClusterIP`."""
    node_port: NotRequired[int]
    """Port on the nodes, 30000 to 32767, with `NodePort`. Default: any free one."""
    console: NotRequired[bool]
    """Whether its web console is served, on port 9001. Default: no."""
    resources: NotRequired[ResourcesArgs]
    """Default: 250m of CPU, 512Mi of memory."""
    delete_data: NotRequired[bool]
    """Whether destroying the cluster deletes the files in MinIO, too.

    Default: no: `destroy` then leaves the volume, says so, and the next `up` takes it up again.
    """


class ExternalMinioArgs(TypedDict):
    """A MinIO server that exists."""

    endpoint: Input[str]
    """URL under which the cluster's pods and OSCAR's users reach it, such as `https://minio.example.org`."""
    access_key: Input[str]
    """Access key of an administrator: OSCAR sets up notifications through the admin interface."""
    secret_key: Input[str]
    """Secret key of that administrator."""
    region: NotRequired[Input[str]]
    """Region of the server. Default: `us-east-1`."""
    tls_verify: NotRequired[bool]
    """Whether its certificate is verified. Default: yes."""


class ServicesVolumeArgs(TypedDict):
    """The volume with OSCAR's own programs, which every pod of every service mounts.

    Pods run on any node, so the volume must be one that many nodes mount at once (ReadWriteMany). One of
    `storage_class` and `existing_claim` is needed.
    """

    storage_class: NotRequired[Input[str]]
    """Storage class with ReadWriteMany, such as one of NFS, CephFS, EFS, Filestore or Azure Files."""
    size: NotRequired[Input[str]]
    """Size of the volume. Default: `2Gi`."""
    existing_claim: NotRequired[bool]
    """Use the claim `oscar-pvc` that exists in the namespace of the services, and leave it be. Default: no."""


class ServerServiceArgs(TypedDict):
    """How OSCAR's own interface is published."""

    type: NotRequired[str]
    """`ClusterIP`, `NodePort` or `LoadBalancer`. Default: `ClusterIP`."""
    node_port: NotRequired[int]
    """Port on the nodes, 30000 to 32767, with `NodePort`. Default: 30301."""
    annotations: NotRequired[Mapping[str, Input[str]]]
    """Annotations, such as those that choose a load balancer."""


class IngressArgs(TypedDict):
    """An Ingress for OSCAR and for the services that it exposes."""

    host: str
    """Host name, such as `oscar.example.org`."""
    class_name: NotRequired[Input[str]]
    """Ingress class. Default: `nginx`, for which OSCAR writes the ingresses of exposed services."""
    tls_secret: NotRequired[Input[str]]
    """Secret with the certificate. Default with `issuer`: `oscar-tls`; else none, and plain HTTP."""
    issuer: NotRequired[Input[str]]
    """ClusterIssuer of cert-manager that issues the certificate."""
    annotations: NotRequired[Mapping[str, Input[str]]]
    """More annotations."""


class HttpRouteArgs(TypedDict):
    """A route of the Gateway API for OSCAR and for the services that it exposes."""

    host: str
    """Host name, such as `oscar.example.org`."""
    gateway_name: Input[str]
    """Gateway that takes the route."""
    gateway_namespace: Input[str]
    """Namespace of the gateway."""
    tls: NotRequired[bool]
    """Whether the gateway serves the host over HTTPS. Default: yes."""


class OidcArgs(TypedDict):
    """Users who come with a token of an OpenID Connect provider, each with namespaces of their own."""

    issuers: Sequence[str]
    """URLs of the providers."""
    subject: NotRequired[Input[str]]
    """Subject of the user who owns the cluster."""
    groups: NotRequired[Sequence[str]]
    """Groups (virtual organizations) whose members may use the cluster."""
    client_id: NotRequired[Input[str]]
    """Client id of OSCAR at the provider."""
    client_secret: NotRequired[Input[str]]
    """Client secret of OSCAR at the provider."""
    administrators: NotRequired[Sequence[str]]
    """Subjects who administer the cluster."""


class KueueArgs(TypedDict):
    """Quotas that Kueue, which must be installed, gives each user by default."""

    cpu: NotRequired[Input[str]]
    """CPU. Default: `2`."""
    memory: NotRequired[Input[str]]
    """Memory. Default: `2Gi`."""
    gpu: NotRequired[Input[str]]
    """GPUs. Default: `0`."""
    ephemeral_storage: NotRequired[Input[str]]
    """Disk of containers. Default: OSCAR's own."""
    flavor: NotRequired[Input[str]]
    """Resource flavor of the quotas. Default: OSCAR's own."""


class YunikornArgs(TypedDict):
    """Queues of the scheduler YuniKorn, which must be installed."""

    namespace: NotRequired[str]
    """Namespace of YuniKorn. Default: `yunikorn`."""
    config_map: NotRequired[str]
    """ConfigMap with its queues. Default: `yunikorn-configs`."""
    config_file: NotRequired[str]
    """Key of the queues in it. Default: `queues.yaml`."""


class OscarClusterArgs(TypedDict):
    """Arguments of an OscarCluster."""

    volume: ServicesVolumeArgs
    """Volume with OSCAR's own programs."""
    version: NotRequired[str]
    """Version of OSCAR. Default: `4.1.2`."""
    image: NotRequired[Input[str]]
    """Image of the server. Default: `ghcr.io/grycap/oscar:<version>`."""
    supervisor_version: NotRequired[Input[str]]
    """Version of the FaaS supervisor that services run. Default: `1.6.2`."""
    watchdog_version: NotRequired[Input[str]]
    """Version of the watchdog that services run. Default: `0.2.1`."""
    downloader_image: NotRequired[Input[str]]
    """Image of the job that fills the volume. Default: `ghcr.io/grycap/oscar-bin-downloader:latest`."""
    username: NotRequired[Input[str]]
    """User of OSCAR's interface who may do everything. Default: `oscar`."""
    password: NotRequired[Input[str]]
    """Password of that user. Default: generated."""
    endpoint: NotRequired[Input[str]]
    """URL under which programs outside the cluster reach OSCAR.

    Default: that of the ingress, the route or the load balancer; else the URL inside the cluster.
    """
    create_namespaces: NotRequired[bool]
    """Whether `oscar`, `oscar-svc` and `minio` are made, or are there. Default: made."""
    minio: NotRequired[MinioArgs]
    """The MinIO server that is deployed. Default: one with defaults, unless `external_minio` is given."""
    external_minio: NotRequired[ExternalMinioArgs]
    """A MinIO server to use instead of deploying one."""
    serverless_backend: NotRequired[str]
    """`knative` for synchronous calls, which needs Knative Serving in the cluster. Default: none, only jobs."""
    service: NotRequired[ServerServiceArgs]
    """How OSCAR's interface is published."""
    ingress: NotRequired[IngressArgs]
    """Ingress for OSCAR's interface. Default: none."""
    http_route: NotRequired[HttpRouteArgs]
    """Route of the Gateway API for OSCAR's interface. Default: none."""
    oidc: NotRequired[OidcArgs]
    """Users with tokens of OpenID Connect. Default: none."""
    kueue: NotRequired[KueueArgs]
    """Quotas for users through Kueue. Default: not used."""
    yunikorn: NotRequired[YunikornArgs]
    """Queues for services through YuniKorn. Default: not used."""
    kserve: NotRequired[bool]
    """Whether services may be models of KServe, which must be installed. Default: no."""
    resource_manager: NotRequired[bool]
    """Whether OSCAR delegates jobs for which the cluster has no room. Default: no."""
    rescheduler: NotRequired[bool]
    """Whether OSCAR delegates jobs that wait too long. Default: no."""
    allowed_image_repositories: NotRequired[Sequence[str]]
    """Image repositories that services may use. Default: all; what the running OSCAR was told stays."""
    environment: NotRequired[Mapping[str, Input[str]]]
    """More variables of OSCAR's server, readable by everybody who may look at its Deployment."""
    secret_environment: NotRequired[Mapping[str, Input[str]]]
    """More variables of OSCAR's server that are kept in its Secret."""
    resources: NotRequired[ResourcesArgs]
    """Default: 500m of CPU, 512Mi of memory."""
    labels: NotRequired[Mapping[str, str]]
    """Labels of everything that is made."""
    node_selector: NotRequired[Mapping[str, Input[str]]]
    """Labels of the nodes on which OSCAR, MinIO and the volume's job may run. Default: any."""
    node_autoscaling: NotRequired[bool]
    """Whether pods tell the cluster's node autoscaler which of them it may move. Default: yes."""
    network_policies: NotRequired[bool]
    """Whether pods are shielded from connections that they have no use for. Default: yes."""
    service_pod_security: NotRequired[str]
    """Pod Security Standard of the services' namespace: `baseline` or `privileged`.

    Default: `baseline`, under which images may run as root; services with `mount` need `privileged`.
    """
    preflight: NotRequired[bool]
    """Whether what must be there (storage class, Knative, …) is looked for in each preview.

    Default: yes. Turn it off when the same program installs it.
    """

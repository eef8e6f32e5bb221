"""The arguments of an OscarCluster."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

from pulumi import Input


class ResourcesArgs(TypedDict):
    """Resources of a container, as Kubernetes quantities."""

    cpu: NotRequired[Input[str]]
    """Reserved CPU, such as `500m`. Default: see the container."""
    memory: NotRequired[Input[str]]
    """Reserved memory, such as `512Mi`. Default: see the container."""
    memory_limit: NotRequired[Input[str]]
    """Memory limit, above which the container is killed. Default: none."""


class MinioArgs(TypedDict):
    """The MinIO server that is deployed with OSCAR."""

    image: NotRequired[Input[str]]
    """Image of the server. Default: the last release that MinIO published as an image."""
    storage_size: NotRequired[Input[str]]
    """Size of its volume, a quantity. Default: `10Gi`."""
    storage_class: NotRequired[Input[str]]
    """Storage class of its volume, which only one node mounts. Default: the cluster's default class."""
    root_user: NotRequired[Input[str]]
    """Name of the root user, also its access key; at least 3 characters. Default: `minio`."""
    root_password: NotRequired[Input[str]]
    """Password of the root user, also its secret key; at least 8 characters. Default: generated."""
    region: NotRequired[Input[str]]
    """Region that the server reports. Default: `us-east-1`."""
    service_type: NotRequired[str]
    """Type of its Service: `ClusterIP`, `NodePort` or `LoadBalancer`. Default: `ClusterIP`."""
    node_port: NotRequired[int]
    """Port on the nodes with `NodePort`, 30000 to 32767. Default: a free port."""
    console: NotRequired[bool]
    """Whether its web console is served on port 9001. Default: false."""
    resources: NotRequired[ResourcesArgs]
    """Resources of the server. Default: `250m` CPU, `512Mi` memory."""
    delete_data: NotRequired[bool]
    """Whether destroying the component also deletes the files in MinIO. Otherwise `destroy` keeps the volume and says
    so, and the next `up` uses it again. Default: false."""


class ExternalMinioArgs(TypedDict):
    """An existing MinIO server."""

    endpoint: Input[str]
    """URL of the server for the cluster's pods and OSCAR's users, such as `https://minio.example.org`."""
    access_key: Input[str]
    """Access key of an administrator: OSCAR configures notifications through the admin API."""
    secret_key: Input[str]
    """Secret key of that administrator."""
    region: NotRequired[Input[str]]
    """Region of the server. Default: `us-east-1`."""
    tls_verify: NotRequired[bool]
    """Whether its certificate is verified. Default: true."""


class ServicesVolumeArgs(TypedDict):
    """The volume with OSCAR's own programs, which every pod of every service mounts.

    Pods run on any node, so many nodes must be able to mount the volume at once (ReadWriteMany). One of
    `storage_class` and `existing_claim` is required.
    """

    storage_class: NotRequired[Input[str]]
    """Storage class that supports ReadWriteMany, such as one of NFS, CephFS, EFS, Filestore or Azure Files."""
    size: NotRequired[Input[str]]
    """Size of the volume, a quantity. Default: `2Gi`."""
    existing_claim: NotRequired[bool]
    """Whether to use the existing claim `oscar-pvc` in the services' namespace. Default: false."""


class ServerServiceArgs(TypedDict):
    """The Service of OSCAR's own API."""

    type: NotRequired[str]
    """Type of the Service: `ClusterIP`, `NodePort` or `LoadBalancer`. Default: `ClusterIP`."""
    node_port: NotRequired[int]
    """Port on the nodes with `NodePort`, 30000 to 32767. Default: 30301."""
    annotations: NotRequired[Mapping[str, Input[str]]]
    """Annotations, such as those that configure a load balancer. Default: none."""


class IngressArgs(TypedDict):
    """An Ingress for OSCAR and the services that it exposes."""

    host: str
    """Host name, such as `oscar.example.org`."""
    class_name: NotRequired[Input[str]]
    """Ingress class. Default: `nginx`, the class of the ingresses that OSCAR creates for exposed services."""
    tls_secret: NotRequired[Input[str]]
    """Secret with the certificate. Default: `oscar-tls` if `issuer` is given, else none, for plain HTTP."""
    issuer: NotRequired[Input[str]]
    """ClusterIssuer of cert-manager that issues the certificate. Default: none."""
    annotations: NotRequired[Mapping[str, Input[str]]]
    """Additional annotations. Default: none."""


class HttpRouteArgs(TypedDict):
    """An HTTPRoute of the Gateway API for OSCAR and the services that it exposes."""

    host: str
    """Host name, such as `oscar.example.org`."""
    gateway_name: Input[str]
    """Name of the Gateway."""
    gateway_namespace: Input[str]
    """Namespace of the Gateway."""
    tls: NotRequired[bool]
    """Whether the Gateway serves the host over HTTPS. Default: true."""


class OidcArgs(TypedDict):
    """Users with tokens of OpenID Connect providers; each gets a namespace."""

    issuers: Sequence[str]
    """URLs of the providers, at least one."""
    subject: NotRequired[Input[str]]
    """Subject of the user who owns the cluster. Default: none."""
    groups: NotRequired[Sequence[str]]
    """Groups (virtual organizations) whose members may use the cluster. Default: none."""
    client_id: NotRequired[Input[str]]
    """Client id of OSCAR at the provider. Default: none."""
    client_secret: NotRequired[Input[str]]
    """Client secret of OSCAR at the provider, kept as a secret. Default: none."""
    administrators: NotRequired[Sequence[str]]
    """Subjects of the cluster's administrators. Default: none."""


class KueueArgs(TypedDict):
    """Default quotas of each user in Kueue, which must be installed."""

    cpu: NotRequired[Input[str]]
    """CPU, a quantity. Default: `2`."""
    memory: NotRequired[Input[str]]
    """Memory, a quantity. Default: `2Gi`."""
    gpu: NotRequired[Input[str]]
    """Number of GPUs. Default: `0`."""
    ephemeral_storage: NotRequired[Input[str]]
    """Disk of containers, a quantity. Default: OSCAR's."""
    flavor: NotRequired[Input[str]]
    """Resource flavor of the quotas. Default: OSCAR's."""


class YunikornArgs(TypedDict):
    """Queues in the scheduler YuniKorn, which must be installed."""

    namespace: NotRequired[str]
    """Namespace of YuniKorn. Default: `yunikorn`."""
    config_map: NotRequired[str]
    """ConfigMap of the queues. Default: `yunikorn-configs`."""
    config_file: NotRequired[str]
    """Key of the queues in the ConfigMap. Default: `queues.yaml`."""


class OscarClusterArgs(TypedDict):
    """Arguments of an OscarCluster."""

    volume: ServicesVolumeArgs
    """The volume with OSCAR's own programs."""
    version: NotRequired[str]
    """Version of OSCAR, a release of OSCAR 4. Default: `4.1.2`."""
    image: NotRequired[Input[str]]
    """Image of the server. Default: `ghcr.io/grycap/oscar:<version>`."""
    supervisor_version: NotRequired[Input[str]]
    """Version of the FaaS supervisor in services. Default: `1.6.2`."""
    watchdog_version: NotRequired[Input[str]]
    """Version of the watchdog in services. Default: `0.2.1`."""
    downloader_image: NotRequired[Input[str]]
    """Image of the job that fills the volume. Default: `ghcr.io/grycap/oscar-bin-downloader:latest`."""
    username: NotRequired[Input[str]]
    """Name of OSCAR's administrator. Default: `oscar`."""
    password: NotRequired[Input[str]]
    """Password of OSCAR's administrator. Default: generated."""
    endpoint: NotRequired[Input[str]]
    """URL of OSCAR for programs outside the cluster. Default: that of the Ingress, the HTTPRoute or the load balancer,
    else the URL inside the cluster."""
    create_namespaces: NotRequired[bool]
    """Whether to create the namespaces `oscar`, `oscar-svc` and `minio`; otherwise they must exist. Default: true."""
    minio: NotRequired[MinioArgs]
    """The MinIO server that is deployed, unless `external_minio` is given. Default: all defaults."""
    external_minio: NotRequired[ExternalMinioArgs]
    """An existing MinIO server to use instead of deploying one. Default: none."""
    uploaders: NotRequired[Sequence[str]]
    """Access keys of further MinIO users whose files start services. OSCAR gives a job the Secret named like the
    access key that wrote its file, and starts none without it: these hold the administrator's keys, as that for
    MinIO's administrator does. Default: none."""
    serverless_backend: NotRequired[str]
    """`knative` for synchronous calls, which requires Knative Serving. Default: none; services run as jobs only."""
    service: NotRequired[ServerServiceArgs]
    """The Service of OSCAR's API. Default: all defaults."""
    ingress: NotRequired[IngressArgs]
    """Ingress for OSCAR's API. Default: none."""
    http_route: NotRequired[HttpRouteArgs]
    """HTTPRoute for OSCAR's API. Default: none."""
    oidc: NotRequired[OidcArgs]
    """Users with OpenID Connect tokens. Default: none."""
    kueue: NotRequired[KueueArgs]
    """Quotas of users in Kueue. Default: none."""
    yunikorn: NotRequired[YunikornArgs]
    """Queues of services in YuniKorn. Default: none."""
    kserve: NotRequired[bool]
    """Whether services may be models of KServe, which must be installed. Default: false."""
    resource_manager: NotRequired[bool]
    """Whether OSCAR delegates jobs that do not fit in the cluster. Default: false."""
    rescheduler: NotRequired[bool]
    """Whether OSCAR delegates jobs that wait too long. Default: false."""
    allowed_image_repositories: NotRequired[Sequence[str]]
    """Image repositories that services may use. Default: all, or what the running OSCAR is configured with."""
    environment: NotRequired[Mapping[str, Input[str]]]
    """Additional variables of OSCAR's server, readable by everybody who may read its Deployment. Default: none."""
    secret_environment: NotRequired[Mapping[str, Input[str]]]
    """Additional variables of OSCAR's server that are kept in its Secret. Default: none."""
    resources: NotRequired[ResourcesArgs]
    """Resources of OSCAR's server. Default: `500m` CPU, `512Mi` memory."""
    labels: NotRequired[Mapping[str, str]]
    """Labels of all objects. Default: none but the component's own."""
    node_selector: NotRequired[Mapping[str, Input[str]]]
    """Labels of the nodes on which OSCAR, MinIO and the volume's job may run. Default: none; all nodes."""
    node_autoscaling: NotRequired[bool]
    """Whether pods are annotated for node autoscalers, which move some and never others. Default: true."""
    network_policies: NotRequired[bool]
    """Whether NetworkPolicies block connections that pods do not need. Default: true."""
    service_pod_security: NotRequired[str]
    """Pod Security Standard of the services' namespace: `baseline`, for images that run as root, or `privileged`, which
    services with `mount` need. Default: `baseline`."""
    preflight: NotRequired[bool]
    """Whether each preview checks that the cluster has what OSCAR needs (storage class, Knative, …). Set it to false if
    the same program installs that. Default: true."""

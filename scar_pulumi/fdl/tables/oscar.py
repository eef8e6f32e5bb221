"""A service on an OSCAR cluster, and the clusters.

OSCAR knows more keys with every release: those that are not listed are passed on as they are.
"""

from collections.abc import Mapping
from dataclasses import replace

from scar_foundation.limits import (
    DNS_LABEL_PATTERN,
    KUBERNETES_CPU_PATTERN,
    KUBERNETES_MEMORY_PATTERN,
    OSCAR_CPU,
    OSCAR_CPU_THRESHOLD,
    OSCAR_EXPOSE_DEFAULTS,
    OSCAR_EXPOSED_PODS,
    OSCAR_LOG_LEVEL,
    OSCAR_MEMORY,
    OSCAR_NAME_CHARACTERS,
    OSCAR_SYNCHRONOUS_PODS,
    PORTS,
)
from scar_pulumi.fdl.kinds import Anything, Choice, Flag, Items, Key, Kind, Rule, Section, Table, Text, Whole
from scar_pulumi.fdl.model import OscarService
from scar_pulumi.fdl.tables.names import FILE
from scar_pulumi.fdl.tables.storage import storage_list

_DNS_LABEL = Rule(
    DNS_LABEL_PATTERN,
    "is not a name that Kubernetes accepts",
    "use lower-case letters, digits and '-', with a letter or digit at both ends",
)
_MEMORY = Text(
    what="an amount of memory",
    loose=True,
    optional=True,
    rules=(Rule(KUBERNETES_MEMORY_PATTERN, "is not an amount that Kubernetes accepts", "write it like 512Mi or 2Gi"),),
)
_CPU = Text(
    what="an amount of CPU",
    loose=True,
    optional=True,
    rules=(Rule(KUBERNETES_CPU_PATTERN, "is not an amount that Kubernetes accepts", "write it like 0.5 or 500m"),),
)
_TEXT = Text(loose=True, optional=True, bracketed=True)
_WORDS = Items(of=Text(loose=True))
_LABELS = Table(names=Text(what="a name"), of=_TEXT)
_PODS = Whole.within(OSCAR_SYNCHRONOUS_PODS)
_EXPOSED_PODS = Whole.within(OSCAR_EXPOSED_PODS)
_SECONDS = Whole(minimum=0, maximum=10**9)
# A number in OSCAR up to 4.0, a list from 4.1 on.
_PORTS = Items(of=Whole.within(PORTS, whose="TCP's"), single=True)
_LOG_LEVELS = ("NOTSET", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_DELEGATION = Choice(values=("static", "random", "load-based", "topsis"))
_READ_ONLY = "OSCAR sets it"


def _keys(kinds: Mapping[str, tuple[str, Kind]]) -> dict[str, Key]:
    return {name: Key(doc=doc, kind=kind) for name, (doc, kind) in kinds.items()}


_VARIABLES = Table(
    names=Text(
        what="a variable name",
        rules=(
            Rule(
                r"[-._a-zA-Z][-._a-zA-Z0-9]*",
                "is not a name that Kubernetes accepts for a variable",
                "use letters, digits and '_'",
            ),
        ),
    ),
    of=Text(loose=True, bracketed=True),
)
_ENVIRONMENT = Section(
    keys={
        "variables": Key(doc="Variables of the service.", kind=_VARIABLES, secret=True, aliases=("Variables",)),
        "secrets": Key(doc="Variables that are kept in a secret.", kind=_VARIABLES, secret=True, aliases=("Secrets",)),
    },
    unknown_hint="list variables below 'variables:' or 'secrets:'",
)
_MEMBERS = Items(
    of=Section(
        keys={
            "type": Key(
                doc="A service on an OSCAR cluster, or an HTTP endpoint.",
                kind=Choice(values=("oscar", "endpoint")),
                default="oscar",
            ),
            "url": Key(doc="URL of an endpoint.", kind=_TEXT),
            "ssl_verify": Key(doc="Whether the certificate of the endpoint is verified.", kind=Flag()),
            "priority": Key(
                doc="Order of the members; lower numbers come first.", kind=Whole(minimum=0, maximum=10_000)
            ),
            "headers": Key(doc="Headers of requests to the endpoint.", kind=_LABELS, secret=True),
            **_keys({"cluster_id": ("Id of the cluster.", _TEXT), "service_name": ("Name of the service.", _TEXT)}),
        },
        open_for="OSCAR",
    ),
)
_FEDERATION = Section(
    keys={
        "topology": Key(doc="Which services delegate to which.", kind=Choice(values=("none", "star", "mesh"))),
        "delegation": Key(doc="How a member is chosen.", kind=_DELEGATION),
        "members": Key(doc="Services that jobs are delegated to.", kind=_MEMBERS),
        **_keys(
            {
                "group_id": ("Name of the federation.", _TEXT),
                "rescheduler_threshold": ("Seconds that a job waits before it is delegated.", _SECONDS),
            }
        ),
    },
    open_for="OSCAR",
)
_EXPOSE = Section(
    keys={
        "min_scale": Key(doc="Fewest pods.", kind=_EXPOSED_PODS, default=OSCAR_EXPOSE_DEFAULTS["min_scale"]),
        "max_scale": Key(doc="Most pods.", kind=_EXPOSED_PODS, default=OSCAR_EXPOSE_DEFAULTS["max_scale"]),
        "api_port": Key(doc="Ports of the container.", kind=_PORTS, aliases=("port",)),
        "cpu_threshold": Key(
            doc="CPU use above which pods are added, in percent.",
            kind=Whole.within(OSCAR_CPU_THRESHOLD, unit="%"),
            default=OSCAR_EXPOSE_DEFAULTS["cpu_threshold"],
        ),
        "nodePort": Key(doc="Ports on the cluster's nodes.", kind=_PORTS),
        "set_auth": Key(doc="Whether calls need a password.", kind=Flag(), default=False),
        "auth_type": Key(doc="How the password is asked for.", kind=Choice(values=("basic", "forward"))),
        "rewrite_target": Key(doc="Whether the service sees the whole path.", kind=Flag()),
        "default_command": Key(doc="Whether the image's own command runs instead of the script.", kind=Flag()),
        "health_path": Key(doc="Path of the health probe.", kind=_TEXT, default=OSCAR_EXPOSE_DEFAULTS["health_path"]),
        "probe_mode": Key(doc="How health is probed.", kind=Choice(values=("legacy", "direct"))),
    },
    open_for="OSCAR",
    only_if_given=True,
)
_VOLUME = Section(
    keys={
        "name": Key(doc="Name of the volume.", kind=Text(what="a volume name", rules=(_DNS_LABEL,))),
        "size": Key(doc="Size of a new volume.", kind=_MEMORY),
        "mount_path": Key(
            doc="Path in the container.",
            kind=Text(what="a path", rules=(Rule(r"/.*", "is not an absolute path", "start it with '/'"),)),
            required=True,
        ),
        "lifecycle_policy": Key(
            doc="What happens to the volume when the service is deleted.", kind=Choice(values=("delete", "retain"))
        ),
    },
    open_for="OSCAR",
)
_CONNECTION = {
    "endpoint": Key(doc="URL of the cluster.", kind=_TEXT),
    "auth_user": Key(doc="User of the cluster's API.", kind=_TEXT),
    "auth_password": Key(doc="Password of that user.", kind=_TEXT, secret=True),
    "ssl_verify": Key(doc="Whether the cluster's certificate is verified.", kind=Flag(), default=True),
}

SERVICE = Section(
    makes=OscarService,
    rest="definition",
    keys={
        "name": Key(
            doc="Name of the service.",
            kind=Text(what="a service name", longest=OSCAR_NAME_CHARACTERS, rules=(_DNS_LABEL,)),
            required=True,
        ),
        "image": Key(
            doc="Image in a registry.",
            kind=Text(
                what="an image reference",
                longest=1024,
                rules=(Rule(r"\S+", "is not an image reference", "write registry/name:tag"),),
            ),
        ),
        "image_file": Key(
            doc="Image as an archive or a directory, for local stacks; other stacks use `image`.",
            kind=replace(FILE, rules=(), optional=True),
        ),
        "script": Key(doc="Script that runs for each event.", kind=replace(FILE, rules=(), optional=True)),
        "memory": Key(doc="Memory of the service's container.", kind=_MEMORY, default=OSCAR_MEMORY),
        "cpu": Key(doc="CPU of the service's container.", kind=_CPU, default=OSCAR_CPU),
        "total_memory": Key(doc="Memory of all jobs of the service together.", kind=_MEMORY),
        "total_cpu": Key(doc="CPU of all jobs of the service together.", kind=_CPU),
        "ephemeral_storage_request": Key(doc="Disk of a job.", kind=_MEMORY),
        "enable_gpu": Key(doc="Whether a job gets a GPU.", kind=Flag()),
        "enable_sgx": Key(doc="Whether a job gets SGX.", kind=Flag()),
        "image_prefetch": Key(doc="Whether the nodes pull the image beforehand.", kind=Flag()),
        "alpine": Key(doc="Whether the image is based on Alpine.", kind=Flag()),
        "file_stage_in": Key(doc="Whether input files stay where they are, for the script to fetch.", kind=Flag()),
        "propagate_token": Key(doc="Whether the caller's token is passed on to the service.", kind=Flag()),
        "log_level": Key(
            doc="Level of the supervisor's log lines.",
            kind=Choice(values=_LOG_LEVELS, fold=True),
            default=OSCAR_LOG_LEVEL,
        ),
        "input": storage_list("Places whose new files start the service.", on_cluster=True),
        "output": storage_list("Places where result files go.", on_cluster=True),
        "environment": Key(doc="Variables of the service.", kind=_ENVIRONMENT),
        "synchronous": Key(
            doc="Pods that answer synchronous calls.",
            kind=Section(
                keys=_keys({"min_scale": ("Fewest pods.", _PODS), "max_scale": ("Most pods; 0 is no limit.", _PODS)}),
                open_for="OSCAR",
            ),
        ),
        "expose": Key(doc="An HTTP server in the service's container.", kind=_EXPOSE),
        "federation": Key(doc="Services that jobs are delegated to.", kind=_FEDERATION),
        "replicas": Key(doc="Services that jobs are delegated to, before OSCAR 4.1.", kind=_MEMBERS),
        "delegation": Key(doc="How a replica is chosen, before OSCAR 4.1.", kind=_DELEGATION),
        "rescheduler_threshold": Key(doc="Seconds that a job waits before it is delegated.", kind=_SECONDS),
        "mount": Key(
            doc="Storage that the service sees as a folder.",
            kind=Section(
                keys=_keys({"storage_provider": ("The storage.", _TEXT), "path": ("The folder.", _TEXT)}),
                open_for="OSCAR",
            ),
        ),
        "volume": Key(doc="A persistent volume of the cluster.", kind=_VOLUME),
        "isolation_level": Key(
            doc="Whether each user gets buckets of their own.", kind=Choice(values=("SERVICE", "USER"), fold=True)
        ),
        "visibility": Key(
            doc="Who sees the service.", kind=Choice(values=("private", "restricted", "public"), fold=True)
        ),
        "kserve": Key(doc="A model that KServe serves.", kind=Anything()),
        "allow_loop": Key(doc="Whether outputs may start the service again.", kind=Flag(), default=False),
        **_keys(
            {
                "cluster_id": ("Id of the cluster.", _TEXT),
                "vo": ("Virtual organization of its users.", _TEXT),
                "allowed_users": ("Users of a restricted service.", _WORDS),
                "image_pull_secrets": ("Kubernetes secrets of private registries.", _WORDS),
                "annotations": ("Kubernetes annotations of jobs.", _LABELS),
                "labels": ("Kubernetes labels of jobs.", _LABELS),
                "interlink_node_name": ("InterLink node that runs the jobs.", _TEXT),
            }
        ),
        **_CONNECTION,
        **{
            name: Key(doc="Part of what OSCAR tells of a service.", note=_READ_ONLY)
            for name in ("token", "owner", "namespace", "bucket_list", "volume_status", "deployment")
        },
    },
    at_least_one=("image", "image_file"),
    open_for="OSCAR",
)

_CLUSTER_ID = Text(
    what="a cluster id", rules=(Rule(r"\S+", "is not an id for a cluster", "use letters, digits and '-'"),)
)
OSCAR = Items(of=Table(names=_CLUSTER_ID, of=SERVICE))

CLUSTERS = Key(
    doc="OSCAR clusters: id, then where and how they are reached.",
    kind=Table(names=Text(what="a cluster id"), of=Section(keys=_CONNECTION, open_for="OSCAR")),
)

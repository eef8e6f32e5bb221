"""The language as tables: every key with its type, limits and default, or why it has no effect.

The checker, the model's builder, the JSON Schema for editors and the reference all read them.
"""

from scar_pulumi.fdl.kinds import Items, Key, Section, Table, Text
from scar_pulumi.fdl.tables.aws import AWS_FUNCTION, MAPREDUCE
from scar_pulumi.fdl.tables.oscar import CLUSTERS, OSCAR, SERVICE
from scar_pulumi.fdl.tables.storage import STORAGE_PROVIDERS

__all__ = ["AWS_FUNCTION", "DEFAULTS", "DOCUMENT", "FUNCTIONS", "MAPREDUCE", "SERVICE"]

FUNCTIONS = Section(
    keys={
        "aws": Key("Functions and MapReduces on AWS.", Items(AWS_FUNCTION)),
        "oscar": Key("Services on OSCAR clusters: each entry has a cluster's id, and below it a service.", OSCAR),
    },
    at_least_one=("aws", "oscar"),
    unknown_hint="list functions below 'aws:'",
)

DOCUMENT = Section(
    keys={
        "functions": Key("What is deployed.", FUNCTIONS, required=True),
        "storage_providers": STORAGE_PROVIDERS,
        "clusters": CLUSTERS,
        "scar": Key("Settings of SCAR's own client.", note="only SCAR's own client reads these settings"),
    },
    free="x-",
)

DEFAULTS = Section(
    keys={
        "aws": Key("Defaults of every function in `functions.aws`.", AWS_FUNCTION),
        "oscar": Key("Defaults of every service of a cluster, by the cluster's id.", Table(names=Text(), of=SERVICE)),
        "storage_providers": STORAGE_PROVIDERS,
        "clusters": CLUSTERS,
    }
)
"""The defaults file: what lies below every FDL file of a person or a machine."""

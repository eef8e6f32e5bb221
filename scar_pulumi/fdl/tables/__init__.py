"""The language as tables: every key, its type, limits and default, or what is said where it has no effect or meaning.

The checker, the builder's defaults and the JSON Schema for editors all read these.
"""

from scar_pulumi.fdl.kinds import Items, Key, Section, Table, Text
from scar_pulumi.fdl.tables.aws import AWS_FUNCTION
from scar_pulumi.fdl.tables.oscar import CLUSTERS, OSCAR, SERVICE
from scar_pulumi.fdl.tables.storage import STORAGE_PROVIDERS

FUNCTIONS = Section(
    keys={
        "aws": Key(doc="Functions on AWS.", kind=Items(of=AWS_FUNCTION)),
        "oscar": Key(doc="Services on OSCAR clusters: in each entry the cluster's id, then the service.", kind=OSCAR),
    },
    at_least_one=("aws", "oscar"),
    unknown_hint="functions are listed below 'aws:'",
)

DOCUMENT = Section(
    keys={
        "functions": Key(doc="What to deploy.", kind=FUNCTIONS, required=True),
        "storage_providers": STORAGE_PROVIDERS,
        "clusters": CLUSTERS,
        "scar": Key(doc="Settings of SCAR's own client.", note="settings of SCAR's client have no effect here"),
    },
    free="x-",
)

DEFAULTS = Section(
    keys={
        "aws": Key(doc="Below every function of `functions.aws`.", kind=AWS_FUNCTION),
        "oscar": Key(
            doc="Below every service of a cluster, by the cluster's id.", kind=Table(names=Text(), of=SERVICE)
        ),
        "storage_providers": STORAGE_PROVIDERS,
        "clusters": CLUSTERS,
    },
)

__all__ = ["AWS_FUNCTION", "DEFAULTS", "DOCUMENT", "FUNCTIONS", "SERVICE", "STORAGE_PROVIDERS"]

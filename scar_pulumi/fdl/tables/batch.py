"""The section `batch` of a function: where events run that Lambda is too small for."""

from scar_pulumi.fdl._kinds import Choice, Flag, Items, Key, Rule, Section, Text, Whole
from scar_pulumi.fdl.tables.environment import environment
from scar_pulumi.fdl.tables.names import CREDENTIALS_NOTE, REGION

_COMPUTE = "https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeResource.html"
_JOB = "https://docs.aws.amazon.com/batch/latest/APIReference/API_ContainerProperties.html"
_NODES = "https://docs.aws.amazon.com/batch/latest/APIReference/API_NodeProperties.html"

_V_CPUS = Whole(minimum=0, maximum=100_000, whose="the")
_INSTANCE_TYPE = Text(
    what="an instance type",
    rules=(
        Rule(
            r"optimal|[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)?",
            "is not an instance type",
            "write it like m5.large, a family like m5, or optimal",
        ),
    ),
)
_ROLE = Text(what="an ARN", optional=True)

COMPUTE_RESOURCES = Section(
    keys={
        "type": Key(
            doc="What kind of capacity.",
            kind=Choice(values=("EC2", "SPOT", "FARGATE", "FARGATE_SPOT")),
            default="EC2",
            link=_COMPUTE,
        ),
        "min_v_cpus": Key(doc="vCPUs that run even without jobs.", kind=_V_CPUS, default=0, link=_COMPUTE),
        "desired_v_cpus": Key(doc="vCPUs to start with.", kind=_V_CPUS, default=0, link=_COMPUTE),
        "max_v_cpus": Key(doc="Most vCPUs at once.", kind=_V_CPUS, default=2, link=_COMPUTE),
        "instance_types": Key(
            doc="Instance types or families, or optimal.",
            kind=Items(of=_INSTANCE_TYPE, least=1),
            default=("m3.medium",),
            link=_COMPUTE,
        ),
        "subnets": Key(
            doc="Subnets of the instances.", kind=Items(of=Text(what="a subnet"), most=16), default=(), link=_COMPUTE
        ),
        "security_group_ids": Key(
            doc="Security groups of the instances.",
            kind=Items(of=Text(what="a security group")),
            default=(),
            link=_COMPUTE,
        ),
        "instance_role": Key(
            doc="Instance profile of the instances; without it one is generated.", kind=_ROLE, link=_COMPUTE
        ),
        "launch_template_name": Key(
            doc="Launch template of SCAR's.",
            note="instances need no launch template: the supervisor is in the image",
            quiet=("faas-supervisor",),
        ),
    },
)

MULTI_NODE_PARALLEL = Section(
    keys={
        "enabled": Key(doc="Whether a job runs on several nodes.", kind=Flag(), default=False, aliases=("enable",)),
        "number_nodes": Key(
            doc="Nodes of a job.", kind=Whole(minimum=1, maximum=1000, whose="Batch's"), default=10, link=_NODES
        ),
        "main_node_index": Key(
            doc="Which of them is the main node, from 0.",
            kind=Whole(minimum=0, maximum=999, whose="Batch's"),
            default=0,
            link=_NODES,
        ),
    },
)

BATCH = Section(
    keys={
        "vcpus": Key(doc="vCPUs of a job.", kind=Whole(minimum=1, maximum=1000, whose="Batch's"), default=1, link=_JOB),
        "memory": Key(
            doc="Memory of a job in MB.",
            kind=Whole(minimum=4, maximum=25_000_000, unit="MB", whose="Batch's"),
            default=1024,
            link=_JOB,
        ),
        "enable_gpu": Key(doc="Whether a job gets a GPU.", kind=Flag(), default=False),
        "environment": environment("Variables of the job's container, below the container's own."),
        "multi_node_parallel": Key(doc="Jobs on several nodes.", kind=MULTI_NODE_PARALLEL, link=_NODES),
        "compute_resources": Key(doc="What the jobs run on.", kind=COMPUTE_RESOURCES),
        "state": Key(
            doc="Whether the queue takes jobs.", kind=Choice(values=("ENABLED", "DISABLED")), default="ENABLED"
        ),
        "type": Key(doc="Who runs the instances.", kind=Choice(values=("MANAGED", "UNMANAGED")), default="MANAGED"),
        "service_role": Key(doc="Role of the Batch service; without it AWS's own is used.", kind=_ROLE),
        "region": Key(doc="Region of the environment: always that of the function.", kind=REGION),
        "boto_profile": Key(doc="Profile of SCAR's AWS client.", note=CREDENTIALS_NOTE, quiet=("default",)),
    },
)

"""The section `mapreduce` of an entry of `functions.aws`: a mapper and a reducer over the records of files."""

from scar_foundation import limits
from scar_pulumi.fdl.kinds import Choice, Flag, Items, Key, Rule, Section, Text, Whole
from scar_pulumi.fdl.model import Combiner, RecordFormat, ReduceStage, Split, Stage
from scar_pulumi.fdl.tables.names import FILE, IMAGE, REGION, SCRIPT, TAGS, environment
from scar_pulumi.fdl.tables.storage import storage_list

_LIMITS = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
_MACHINE = "https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html"
_MAP = "https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html"

_NAME = Text(
    what="a MapReduce's name",
    longest=limits.MAPREDUCE_NAME_CHARACTERS,
    rules=(
        Rule(
            limits.LAMBDA_NAME_PATTERN,
            "cannot start the names of functions",
            "use letters, digits, '-' and '_'",
        ),
    ),
)
_CHARACTER = Text(
    what="one character",
    longest=1,
    rules=(Rule(r"[\x21-\x7e\t ]", "is not one ASCII character"),),
)


def _container(doc: str) -> Key:
    keys = {
        "image": Key("Image in a registry.", IMAGE),
        "image_file": Key(
            "Image as a file: a `docker save` archive, an OCI directory, or a directory with a Dockerfile.", FILE
        ),
        "environment": environment("Variables of the process.", of_lambda=True),
    }
    return Key(doc, Section(inline=True, keys=keys))


def _stage(doc: str, prints: str, made: type = Stage, **more: Key) -> Key:
    keys = {
        "init_script": Key(
            f"Script that each task runs, a file or block text: {prints}",
            SCRIPT,
            default_doc="what the image itself starts",
        ),
        "container": _container("Image and variables of this stage; they come before those of both."),
        "memory": Key(
            "Memory of a task in MB.",
            Whole.within(limits.LAMBDA_MEMORY, unit="MB", whose="Lambda's"),
            default=limits.MAPREDUCE_MEMORY,
            link=_LIMITS,
        ),
        "timeout": Key(
            "Seconds after which a task is stopped and tried again.",
            Whole.within(limits.LAMBDA_TIMEOUT, unit="s", whose="Lambda's"),
            default=limits.LAMBDA_TIMEOUT.default,
            link=_LIMITS,
        ),
        "ephemeral_storage": Key(
            "Size of /tmp in MB.",
            Whole.within(limits.LAMBDA_EPHEMERAL_STORAGE, unit="MB", whose="Lambda's"),
            default=limits.LAMBDA_EPHEMERAL_STORAGE.default,
            link=_LIMITS,
        ),
        **more,
    }
    return Key(doc, Section(makes=made, keys=keys, shorthand="init_script"))


_COUNT = Key(
    "Partitions of the keys, each of which becomes one file of results.",
    Whole.within(limits.MAPREDUCE_REDUCERS),
    default=limits.MAPREDUCE_REDUCERS.default,
)
_COMBINER = Section(
    makes=Combiner,
    keys={
        "by": Key("Nothing, or the reducer, where it may reduce its own results.", Choice(("none", "reducer"))),
        "init_script": Key("A script that does so, in the mapper's image.", SCRIPT),
    },
    shorthand="by",
    exactly_one=("by", "init_script"),
    only_if_given=True,
)
_FORMAT = Section(
    makes=RecordFormat,
    keys={
        "type": Key(
            "What a record is: a line, a row whose quoted fields may have line ends, a line of JSON, or an object.",
            Choice(("lines", "csv", "jsonl", "whole")),
            default="lines",
        ),
        "header": Key(
            "What is done with the first record: nothing, or it is left out.", Choice(("none", "skip")), default="none"
        ),
        "separator": Key("Character between the fields of `csv`.", _CHARACTER, default_doc="`,`"),
        "quote": Key("Character around fields of `csv`.", _CHARACTER, default_doc='`"`'),
        "escape": Key(
            "Character that takes the meaning from the next one in `csv`.",
            _CHARACTER,
            default_doc="none; quotes in a field are doubled",
        ),
        "max_record": Key(
            "Size of the largest record in MB.",
            Whole.within(limits.MAPREDUCE_RECORD, unit="MB"),
            default=limits.MAPREDUCE_RECORD.default,
        ),
    },
    shorthand="type",
)
_SPLIT = Section(
    makes=Split,
    keys={
        "size": Key(
            "MB of the input that one map task reads; more where an object would have over 10,000 tasks.",
            Whole.within(limits.MAPREDUCE_SPLIT, unit="MB"),
            default=limits.MAPREDUCE_SPLIT.default,
        ),
        "max_parallel": Key(
            "Tasks in Lambda at once.",
            Whole.within(limits.MAP_CONCURRENCY, whose="Step Functions'"),
            default=limits.MAP_CONCURRENCY.default,
            link=_MAP,
        ),
    },
    shorthand="size",
)
_PARTITION = Section(
    inline=True,
    keys={
        "by": Key(
            "How keys are divided: evenly, or so that results are sorted throughout.",
            Choice(("hash", "range")),
            default="hash",
            field="partition",
        )
    },
    shorthand="by",
)

MAPREDUCE_KEYS = {
    "name": Key(
        "Name of the state machine, which the names of its functions start with.", _NAME, required=True, link=_MACHINE
    ),
    "input": storage_list("Places whose new files start a run each.", least=1, per_request=False),
    "output": storage_list(
        "The place where results go, a list of one: each file has a folder of its name there.",
        least=1,
        per_request=False,
    ),
    "container": _container("Image and variables of both stages."),
    "mapper": _stage("The map stage.", "it prints pairs for the records in the file `$INPUT_FILE_PATH`."),
    "reducer": _stage(
        "The reduce stage.",
        "it reads pairs sorted by their keys and prints results.",
        ReduceStage,
        count=_COUNT,
    ),
    "combiner": Key("What reduces the pairs of one map task before they are stored.", _COMBINER, default_doc="`none`"),
    "format": Key("How files are divided into records.", _FORMAT),
    "split": Key("How files are divided among map tasks.", _SPLIT),
    "partition": Key("How keys are divided among reduce tasks.", _PARTITION),
    "pairs": Key(
        'How pairs are written: key, tab and value, or `["key", value]`.', Choice(("text", "json")), default="text"
    ),
    "contract": Key(
        "What scripts are: programs of any language, or Python files with MARLA's functions `mapper` and `reducer`.",
        Choice(("streaming", "marla")),
        default="streaming",
    ),
    "bad_pairs": Key(
        "What is done about a line of the mapper that is no pair: the run fails, or it is skipped and counted.",
        Choice(("fail", "skip")),
        default="fail",
    ),
    "engine": Key(
        "Where tasks run: in Lambda, or in AWS Batch as the section `batch` says.",
        Choice(("lambda", "batch")),
        default="lambda",
    ),
    "allow_loop": Key("Whether its results may start it again.", Flag(), default=False),
    "architectures": Key(
        "Instruction set of the images, a list of one.",
        Items(Choice(limits.LAMBDA_ARCHITECTURES), least=1, most=1),
        default=limits.LAMBDA_ARCHITECTURES[:1],
        field="architecture",
    ),
    "log_level": Key(
        "Level of the supervisor's log lines.",
        Choice(("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), fold=True),
        default="INFO",
    ),
    "log_format": Key("Format of the supervisor's log lines.", Choice(("text", "json"), fold=True), default="text"),
    "tags": Key("AWS tags of everything that belongs to it.", TAGS),
    "region": Key("AWS region of everything that belongs to it.", REGION, default_doc="the stack's region"),
}
"""What stands below `mapreduce`; all of it becomes fields of `MapReduce`."""

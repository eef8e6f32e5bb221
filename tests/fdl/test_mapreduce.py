"""MapReduces in FDL files: their data, what is wrong with them, and how they stand beside functions."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scar_pulumi.fdl import Fdl, FdlError
from scar_pulumi.fdl.graph import as_text, graph_of
from scar_pulumi.fdl.model import Combiner
from scar_pulumi.fdl.showing import show

from .conftest import shown

Load = Callable[..., Fdl]
WHOLE = """\
functions:
  aws:
  - mapreduce:
      name: counties
      input: [{path: zips/in, suffix: [.csv]}, {path: more}]
      output: [{path: zips/out}]
      container: {image: "python:3", environment: {Variables: {ONE: 1, TWO: 2}}}
      mapper: {init_script: map.py, memory: 1024, timeout: 600, container: {environment: {Variables: {TWO: 3}}}}
      reducer: {init_script: reduce.py, memory: 3008, count: 8, container: {image: "perl:5"}}
      combiner: reducer
      format: {type: csv, header: skip, separator: ";", quote: "'", escape: "\\\\", max_record: 16}
      split: {size: 128, max_parallel: 50}
      partition: {by: range}
      pairs: json
      bad_pairs: skip
      architectures: [arm64]
      log_level: debug
      tags: {team: a}
      region: eu-west-1
    iam: {role: "arn:aws:iam::123456789012:role/mine"}
    cloudwatch: {log_retention_policy_in_days: 7}
"""
LEAST = """\
functions:
  aws:
  - mapreduce:
      name: words
      input: [{path: texts/in}]
      output: [{path: texts/out}]
      container: {image: debian}
      mapper: map.sh
      reducer: reduce.sh
"""

MARLA = """\
from elsewhere import reducer

def mapper(chunk, names, values):
    names.append(chunk)
"""


@pytest.fixture(autouse=True)
def scripts(tmp_path: Path) -> None:
    for name in ("map.py", "reduce.py", "map.sh", "reduce.sh"):
        (tmp_path / name).write_text("#!/bin/sh\n")
    (tmp_path / "shell.sh").write_text("#!/bin/sh\ncat file\n")
    (tmp_path / "marla.py").write_text(MARLA)


def test_every_key_becomes_data(load_text: Load, tmp_path: Path) -> None:
    text = WHOLE.replace("zips/out}]", "zips/out}]\n      allow_loop: true")
    (found,) = load_text(text).mapreduces
    assert (found.path, found.name, found.engine, found.contract) == (
        "functions.aws[0]",
        "counties",
        "lambda",
        "streaming",
    )
    assert ([str(place) for place in found.input], str(found.output[0])) == (["zips/in", "more"], "zips/out")
    assert (found.image, found.environment) == ("python:3", {"ONE": "1", "TWO": "2"})
    assert (found.mapper.init_script, found.mapper.environment) == (tmp_path / "map.py", {"TWO": "3"})
    assert (found.reducer.image, found.reducer.count, found.reducer.memory) == ("perl:5", 8, 3008)
    assert found.combiner == Combiner(by="reducer")
    assert (found.format.separator, found.format.quote, found.format.escape) == (";", "'", "\\")
    assert (found.split.size, found.partition, found.pairs, found.bad_pairs) == (128, "range", "json", "skip")
    assert (found.role, found.log_retention, found.log_level) == ("arn:aws:iam::123456789012:role/mine", 7, "DEBUG")
    assert (found.architecture, found.region, found.allow_loop, found.batch) == ("arm64", "eu-west-1", True, None)


def test_little_is_needed(load_text: Load, tmp_path: Path) -> None:
    fdl = load_text(LEAST)
    (found,) = fdl.mapreduces
    assert (fdl.functions, fdl.warnings) == ((), ())
    assert found.mapper.init_script == tmp_path / "map.sh"
    assert (found.mapper.memory, found.reducer.count, found.combiner) == (1769, 1, None)
    assert (found.format.type, found.format.max_record, found.split.size) == ("lines", 64, 64)


def test_it_stands_in_the_graph_between_its_places(load_text: Load) -> None:
    assert as_text(graph_of(load_text(LEAST))) == [
        "s3: texts/in",
        "└─ [words (mapreduce)]",
        "   └─ s3: texts/out",
    ]


def test_it_is_shown_with_its_defaults(load_text: Load, tmp_path: Path) -> None:
    load_text(LEAST)
    found = show(tmp_path / "video.yaml")
    section = found.document["functions"]["aws"][0]["mapreduce"]
    assert section["reducer"]["count"] == 1
    assert "lambda" not in found.document["functions"]["aws"][0]
    assert found.origins["functions.aws[0].mapreduce.split.size"] == "default"


def test_defaults_and_settings_of_functions_are_none_of_a_mapreduce(
    load_text: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "defaults.yaml").write_text(
        "aws:\n  lambda: {memory: 128, tags: {a: b}}\n  mapreduce: {tags: {team: x}}\n"
        "  cloudwatch: {log_retention_policy_in_days: 1}\n"
    )
    monkeypatch.setenv("SCAR_DEFAULTS", str(tmp_path / "defaults.yaml"))
    text = LEAST + "  - lambda: {name: a, container: {image: debian}}\n"
    settings = {"lambda.timeout": "7", "mapreduce.log_level": "ERROR", "functions.words.mapreduce.split.size": "9"}
    fdl = load_text(text, settings)
    (function,), (mapreduce,) = fdl.functions, fdl.mapreduces
    assert (function.memory, function.timeout, function.tags, function.log_level) == (128, 7, {"a": "b"}, "INFO")
    assert (mapreduce.tags, mapreduce.log_retention, mapreduce.log_level) == ({"team": "x"}, 1, "ERROR")
    assert mapreduce.split.size == 9


def test_one_file_of_marlas_is_both_stages(load_text: Load) -> None:
    text = LEAST.replace("mapper: map.sh", "mapper: marla.py").replace("reducer: reduce.sh", "contract: marla")
    (found,) = load_text(text).mapreduces
    assert (found.contract, found.reducer.init_script) == ("marla", None)
    inline = "mapper: |\n        def mapper(chunk): return []\n        reducer = sorted"
    assert load_text(text.replace("mapper: marla.py", inline)).mapreduces


def test_tasks_in_batch_are_what_the_section_batch_says(load_text: Load) -> None:
    batch = "    batch: {vcpus: 2, memory: 4096, compute_resources: {max_v_cpus: 8}}\n"
    fdl = load_text(LEAST + "      engine: batch\n      split: {max_parallel: 3}\n" + batch)
    (found,) = fdl.mapreduces
    assert found.batch
    assert (found.batch.vcpus, found.batch.memory) == (2, 4096)
    assert [problem.path for problem in fdl.warnings] == ["functions.aws[0].mapreduce.split.max_parallel"]
    (unused,) = load_text(LEAST + batch).warnings
    assert unused.message == "has no effect: the MapReduce's engine is 'lambda'"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            "reducer: {init_script: reduce.sh, count: 0}",
            "reducer.count: 0 is below the minimum of 1",
        ),
        (
            "reducer: {init_script: reduce.sh, count: 10001}",
            "reducer.count: 10001 is above the maximum of 10000",
        ),
        (
            "split: 400",
            (
                "split.size: splits of 400 MB need up to 1200 MB of /tmp, and the mapper "
                "has 512; raise mapper.ephemeral_storage, or lower split.size"
            ),
        ),
        (
            "format: {type: csv, max_record: 1000}",
            (
                "format.max_record: records of 1000 MB need 4000 MB of memory, and the "
                "mapper has 1769; raise mapper.memory, lower max_record, or use engine: batch"
            ),
        ),
        (
            "mapper: {init_script: map.sh, memory: 128}",
            (
                "mapper.memory: records of 64 MB need 256 MB of memory, and the mapper has "
                "128; raise mapper.memory, lower max_record, or use engine: batch"
            ),
        ),
        (
            "format: xml",
            "format.type: 'xml' is not one of lines, csv, jsonl, whole",
        ),
        (
            "format: {type: csv, quote: §}",
            "format.quote: '§' is not one ASCII character",
        ),
        (
            "output: [{path: texts/in/results}]",
            (
                "output[0].path: files written to 'texts/in/results' start functions in an "
                "endless loop ('words' → 'words'); write to a folder that no input watches, or set "
                "mapreduce.allow_loop: true"
            ),
        ),
        (
            "output: [{path: a-1}, {path: a-2}]",
            "output: has 2 entries, and a MapReduce has one output; give one",
        ),
        (
            "input: [{storage_provider: minio.x, path: a-1/in}]",
            (
                "input[0].storage_provider: 'minio.x': a MapReduce reads and writes buckets "
                "of its own account only; use 's3'"
            ),
        ),
        (
            "reducer: {container: {image: x}}\ncombiner: reducer",
            (
                "combiner: the reducer can combine only if it is a script, which runs in the "
                "mapper's image as well; give reducer.init_script, or a script here"
            ),
        ),
        (
            "contract: marla\npairs: json",
            "pairs: 'marla' has its own form of pairs; remove it",
        ),
        (
            "mapper: {}",
            ": the mapper has no program; give mapper.init_script, or an image of its own that starts it",
        ),
        (
            "reducer: {count: 2}",
            ": the reducer has no program; give reducer.init_script, or an image of its own that starts it",
        ),
        (
            "contract: marla",
            (
                "mapper.init_script: 'map.sh' has no function mapper and no function reducer; "
                "see docs/mapreduce.md for what MARLA's files are"
            ),
        ),
        (
            "contract: marla\nmapper: shell.sh",
            (
                "mapper.init_script: 'shell.sh' is not Python, as 'marla' needs: invalid syntax (<unknown>, line 2); "
                "see docs/mapreduce.md for what MARLA's files are"
            ),
        ),
        (
            "output: [{path: texts/out, suffix: [.x]}]",
            "output[0].suffix: does not fit: all results are stored; remove it",
        ),
        (
            "mapper: gone.sh",
            (
                "mapper.init_script: 'gone.sh' does not exist in DIRECTORY; paths are "
                "relative to the directory of the FDL file"
            ),
        ),
        (
            "container: {}",
            ": the mapper has no image; add container: {image: …}",
        ),
        (
            "memory: 5",
            (
                "memory: the key 'memory' is unknown; 'memory' belongs below "
                "functions.aws[].mapreduce.mapper or functions.aws[].mapreduce.reducer"
            ),
        ),
        (
            "engine: batch\nmapper: {init_script: map.sh}\nsplit: 1000",
            None,
        ),
    ],
)
def test_mistakes_are_said_with_their_places(load_text: Load, tmp_path: Path, lines: str, said: str | None) -> None:
    given = {line.partition(":")[0] for line in lines.splitlines()}
    kept = [
        f"      # {line.strip()}" if line.strip().partition(":")[0] in given and line.startswith("      ") else line
        for line in LEAST.splitlines()
    ]
    text = "\n".join([*kept, *(f"      {line}" for line in lines.splitlines()), ""])
    if said is None:
        load_text(text)
        return
    with pytest.raises(FdlError) as caught:
        load_text(text)
    found = [shown(problem, tmp_path).partition(" functions.aws[0].mapreduce")[2] for problem in caught.value.problems]
    assert said in [text.removeprefix(".") for text in found]


def test_an_entry_is_a_function_or_a_mapreduce(load_text: Load) -> None:
    text = LEAST + "    lambda: {name: a, container: {image: debian}}\n"
    with pytest.raises(FdlError, match="'lambda' and 'mapreduce' cannot both be given; give one of them"):
        load_text(text)
    with pytest.raises(FdlError, match="a MapReduce has no HTTP endpoint: files start it; remove it"):
        load_text(LEAST + "    api_gateway: {name: api}\n")


def test_the_functions_of_a_mapreduce_have_names_too(load_text: Load) -> None:
    with pytest.raises(FdlError, match="'words-map' is also the name of another function"):
        load_text(LEAST + "  - lambda: {name: words-map, container: {image: debian}}\n")


def test_loops_through_functions_and_mapreduces_are_found(load_text: Load) -> None:
    back = (
        "  - lambda: {name: back, container: {image: debian}, input: [{path: texts/out}], output: [{path: texts/in}]}\n"
    )
    with pytest.raises(FdlError, match="endless loop"):
        load_text(LEAST + back)
    chain = back.replace("texts/in", "texts/final")
    assert load_text(LEAST + chain).warnings == ()


def test_what_has_no_effect_is_said(load_text: Load) -> None:
    text = LEAST.replace("{path: texts/in}", "{path: texts/in, suffix: [.gz]}")
    said = {problem.path: problem.message for problem in load_text(text + "      format: {quote: x}\n").warnings}
    assert said == {
        "functions.aws[0].mapreduce.input[0].suffix": (
            "files '.gz' cannot be split: one mapper reads each, as it is, and has to unpack it"
        ),
        "functions.aws[0].mapreduce.format.quote": "has no effect: only csv has it, and the type is lines",
    }


def test_variables_of_a_task_fit_into_lambda(load_text: Load) -> None:
    text = LEAST.replace("{image: debian}", f"{{image: debian, environment: {{Variables: {{LONG: {'x' * 3000}}}}}}}")
    with pytest.raises(FdlError, match=r"mapreduce\.mapper\.container: the variables of a task take 4,5\d\d bytes"):
        load_text(text)

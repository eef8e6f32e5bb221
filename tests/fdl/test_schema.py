"""The tables of the language are sound, and checking a file drags nothing heavy in."""

import re
import subprocess
import sys
from collections.abc import Iterator

from scar_pulumi.fdl.checker import Checker
from scar_pulumi.fdl.kinds import Choice, Items, Key, Kind, Section, Table, Text
from scar_pulumi.fdl.problems import Mark, Report
from scar_pulumi.fdl.tables import DEFAULTS, DOCUMENT
from scar_pulumi.fdl.tree import typed_node


def _keys(kind: Kind, path: str = "") -> Iterator[tuple[str, Section, Key]]:
    if isinstance(kind, Section):
        for name, key in kind.keys.items():
            yield f"{path}.{name}", kind, key
            yield from _keys(key.kind, f"{path}.{name}")
    elif isinstance(kind, Items | Table):
        yield from _keys(kind.of, f"{path}[]")


def test_every_key_is_documented_in_a_sentence() -> None:
    assert [path for path, _, key in _keys(DOCUMENT) if not key.doc.endswith(".")] == []


def test_every_default_passes_its_own_check() -> None:
    for path, _, key in _keys(DOCUMENT):
        if key.default is not None:
            report = Report()
            value = Checker(report).check(key.kind, typed_node(key.default, Mark("default")), path)
            assert not report.problems()
            assert value == (list(key.default) if isinstance(key.default, tuple) else key.default)


def test_every_section_names_keys_that_it_has() -> None:
    for _, section, _ in _keys(DOCUMENT):
        named = (*section.exactly_one, *section.at_least_one, *section.together, *filter(None, [section.shorthand]))
        assert set(named) <= section.keys.keys()


def test_every_rule_is_a_regular_expression_and_every_link_is_one() -> None:
    for _, _, key in _keys(DOCUMENT):
        assert key.link is None or key.link.startswith("https://docs.aws.amazon.com/")
        for kind in (key.kind, *([key.kind.of, key.kind.names] if isinstance(key.kind, Table) else [])):
            for rule in kind.rules if isinstance(kind, Text) else ():
                assert re.compile(rule.pattern)


def test_a_choice_that_ignores_case_has_no_two_values_that_differ_in_case_only() -> None:
    folded = [key.kind for _, _, key in _keys(DOCUMENT) if isinstance(key.kind, Choice) and key.kind.fold]
    assert folded
    assert all(len({str(value).upper() for value in kind.values}) == len(kind.values) for kind in folded)


def test_the_defaults_file_speaks_the_same_language() -> None:
    assert DEFAULTS.keys["storage_providers"] is DOCUMENT.keys["storage_providers"]


def test_checking_a_file_imports_nothing_of_pulumi_or_of_a_cloud() -> None:
    code = "import sys, scar_pulumi.fdl; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "yaml" in loaded
    assert not {"pulumi", "pulumi_aws", "boto3", "botocore", "obstore", "grpc", "difflib", "asyncio"} & set(loaded)

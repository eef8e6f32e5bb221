from pathlib import Path

from scar_pulumi.cli.main import GROUPS
from scar_pulumi.cli.reference import reference

FILE = Path(__file__).parents[2] / "docs" / "cli-reference.md"


def test_the_reference_is_current() -> None:
    current = FILE.read_text()
    assert current == reference(), "run: python -m scar_pulumi.cli.reference docs/cli-reference.md"


def test_every_verb_action_argument_and_option_is_described() -> None:
    text = reference()
    for verbs in GROUPS.values():
        for verb in verbs:
            command = verb.load()
            actions = getattr(command, "commands", {verb.name: command})
            for action in actions.values():
                assert f"scar-pulumi {verb.name}" in text
                for parameter in action.params:
                    assert parameter.help, f"{verb.name} {action.name} {parameter.name}: says nothing about itself"

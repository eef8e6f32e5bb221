"""`doctor`: whether everything that a stack needs is there, and the way out where it is not."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from scar_foundation.errors import ScarError
from scar_pulumi.cli.console import Console, printable
from scar_pulumi.cli.options import Document, json_option, stack_option
from scar_pulumi.cli.output import count

if TYPE_CHECKING:
    from scar_pulumi.deployments.doctor import Finding

_MARKS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}


class Unfit(ScarError):  # noqa: N818 - says what was found
    """Something that a stack needs is missing; `findings` holds all that was found."""

    def __init__(self, findings: Sequence["Finding"]) -> None:
        failed = [finding for finding in findings if finding.verdict == "fail"]
        super().__init__(f"{count(len(failed), 'check')} failed: {', '.join(finding.subject for finding in failed)}")
        self.findings = findings

    def document(self) -> dict[str, Any]:
        """Return everything that was found."""
        return {"findings": [finding.document() for finding in self.findings]}


@click.command
@stack_option
@json_option
@click.pass_obj
def doctor(console: Console, stack: str) -> Document:
    """Check that this machine and the account have what a stack needs.

    Nothing is built, installed, started or changed. For a stack on AWS it looks at the account, the clock and quotas,
    for a local one at the local cloud.
    """
    from scar_pulumi.deployments.doctor import examine  # noqa: PLC0415 - help needs none of it

    findings = []
    for finding in examine(stack):
        findings.append(finding)
        mark, colour = _MARKS[finding.verdict]
        advice = f"; {finding.advice}" if finding.advice else ""
        mark = click.style(mark, fg=colour) if console.stdout.isatty() else mark
        console.say(f"{mark}  {finding.subject}: {printable(finding.found + advice)}")
    if any(finding.verdict == "fail" for finding in findings):
        raise Unfit(findings)
    return {"findings": [finding.document() for finding in findings]}

"""What the local cloud keeps of EventBridge: what is due when, and what is to be delivered."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from scar_pulumi.cloud.database import Database

_TABLES = """
CREATE TABLE IF NOT EXISTS schedules (
    arn TEXT PRIMARY KEY, document TEXT, due REAL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS schedules_due ON schedules (due);
CREATE TABLE IF NOT EXISTS schedule_groups (arn TEXT PRIMARY KEY, document TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rule_targets (rule TEXT, id TEXT, document TEXT, PRIMARY KEY (rule, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event_deliveries (
    id TEXT PRIMARY KEY, target TEXT, payload TEXT, created REAL, attempts INTEGER) WITHOUT ROWID;
"""

Document = dict[str, Any]


@dataclass
class Delivery:
    """Something to hand to a target; `target` is AWS's document of it, with `source`, the ARN of what sends it."""

    id: str
    target: Document
    payload: str
    created: float
    attempts: int = field(default=0)


class EventStore:
    """The tables, and all SQL on them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(_TABLES)
        self.transaction = database.transaction
        self.flushed = database.flushed

    # Schedules, those of rules included

    def schedule(self, arn: str) -> Document | None:
        """Return a schedule's document."""
        row = self._database.row("SELECT document FROM schedules WHERE arn = ?", arn)
        return json.loads(row[0]) if row else None

    def schedules(self, start: str) -> list[Document]:
        """Return the schedules whose ARNs start so, by name."""
        query = "SELECT document FROM schedules WHERE substr(arn, 1, ?) = ? ORDER BY arn"
        return [json.loads(text) for (text,) in self._database.rows(query, len(start), start)]

    def put_schedule(self, arn: str, document: Document, due: float | None) -> None:
        """Store a schedule and when it is due next."""
        statement = "INSERT OR REPLACE INTO schedules (arn, document, due) VALUES (?, ?, ?)"
        self._database.write(statement, arn, json.dumps(document), due)

    def remove_schedule(self, arn: str) -> None:
        """Forget a schedule."""
        self._database.write("DELETE FROM schedules WHERE arn = ?", arn)

    def due(self, now: float) -> list[tuple[str, Document, float]]:
        """Return what is due by now: ARN, document and when it was."""
        query = "SELECT arn, document, due FROM schedules WHERE due <= ? ORDER BY due"
        return [(arn, json.loads(text), due) for arn, text, due in self._database.rows(query, now)]

    def due_of(self, arn: str) -> float | None:
        """Return when a schedule is due next."""
        row = self._database.row("SELECT due FROM schedules WHERE arn = ?", arn)
        return row[0] if row else None

    def next_due(self) -> float | None:
        """Return when something is due next."""
        row = self._database.row("SELECT min(due) FROM schedules")
        return row[0] if row else None

    def set_due(self, arn: str, due: float | None) -> None:
        """Store when a schedule is due next."""
        self._database.write("UPDATE schedules SET due = ? WHERE arn = ?", due, arn)

    # Groups of schedules

    def group(self, arn: str) -> Document | None:
        """Return a group's document."""
        row = self._database.row("SELECT document FROM schedule_groups WHERE arn = ?", arn)
        return json.loads(row[0]) if row else None

    def groups(self, start: str) -> list[Document]:
        """Return the groups whose ARNs start so, by name."""
        query = "SELECT document FROM schedule_groups WHERE substr(arn, 1, ?) = ? ORDER BY arn"
        return [json.loads(text) for (text,) in self._database.rows(query, len(start), start)]

    def put_group(self, arn: str, document: Document) -> None:
        """Store a group."""
        self._database.write("INSERT OR REPLACE INTO schedule_groups VALUES (?, ?)", arn, json.dumps(document))

    def remove_group(self, arn: str, schedules: str) -> None:
        """Forget a group, and the schedules whose ARNs start so."""
        with self.transaction():
            self._database.write("DELETE FROM schedule_groups WHERE arn = ?", arn)
            self._database.write("DELETE FROM schedules WHERE substr(arn, 1, ?) = ?", len(schedules), schedules)

    # Targets of rules

    def targets(self, rule: str) -> list[Document]:
        """Return a rule's targets, by id."""
        query = "SELECT document FROM rule_targets WHERE rule = ? ORDER BY id"
        return [json.loads(text) for (text,) in self._database.rows(query, rule)]

    def rules_with(self, target: str) -> list[str]:
        """Return the ARNs of the rules that have a target."""
        query = "SELECT DISTINCT rule FROM rule_targets WHERE json_extract(document, '$.Arn') = ? ORDER BY rule"
        return [rule for (rule,) in self._database.rows(query, target)]

    def put_target(self, rule: str, document: Document) -> None:
        """Store a target."""
        statement = "INSERT OR REPLACE INTO rule_targets VALUES (?, ?, ?)"
        self._database.write(statement, rule, document["Id"], json.dumps(document))

    def remove_target(self, rule: str, identifier: str) -> bool:
        """Forget a target; return whether there was one."""
        known = self._database.row("SELECT 1 FROM rule_targets WHERE rule = ? AND id = ?", rule, identifier)
        self._database.write("DELETE FROM rule_targets WHERE rule = ? AND id = ?", rule, identifier)
        return known is not None

    # Deliveries

    def add_deliveries(self, deliveries: Iterable[Delivery]) -> None:
        """Store what is to be delivered."""
        rows = ((one.id, json.dumps(one.target), one.payload, one.created, one.attempts) for one in deliveries)
        self._database.write_all("INSERT INTO event_deliveries VALUES (?, ?, ?, ?, ?)", rows)

    def deliveries(self) -> list[Delivery]:
        """Return what is still to be delivered, the oldest first."""
        rows = self._database.rows("SELECT * FROM event_deliveries ORDER BY created")
        return [Delivery(id_, json.loads(target), *rest) for id_, target, *rest in rows]

    def tried(self, delivery: Delivery) -> None:
        """Store one more attempt."""
        delivery.attempts += 1
        statement = "UPDATE event_deliveries SET attempts = ? WHERE id = ?"
        self._database.write(statement, delivery.attempts, delivery.id)

    def remove_delivery(self, identifier: str) -> None:
        """Forget what was delivered."""
        self._database.write("DELETE FROM event_deliveries WHERE id = ?", identifier)

"""What an update would change, and whether the object has to be replaced for it."""

from dataclasses import dataclass, field

from scar_pulumi.stand_ins.kubernetes.compare import changed_paths
from scar_pulumi.stand_ins.kubernetes.replacements import replaces


@dataclass
class Difference:
    """Changed property paths as "add", "delete" or "update", and the fields whose change replaces the object."""

    paths: dict[str, str]
    replacing: tuple[str, ...] = field(default=())

    @property
    def replaced(self) -> list[str]:
        """The changed paths that replace the object."""
        return [path for path in self.paths if self.is_replacing(path)]

    def is_replacing(self, path: str) -> bool:
        """Whether a path replaces the object."""
        return replaces(path, self.replacing)

    def ignore(self, ignored: list[str]) -> None:
        """Leave out what the program told the engine to ignore."""
        self.paths = {path: kind for path, kind in self.paths.items() if not replaces(path, tuple(ignored))}


def difference(olds: dict[str, object], news: dict[str, object], replacing: tuple[str, ...]) -> Difference:
    """Compare the inputs of two declarations."""
    return Difference(dict(changed_paths(olds, news)), replacing)

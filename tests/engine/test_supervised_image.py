"""SupervisedImage under the real engine: what previews, updates and refreshes do, against a real registry."""

import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi import automation

from scar_components.supervised_image import SupervisedImage, SupervisedImageArgs
from scar_pulumi.engine import find_engine, stack_environment
from tests.images import images
from tests.images.servers import Registry, running_registry

TYPE = "scar:index:SupervisedImage"


class Project:
    """A stack with one image, whose program is what the test sets."""

    def __init__(self, folder: Path, repository: str) -> None:
        self.repository = repository
        self.args: SupervisedImageArgs = {
            "repository_url": repository,
            "image_file": str(images.docker_old(folder / "base.tar", images.layers(os.urandom(4)))),
        }
        self.stack = automation.create_stack("dev", project_name="images", program=self._program)

    def _program(self) -> None:
        image = SupervisedImage("tool", self.args)
        pulumi.export("uri", image.image_uri)
        pulumi.export("digest", image.digest)

    def preview(self) -> dict[str, Any]:
        """Return the inputs that the image would have."""
        seen: dict[str, Any] = {}

        def note(event: automation.EngineEvent) -> None:
            step = event.resource_pre_event and event.resource_pre_event.metadata
            if step and step.type == TYPE and step.new:
                seen.update(step.new.inputs or {}, op=step.op)

        self.stack.preview(on_event=note)
        return seen

    def up(self) -> tuple[dict[str, int], dict[str, Any]]:
        """Return the changes and the outputs."""
        result = self.stack.up()
        counts = result.summary.resource_changes or {}
        changes = {str(getattr(op, "value", op)): count for op, count in counts.items()}
        return changes, {name: output.value for name, output in result.outputs.items()}

    def state(self) -> dict[str, Any]:
        """Return the image as the stack's state has it."""
        deployment: Any = self.stack.export_stack().deployment
        found: dict[str, Any] = next(item for item in deployment["resources"] if item["type"] == TYPE)
        return found

    def images(self) -> set[str]:
        """Digests of the images that the registry has."""
        host, _, name = self.repository.partition("/")
        with urllib.request.urlopen(f"http://{host}/v2/{name}/tags/list") as response:
            tags = json.load(response)["tags"] or []
        found = set()
        for tag in tags:
            with urllib.request.urlopen(f"http://{host}/v2/{name}/manifests/{tag}") as response:
                found.add(images.digest(response.read()))
        return found


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with running_registry() as registry:
        yield registry


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("caches")


@pytest.fixture
def environment(tmp_path: Path, caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "backend").mkdir()
    own = {
        **stack_environment("dev", engine=find_engine()),
        "PULUMI_BACKEND_URL": (tmp_path / "backend").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "SCAR_CACHE_DIR": str(caches),
    }
    for key, value in own.items():
        monkeypatch.setenv(key, value)


@pytest.fixture
def new_project(tmp_path: Path, registry: Registry, environment: None) -> Iterator[Callable[[], Project]]:
    made: list[Project] = []

    def new() -> Project:
        repository = registry.create(f"r-{tmp_path.name[-30:].strip('_').lower()}")
        made.append(Project(tmp_path, repository))
        return made[-1]

    yield new
    for project in made:
        project.stack.destroy(remove=True)


def test_preview_knows_the_digest_and_up_pushes_only_what_is_new(
    new_project: Callable[[], Project], registry: Registry, tmp_path: Path
) -> None:
    project = new_project()
    previewed = project.preview()
    assert project.images() == set()
    changes, outputs = project.up()

    assert previewed["op"] == "create"
    assert outputs == {"digest": previewed["digest"], "uri": f"{project.repository}@{previewed['digest']}"}
    assert previewed["image_uri"] == outputs["uri"]
    assert project.images() == {outputs["digest"]}
    assert changes == {"create": 2}

    registry.requests()
    # The checkout moves, and its tar with it: nothing of that is in the state.
    moved = (tmp_path / "base.tar").rename(tmp_path / "moved.tar")
    project.args["image_file"] = str(moved)
    assert project.up() == ({"same": 2}, outputs)
    assert registry.requests() == []
    assert str(tmp_path) not in json.dumps(project.state())
    assert set(project.state()["inputs"]) == {"digest", "image_uri", "repository_url"}

    script = tmp_path / "script.sh"
    script.write_text("echo")
    project.args["script"] = str(script)
    update = project.preview()
    registry.requests()
    changes, updated = project.up()
    assert (update["op"], update["digest"]) == ("update", updated["digest"])
    assert changes == {"same": 1, "update": 1}
    assert project.images() == {outputs["digest"], updated["digest"]}
    assert registry.bytes_received() < 10_000


def test_a_lost_image_is_found_by_refresh_and_pushed_again(new_project: Callable[[], Project]) -> None:
    project = new_project()
    _, outputs = project.up()
    host, _, name = project.repository.partition("/")
    url = f"http://{host}/v2/{name}/manifests/{outputs['digest']}"
    urllib.request.urlopen(urllib.request.Request(url, method="DELETE")).close()
    project.stack.refresh()
    assert project.images() == set()

    assert project.up()[0] == {"create": 1, "same": 1}
    assert project.images() == {outputs["digest"]}


def test_a_bad_base_fails_the_preview_with_one_sentence(new_project: Callable[[], Project], tmp_path: Path) -> None:
    project = new_project()
    project.args["image_file"] = str(tmp_path / "absent.tar")

    message = r"tool: image_file \S+/absent.tar: no such file or directory; check the path"
    with pytest.raises(automation.CommandError, match=message) as caught:
        project.stack.preview()
    assert "Traceback" not in str(caught.value)


def test_a_push_that_fails_says_where_and_what_to_do(new_project: Callable[[], Project]) -> None:
    project = new_project()
    project.args["repository_url"] = "127.0.0.1:9/nobody"

    with pytest.raises(automation.CommandError, match=r"127.0.0.1:9: cannot be reached .*; check the network"):
        project.stack.up()

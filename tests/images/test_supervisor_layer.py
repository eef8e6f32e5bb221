"""Where the supervisor's layer comes from: the release, the pinned parts, and only then this machine's Python."""

import json
from pathlib import Path

import pytest

from scar_components.images.image import ImageError
from scar_components.images.supervisor_layer import supervisor


def release(bundler: Path, inputs: str) -> Path:
    folder = bundler.parent / "layers/x86_64"
    folder.mkdir(parents=True)
    (folder / "layer.tar.gz").write_bytes(b"released")
    facts = {"digest": "sha256:released", "diff_id": "sha256:tar", "size": 8, "entrypoint": ["/x"], "inputs": inputs}
    (folder / "layer.json").write_text(json.dumps(facts))
    return folder


def test_the_released_layer_is_used_as_it_is(bundler: Path) -> None:
    folder = release(bundler, "fingerprint-1")
    found = supervisor(bundler, "x86_64", pytest.fail)
    assert (found.layer.digest, found.entrypoint) == ("sha256:released", ("/x",))
    assert found.layer.source.read() == b"released"  # type: ignore[union-attr]
    assert folder.parent.parent == bundler.parent
    assert not (bundler.parent / "runs.txt").exists()


def test_a_layer_of_other_sources_is_not(bundler: Path) -> None:
    release(bundler, "of an older release")
    told: list[str] = []
    assert supervisor(bundler, "x86_64", told.append).layer.digest != "sha256:released"
    assert told == ["making the supervisor layer for x86_64 (only once)"]


def test_without_the_pinned_parts_it_is_made_from_this_python_and_says_so(bundler: Path) -> None:
    refuses = 'if "pinned" in sys.argv and "--output" in sys.argv:\n    sys.exit("apt is missing")\n'
    bundler.write_text(bundler.read_text().replace("arguments = ", f"{refuses}arguments = ", 1))
    told: list[str] = []
    first = supervisor(bundler, "x86_64", told.append)
    assert "apt is missing" in told[1]
    assert "made from this Python instead: on other machines the same function may differ" in told[1]
    assert supervisor(bundler, "x86_64", told.append) == first
    assert (bundler.parent / "runs.txt").read_text() == "run\n"


def test_what_cannot_be_made_at_all_is_an_error(bundler: Path) -> None:
    with pytest.raises(ImageError, match="arm64 cannot be made here; run on arm64"):
        supervisor(bundler, "arm64", lambda _: None)

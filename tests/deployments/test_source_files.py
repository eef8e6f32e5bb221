from pathlib import Path

from scar_pulumi.deployments.source_files import file_of, files_of, forget, forget_local, other_file, record


def test_the_file_of_a_deployment_is_remembered_until_it_is_gone(directories: Path) -> None:
    record("video", "local", directories / "a.yaml")
    record("video", "org/video/prod", directories / "b.yaml")
    assert file_of("video", "local") == directories / "a.yaml"
    assert list(files_of("org/video/prod")) == [directories / "b.yaml"]
    forget_local()
    assert (file_of("video", "local"), file_of("video", "org/video/prod")) == (None, directories / "b.yaml")
    forget("video", "org/video/prod")
    assert list(files_of("org/video/prod")) == []


def test_a_deployment_from_another_file_is_noticed(directories: Path) -> None:
    first, other = directories / "a.yaml", directories / "b.yaml"
    assert other_file("video", "local", other) is None
    record("video", "local", first)
    assert other_file("video", "local", Path("a.yaml")) is None
    assert other_file("video", "local", other) == first

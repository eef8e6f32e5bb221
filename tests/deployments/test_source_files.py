from pathlib import Path

from scar_pulumi.deployments.source_files import file_of, files_of, forget, forget_local, functions_lost, record


def test_the_file_of_a_deployment_is_remembered_until_it_is_gone(directories: Path) -> None:
    record("video", "local", directories / "a.yaml")
    record("video", "org/video/prod", directories / "b.yaml")
    assert file_of("video", "local") == directories / "a.yaml"
    assert list(files_of("org/video/prod")) == [directories / "b.yaml"]
    forget_local()
    assert (file_of("video", "local"), file_of("video", "org/video/prod")) == (None, directories / "b.yaml")
    forget("video", "org/video/prod")
    assert list(files_of("org/video/prod")) == []


def test_another_file_loses_the_functions_that_it_does_not_have(directories: Path) -> None:
    first, other = directories / "a.yaml", directories / "b.yaml"
    outputs: dict[str, object] = {"functions": {"upper": {}, "lower": {}}}
    assert functions_lost("video", "local", other, {"upper"}, outputs) is None
    record("video", "local", first)
    assert functions_lost("video", "local", first, {"upper"}, outputs) is None
    assert functions_lost("video", "local", other, {"upper"}, outputs) == (first, ["lower"])
    assert functions_lost("video", "local", other, {"upper", "lower", "new"}, outputs) is None

"""SCAR's tutorial, as it is typed: a function from flags, run, called, looked at and deleted."""

from pathlib import Path

import pytest

from tests.world.waiting import wait_for

from .conftest import Project, Terminal

pytestmark = pytest.mark.xdist_group("main_job")


def test_the_tutorial_works_as_it_is_typed(project: Project, terminal: Terminal, tmp_path: Path) -> None:
    folder = project.folder

    def scar(*typed: str) -> str:
        return terminal.scar(*typed, cwd=folder).stdout

    (folder / "cow.sh").write_text(
        '#!/bin/sh\necho "moo $TEST1"\ncat "$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"\n'
    )
    (folder / "runcow.sh").write_text("#!/bin/sh\necho from the run script\n")
    name, bucket = f"cow-{folder.name}", f"cows-{folder.name}"
    flags = ("-if", str(project.image), "-s", "cow.sh", "-e", "TEST1=45", "-m", "256")
    made = scar("init", "-n", name, *flags, "-ib", f"{bucket}/input", "-ob", f"{bucket}/output", "-y")
    assert made.endswith(f"Function '{name}' successfully created.\n")
    file = f"{name}.yaml"
    try:
        assert scar("run", "-n", name).splitlines()[3:] == ["moo 45"]
        assert "from the run script" in scar("run", "-f", file, "-s", "runcow.sh")
        assert scar("run", "-f", file, "cat", "/etc/passwd").splitlines()[3].startswith("root:")
        request = scar("run", "-n", name).splitlines()[0].removeprefix("Request Id: ")
        wait_for(lambda: "moo 45" in scar("log", "-n", name, "-ri", request), 30, "the log has the request")

        (folder / "daisy.txt").write_text("a daisy")
        scar("put", "-b", f"{bucket}/input", "-p", "daisy.txt")
        wait_for(lambda: "output/daisy.txt" in scar("ls", "-b", bucket), 60, "the result is there")
        scar("get", "-b", f"{bucket}/output", "-p", str(tmp_path / "got"))
        assert (tmp_path / "got" / "daisy.txt").read_text() == "a daisy"

        for number in range(3):
            (folder / f"many-{number}.txt").write_text(str(number))
            scar("put", "-b", f"{bucket}/raw", "-p", f"many-{number}.txt")
        assert scar("run", "-n", name, "-ib", f"{bucket}/raw").endswith(f"'{name}' launched correctly on 3 files\n")
        results = {f"output/many-{number}.txt" for number in range(3)}
        wait_for(lambda: results <= set(terminal.keys(f"{bucket}/output")), 60, "each file has its result")
    finally:
        assert scar("rm", "-n", name, "-y").endswith(f"Function '{name}' successfully deleted.\n")
    assert terminal.scar("run", "-n", name, check=False).status != 0

"""Cache and state directories of a test's own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of both, which is the current one, too."""
    monkeypatch.setenv("SCAR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SCAR_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path

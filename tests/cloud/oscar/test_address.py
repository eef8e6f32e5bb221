"""Addresses and the password of the local cloud's OSCAR clusters."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scar_pulumi.cloud.oscar import address


def test_everybody_who_asks_gets_one_password_that_only_the_owner_can_read(tmp_path: Path) -> None:
    directory = tmp_path / "local"
    with ThreadPoolExecutor(8) as pool:
        passwords = set(pool.map(lambda _: address.password(directory), range(16)))
    assert len(passwords) == 1
    assert len(passwords.pop()) >= 32
    assert [path.name for path in directory.iterdir()] == ["oscar-password"]
    assert stat.S_IMODE((directory / "oscar-password").stat().st_mode) == 0o600


def test_clusters_have_paths_of_their_own() -> None:
    assert address.cluster_endpoint("http://127.0.0.1:1/", "mine") == "http://127.0.0.1:1/_scar/oscar/mine"
    assert address.minio_endpoint("http://127.0.0.1:1", "mine") == "http://127.0.0.1:1/_scar/minio/mine"
    assert (
        address.minio_endpoint("http://127.0.0.1:1", "my cluster/a")
        == "http://127.0.0.1:1/_scar/minio/my%20cluster%2Fa"
    )


def test_clusters_have_keys_of_their_own(tmp_path: Path) -> None:
    one, other = (address.minio_settings("http://127.0.0.1:1", tmp_path, name) for name in ("one", "my cluster/a"))
    assert one["access_key"] != other["access_key"]
    assert one["secret_key"] != other["secret_key"]
    assert address.password(tmp_path) not in (one["secret_key"], other["secret_key"])
    assert [address.cluster_of(keys["access_key"]) for keys in (one, other)] == ["one", "my cluster/a"]
    assert address.cluster_of("test") is None

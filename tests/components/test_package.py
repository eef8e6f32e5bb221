"""Packages whose names are imported when they are used."""

import subprocess
import sys
import typing
from types import ModuleType
from typing import Any

import pytest

import scar_components


def test_the_package_lists_its_components_and_imports_none() -> None:
    code = (
        "import sys, scar_components; print('LambdaContainerFunction' in dir(scar_components), 'pulumi' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert told == "True False\n"


def test_every_listed_name_can_be_imported() -> None:
    for name in dir(scar_components):
        assert getattr(scar_components, name).__name__ == name


def test_the_types_of_all_arguments_are_exported() -> None:
    exported = {getattr(scar_components, name) for name in dir(scar_components)}
    modules = {id(one): one for one in map(_module_of, exported)}.values()
    declared = {one for module in modules for one in vars(module).values() if _is_type_of_arguments(one)}

    assert {one.__name__ for one in declared - exported} == set()


def _module_of(named: Any) -> ModuleType:
    return sys.modules[named.__module__]


def _is_type_of_arguments(named: Any) -> bool:
    return isinstance(named, type) and typing.is_typeddict(named)


def test_importing_a_component_from_the_wrong_package_says_where_it_is() -> None:
    with pytest.raises(ImportError, match="use `from scar_components import StorageBucket`"):
        from scar_pulumi import StorageBucket  # type: ignore[attr-defined]  # noqa: F401 - it is the mistake
    assert not hasattr(sys.modules["scar_pulumi"], "Bucket")

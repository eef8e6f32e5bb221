"""Packages whose names are imported when they are used."""

import subprocess
import sys

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

"""What is no code and has to be there where the package is installed."""

from __future__ import annotations

import tomllib

from tests.helpers import ROOT


def test_every_file_of_the_package_is_installed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folder = ROOT / "compiler"
    patterns = settings["tool"]["setuptools"]["package-data"]["compiler"]
    installed = {path for pattern in patterns for path in folder.glob(pattern)}
    other = {path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    examples = {path for path in installed if path.parts[len(folder.parts)] == "examples"}  # behind a link
    assert other == installed - examples
    assert {path.name for path in other} >= {"weightspec.schema.json", "addition.yaml"}
    assert {path.resolve() for path in examples} == set((ROOT / "specs").rglob("*.yaml"))

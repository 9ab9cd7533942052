"""The package installed into a new environment, without the checkout, called from another folder.

Its dependencies are those of the environment of the tests; `make test-long` installs them anew.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from compiler.source.version import own_code
from tests.helpers import ROOT

LEFT_OUT = ("PYTHONPATH", "VIRTUAL_ENV")


def copied(folder: Path) -> Path:
    """What is built, as a copy: building leaves files beside it."""
    folder.mkdir()
    for name in ("cli.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("compiler", "specs"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True)
    return folder


class Installed:
    """An environment with the package in it, and an empty folder to call it from."""

    def __init__(self, folder: Path, *, alone: bool) -> None:
        self.folder = folder / "elsewhere"
        self.folder.mkdir()
        self.bin = folder / "env" / "bin"
        venv.create(folder / "env", with_pip=alone, symlinks=True)
        source, constraints = copied(folder / "source"), ROOT / "constraints.txt"
        if alone:
            self._pip(self.bin / "python", "install", "--constraint", constraints, source)
            return
        here = ("--no-deps", "--no-build-isolation")  # built by what the tests have
        self._pip(sys.executable, "wheel", *here, "--wheel-dir", folder, source)
        (wheel,) = folder.glob("*.whl")
        self._pip(sys.executable, "--python", self.bin / "python", "install", "--no-deps", "--no-index", wheel)
        (own,) = (folder / "env" / "lib").glob("python*/site-packages")
        others = [entry for entry in sys.path if entry.endswith("site-packages")]
        (own / "others.pth").write_text("\n".join(others), encoding="utf-8")

    def _pip(self, python: Path | str, *words: Path | str) -> None:
        subprocess.run([python, "-m", "pip", "-qq", *words], check=True, cwd=self.folder)

    def run(self, *words: str, typed: str = "", code: int = 0) -> str:
        """What `weightspec` prints to standard output."""
        environment = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
        called = subprocess.run(
            [self.bin / words[0], *words[1:]],
            cwd=self.folder,
            env=environment,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        assert called.returncode == code, called.stderr
        return called.stdout


@pytest.fixture(scope="module", params=[False, pytest.param(True, marks=pytest.mark.long)], ids=["shared", "alone"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"), alone=request.param)


def test_it_is_the_installed_package(installed: Installed) -> None:
    where = installed.run("python", "-c", "import compiler; print(compiler.__file__)")
    assert where.startswith(str(installed.bin.parent))
    assert "weightspec 0.1.0" in installed.run("weightspec", "--version")
    code = installed.run("python", "-c", "from compiler.source.version import own_code; print(own_code())")
    assert code == f"{own_code()}\n"  # so that a cluster may have either


def test_examples_are_found_by_name_from_anywhere(installed: Installed) -> None:
    shown = json.loads(installed.run("weightspec", "show", "tiny95", "--json"))
    assert shown["name"] == "tiny95"
    assert str(ROOT) not in shown["spec"]
    installed.run("weightspec", "validate", "tiny95-exact", "parity", "Wonderfall_121p", "sort", "--strict")
    assert "8 + 9 = 17" in installed.run("python", "-m", "compiler", "run", "qwen20", "8", "9")


def test_a_spec_is_written_and_checked(installed: Installed) -> None:
    told = installed.run("weightspec", "new", "mine", "--like", "parity")
    assert "weightspec build mine.yaml --eval" in told
    written = (installed.folder / "mine.yaml").read_text(encoding="utf-8")
    assert "cli.py" not in told + written
    schema = Path(unquote(urlsplit(written.split("\n")[0].partition("$schema=")[2]).path))
    assert schema.is_file()
    assert not schema.is_relative_to(ROOT.resolve())
    installed.run("weightspec", "fmt", "mine.yaml", "--check")


def test_help_names_the_command_as_it_was_called(installed: Installed) -> None:
    for words, page in ((["weightspec"], "eval"), (["python", "-m", "compiler"], "new")):
        shown = installed.run(*words, page, "-h")
        assert "cli.py" not in shown
        assert f"  {' '.join(words)} {page} " in shown


@pytest.mark.long
def test_every_command_works(installed: Installed) -> None:
    installed.run("weightspec", "new", "whole", "--like", "parity")
    assert "1,024" in installed.run("weightspec", "build", "whole.yaml", "--eval", "-o", "whole.safetensors")
    installed.run("weightspec", "diff", "whole.yaml", "whole.safetensors")
    installed.run("weightspec", "report", "whole.yaml", "-o", "page.md")
    installed.run("weightspec", "lint", "whole.yaml")
    assert json.loads(installed.run("weightspec", "schema"))["title"]
    assert "PROVED" in installed.run("weightspec", "verify", "reverse")
    assert "right" in installed.run("weightspec", "eval", "parity", "--suite", "edges")
    assert "free" in installed.run("weightspec", "count", "qwen20", "--assert", "free=20")
    assert "unit" in installed.run("weightspec", "ablate", "parity")
    for page in ([], ["count"], ["verify"]):
        assert "cli.py" not in installed.run("weightspec", *page, "--help")

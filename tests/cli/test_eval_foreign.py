"""`eval --model`: files of other programs, good and bad, and what is refused in a call."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from itertools import product
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import one_hot

import compiler
from tests.cli.test_cli import QWEN, TINY, call, call_json
from tests.helpers import HANGS, ROOT

TASK = """\
vocabulary: symbol[4]
task:
  copy: {symbols: 4, length: 3}
  prompt: word
  answer: {in_place: word}
"""
ADDITION = """\
vocabulary: digit[10] + =
task:
  addition: {base: 10, digits: 10}
  prompt: a + b =
  answer: sum
"""
RIGHT = sum(3 not in word for word in product(range(4), repeat=3))  # of 64: what Copies answers right


pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


class Copies(nn.Module):
    """Says each token that it reads, but 0 for a 3."""

    def forward(self, tokens: Tensor) -> Tensor:
        return one_hot(tokens % 3, 4).float()


class Same(nn.Module):
    """Says 0 whatever it reads."""

    def forward(self, tokens: Tensor) -> Tensor:
        return one_hot(tokens * 0, 4).float()


class Flat(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        return tokens.float()


class Wide(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        return one_hot(tokens, 5).float()


class Whole(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        return one_hot(tokens, 4)


class Pair(nn.Module):
    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return tokens, tokens


class Fails(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        return one_hot(tokens, 4).float() + torch.zeros(7)


class Nothing(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        return one_hot(tokens, 4).float() / 0 * 0


class Hangs(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        while bool((tokens >= 0).all()):
            tokens = tokens * 1
        return tokens


class Bomb:
    """What would leave a file behind where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.trace), "w")


MODULES = (Copies, Same, Flat, Wide, Whole, Pair, Fails, Nothing, Hangs)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "task.yaml").write_text(TASK, encoding="utf-8")
    for module in MODULES:
        torch.jit.script(module()).save(str(folder / f"{module.__name__.lower()}.pt"))  # type: ignore[no-untyped-call]
    spec = compiler.load(QWEN, {"digits": 2})
    tensors = {name: tensor.clone() for name, tensor in compiler.build(spec).state_dict().items()}
    first = next(iter(tensors))
    save_file(tensors, folder / "good.safetensors")
    save_file({f"model.{name}": tensor for name, tensor in tensors.items()}, folder / "renamed.safetensors")
    save_file({**tensors, first: tensors[first][:-1]}, folder / "shape.safetensors")
    save_file({name: tensor.double() for name, tensor in tensors.items()}, folder / "double.safetensors")
    save_file({**tensors, "extra": torch.zeros(2)}, folder / "extra.safetensors")
    torch.save(tensors, folder / "state.pt")
    torch.save({"bomb": Bomb(folder / "exploded")}, folder / "bomb.pt")
    (folder / "bomb.pkl").write_bytes(pickle.dumps(Bomb(folder / "exploded")))
    (folder / "text.pt2").write_text("no model at all", encoding="utf-8")
    for file, name in (("empty.pt2", "readme"), ("script.pt", "constants.pkl"), ("export.pt2", "archive_format")):
        with zipfile.ZipFile(folder / file, "w") as archive:
            archive.writestr(f"model/{name}", "pt2")
    for name in ("good.safetensors", "copies.pt"):
        whole = (folder / name).read_bytes()
        (folder / f"cut-{name}").write_bytes(whole[: len(whole) // 2])
    (folder / "many.pt2").write_bytes(b"PK\x01\x02" * 70_000)
    (folder / "folder.pt").mkdir()
    return folder


@pytest.fixture
def folder(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(made)
    return made


def asked(file: str, *words: str) -> tuple[str, ...]:
    return ("eval", "--model", file, "--task", "task.yaml", "--trust-code", *words)


def test_a_scripted_module_is_asked_a_task(folder: Path) -> None:
    result = call(*asked("copies.pt", "--suite", "exhaustive"))
    assert result.exit_code == 0
    assert re.search(rf"^exhaustive +{RIGHT} +64 +{64 - RIGHT} wrong", result.stdout, flags=re.MULTILINE)
    assert "copies.pt: TorchScript; asked what task.yaml says\n" in result.stdout
    assert f"sha256 {sha256((folder / 'copies.pt').read_bytes()).hexdigest()}\n" in result.stdout


def test_an_exported_module_is_asked_a_task(folder: Path) -> None:
    from torch.export import Dim, export, save

    program = export(Copies(), (torch.zeros(1, 3, dtype=torch.int64),))
    save(program, "fixed.pt2")
    save(export(Copies(), (torch.zeros(1, 2, dtype=torch.int64),), dynamic_shapes=({1: Dim("time")},)), "any.pt2")
    save(export(Copies(), (torch.zeros(1, 4, dtype=torch.int64),)), "other.pt2")
    for file in ("fixed.pt2", "any.pt2"):
        found = call_json(*asked(file, "--suite", "exhaustive"))
        assert (found["right"], found["inputs"], found["model"]["kind"]) == (RIGHT, 64, "torch.export")
    (refusal,) = call_json(*asked("fixed.pt2", "--batch", "4"), exit_code=2)["errors"]
    assert "leave --batch out" in refusal["hint"]
    (refusal,) = call_json(*asked("other.pt2"), exit_code=2)["errors"]
    assert (refusal["code"], "[1, 3]" in refusal["message"]) == ("bad-module", True)


def test_tensors_are_asked_what_the_spec_of_their_network_asks(folder: Path) -> None:
    call_words = ("eval", "--model", "good.safetensors", "--like", QWEN, "--set", "digits=2", "--suite", "edges")
    found, own = (call_json(*words) for words in (call_words, ("eval", QWEN, *call_words[5:])))
    assert [found[name] for name in ("right", "inputs", "spec", "settings")] == [
        own[name] for name in ("right", "inputs", "spec", "settings")
    ]
    digest = sha256((folder / "good.safetensors").read_bytes()).hexdigest()
    assert found["model"] == {"file": "good.safetensors", "kind": "safetensors", "sha256": digest, "like": QWEN}
    assert "model" not in own


def test_logits_that_are_no_numbers_are_wrong_answers(folder: Path) -> None:
    result = call(*asked("nothing.pt", "--suite", "edges"))
    assert (result.exit_code, "NaN logits at answer token 1" in result.stdout) == (0, True)


def test_a_protocol_that_is_not_passed_decides_the_exit_code(folder: Path) -> None:
    (folder / "addition.yaml").write_text(ADDITION, encoding="utf-8")
    words = ("--trust-code", "--protocol", "adderboard", "--batch", "2000")
    result = call("eval", "--model", "same.pt", "--task", "addition.yaml", *words)
    assert result.exit_code == 1
    assert "not qualified for adderboard: 1 of 10,010 right" in result.stdout  # 0 + 0


LIKE = ("--like", QWEN, "--set", "digits=2")
BAD: list[tuple[str, tuple[str, ...], str, str]] = [  # file, further words, code of the first error, what it says
    ("nowhere.pt", ("--task", "task.yaml"), "missing-file", "no such file"),
    ("nowhere.safetensors", LIKE, "missing-file", "no such file"),
    ("folder.pt", ("--task", "task.yaml"), "cannot-read", "a directory"),
    ("copies.pt", ("--task", "nowhere.yaml"), "missing-file", "no such file"),
    ("copies.pt", ("--task", "copies.pt"), "not-text", "not UTF-8"),
    ("copies.pt", ("--task", "task.yaml"), "untrusted-code", "TorchScript holds code"),
    ("copies.pt", ("--task", "task.yaml", *LIKE[:2], "--trust-code"), "bad-value", "a network of its own"),
    ("cut-copies.pt", ("--task", "task.yaml", "--trust-code"), "bad-model-file", "no model that can be read"),
    ("script.pt", ("--task", "task.yaml", "--trust-code"), "bad-model-file", "TorchScript cannot read it"),
    ("export.pt2", ("--task", "task.yaml", "--trust-code"), "bad-model-file", "torch.export cannot read it"),
    ("export.pt2", ("--task", "task.yaml"), "untrusted-code", "torch.export holds code"),
    ("text.pt2", ("--task", "task.yaml", "--trust-code"), "bad-model-file", "no model that can be read"),
    ("empty.pt2", ("--task", "task.yaml", "--trust-code"), "bad-model-file", "an archive without a model"),
    ("many.pt2", ("--task", "task.yaml", "--trust-code"), "too-large", "an archive of more than 65,536 files"),
    ("state.pt", ("--task", "task.yaml", "--trust-code"), "bad-model-file", "a pickle, which is not read"),
    ("bomb.pt", ("--task", "task.yaml", "--trust-code"), "bad-model-file", "a pickle, which is not read"),
    ("bomb.pkl", ("--task", "task.yaml", "--trust-code"), "bad-model-file", "a pickle, which is not read"),
    ("good.safetensors", ("--task", "task.yaml", "--trust-code"), "bad-model-file", "what is computed"),
    ("good.safetensors", ("--task", "task.yaml", "--like", "nowhere.yaml"), "missing-file", "no such file"),
    ("cut-good.safetensors", LIKE, "bad-model-file", "not a model that can be read"),
    ("renamed.safetensors", LIKE, "missing-tensor", "is it 'model.embedding.weight'?"),
    ("shape.safetensors", LIKE, "wrong-tensor", "but ["),
    ("double.safetensors", LIKE, "wrong-tensor", "of float64, and the network of qwen20 --set digits=2 of float32"),
    ("extra.safetensors", LIKE, "unknown-tensor", "no tensor 'extra'"),
    ("flat.pt", ("--task", "task.yaml", "--trust-code"), "bad-module", "maps tokens [1, 3] to [1, 3]"),
    ("wide.pt", ("--task", "task.yaml", "--trust-code"), "bad-module", "5 logits for each token"),
    ("whole.pt", ("--task", "task.yaml", "--trust-code"), "bad-module", "logits of int64"),
    ("pair.pt", ("--task", "task.yaml", "--trust-code"), "bad-module", "gives a tuple"),
    ("fails.pt", ("--task", "task.yaml", "--trust-code"), "bad-module", "fails on tokens [1, 3]"),
]


@pytest.mark.parametrize(("file", "words", "code", "says"), BAD, ids=lambda value: value if "." in value else None)
def test_what_cannot_be_asked_is_refused(folder: Path, file: str, words: tuple[str, ...], code: str, says: str) -> None:
    call_words = ("eval", "--model", file, *words)
    result = call(*call_words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    errors = call_json(*call_words, exit_code=2)["errors"]
    assert (errors[0]["code"], errors[0]["line"]) == (code, 1)
    assert says in errors[0]["message"]
    assert not (folder / "exploded").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Missing argument 'SPEC'"),
        ((TINY, "--model", "copies.pt"), "a spec or --model, not both"),
        ((TINY, "--task", "task.yaml"), "go with --model"),
        ((TINY, "--trust-code"), "go with --model"),
        (("--task", "task.yaml"), "Missing argument 'SPEC'"),
        (("--model", "copies.pt"), "needs --task"),
    ],
)
def test_a_wrong_call_says_what_is_missing(folder: Path, words: tuple[str, ...], says: str) -> None:
    result = call("eval", *words)
    assert (result.exit_code, says in result.stderr) == (2, True)
    (error,) = call_json("eval", *words, exit_code=2)["errors"]
    assert (error["code"], says in error["message"]) == ("usage", True)


def test_settings_vary_the_task(folder: Path) -> None:
    found = call_json(*asked("copies.pt", "--suite", "exhaustive", "--set", "length=2"))
    assert (found["inputs"], found["right"], found["settings"]) == (16, 9, ["length=2"])


def test_a_symbol_without_a_logit_is_warned_of_or_an_error(folder: Path) -> None:
    (folder / "more.yaml").write_text(TASK.replace("4", "5"), encoding="utf-8")
    words = ("eval", "--model", "copies.pt", "--task", "more.yaml", "--trust-code", "--suite", "edges")
    assert "warning: the model has no logit for symbol[4]" in call(*words).stderr
    assert "silent-symbol" not in call(*words, "--ignore", "silent-symbol").stderr
    assert call(*words, "--strict").exit_code == 2


@pytest.mark.long
def test_a_module_that_hangs_is_given_up(folder: Path) -> None:
    """In a process of its own: the thread that hangs would stay in this one."""
    program = (
        "import compiler.backends.torch.foreign as foreign, cli\n"
        "foreign.PATIENCE = 1.0\n"
        f"cli.main({[*asked('hangs.pt'), '--json']!r})"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=HANGS,
        capture_output=True,
        check=False,
        text=True,
    )
    assert ended.returncode == 2, ended.stderr
    (error,) = json.loads(ended.stdout)["errors"]
    assert error["code"] == "module-hangs"

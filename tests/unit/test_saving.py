"""Saved models: what the file holds, that it gives the same model back, and that nothing else is believed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import nn

import compiler
from compiler.backends.torch.saving import spec_text, stored_tensors
from compiler.pipeline import Spec
from compiler.source.diagnostics import Diagnostic, SpecError
from compiler.source.files import write_whole
from compiler.source.limits import MAX_FILE_BYTES, MAX_HEADER_BYTES
from tests.helpers import ROOT, SMALL_CONTEXT, SMALL_TOKENS, SPECS, load_text, same_bits, small

DTYPES = ("float64", "float32", "bfloat16", "float16")
TIED = """
embedding:
  digit[d]: {x: d - 1.5, y: 0.3 * d ** 2 - 1, z: 1 / (d + 1)}
  =: {x: 0.7, z: -0.3}
attention one:
  heads: a b
  query: 1.5
  key a: x + 1
  key b: y - 1
  value: key
  output x: a
  biases: value
ffn one:
  hidden: u v w
  up u: z
  up w: 2 * z - x
  down x: u + v
ffn two:
  hidden: u v w
  up: one.ffn.up
  down: one.ffn.down
  biases: down
head:
  norm: {rms: 1e-6, weight: [1, 0.1, 3]}
  logits: embedding
"""
TIES = {
    "one.attention.value.weight": "one.attention.key.weight",
    "two.ffn.up.weight": "one.ffn.up.weight",
    "two.ffn.down.weight": "one.ffn.down.weight",
    "head.logits.weight": "embedding.weight",
}

Header = dict[str, Any]


def saved(folder: Path, dtype: str = "float32") -> tuple[Spec, nn.Module, Path]:
    spec = load_text(folder, small(TIED, dtype=dtype))
    model = compiler.build(spec)
    path = folder / "model.safetensors"
    compiler.save_model(spec, model, path)
    return spec, model, path


def split(path: Path) -> tuple[Header, bytes]:
    """The header and the bytes of the tensors."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:start]), data[start:]


def join(header: object, tensors: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + tensors


def error(call: Callable[[], object]) -> Diagnostic:
    with pytest.raises(SpecError) as caught:
        call()
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_saved_model_comes_back_bit_for_bit(tmp_path: Path, dtype: str) -> None:
    spec, model, path = saved(tmp_path, dtype)
    loaded = compiler.load_model(path)
    state, again = model.state_dict(), loaded.state_dict()
    assert list(state) == list(again)
    assert all(same_bits(state[name], again[name]) for name in state)
    tokens = torch.arange(4 * SMALL_CONTEXT).reshape(4, -1) * 5 % SMALL_TOKENS
    with torch.inference_mode():
        assert same_bits(model(tokens), loaded(tokens))
    assert compiler.diff(spec, compiler.load(path)).empty
    for alias, owner in TIES.items():
        assert loaded.get_parameter(alias) is loaded.get_parameter(owner)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_tied_tensor_is_stored_once(tmp_path: Path, dtype: str) -> None:
    _, model, path = saved(tmp_path, dtype)
    with safe_open(path, framework="pt") as file:  # as anybody else reads it
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        metadata = file.metadata()
    parameters = dict(model.named_parameters())
    assert stored.keys() == parameters.keys()
    assert stored.keys() & TIES.keys() == set()
    assert all(same_bits(stored[name], parameters[name].detach()) for name in stored)
    assert json.loads(metadata["ties"]) == TIES
    everything = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    assert stored.keys() | TIES.keys() == everything == model.state_dict().keys()


def test_the_metadata(tmp_path: Path) -> None:
    spec, _, path = saved(tmp_path)
    metadata = split(path)[0]["__metadata__"]
    text = metadata.pop("spec")
    assert json.loads(metadata.pop("ties")) == TIES
    assert metadata.pop("compiler")
    assert metadata == {
        "format": "pt",
        "file_format": "1",
        "weightspec": "1",
        "name": "small",
        "dtype": "float32",
        "spec_sha256": sha256(text.encode()).hexdigest(),
    }
    alone = tmp_path / "alone" / "spec.yaml"
    alone.parent.mkdir()
    alone.write_text(text)
    assert compiler.diff(spec, compiler.load(alone)).empty


@pytest.mark.parametrize("name", ["tiny95-exact", "qwen20"])
def test_a_spec_that_extends_another_one_is_saved_by_itself(tmp_path: Path, name: str) -> None:
    spec = compiler.load(SPECS / f"{name}.yaml")
    compiler.save_model(spec, compiler.build(spec), tmp_path / "m.safetensors")
    again = compiler.load(tmp_path / "m.safetensors")
    assert compiler.diff(spec, again).empty
    assert compiler.count(again).dense == compiler.count(spec).dense
    compiler.load_model(tmp_path / "m.safetensors")


def test_a_saved_variant_is_the_variant(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    spec = compiler.load(SPECS / "tiny95.yaml", {"digits": 3})
    compiler.save_model(spec, compiler.build(spec), path)
    again = compiler.load(path)
    assert again.network.context == spec.network.context
    assert not again.resolved.expect.counts
    other = compiler.load(path, {"digits": 4})
    assert other.settings == ("digits=4",)
    assert compiler.evaluate(other, ["edges"]).pairs > 0


def test_a_variant_is_written_without_the_claims_of_its_author() -> None:
    assert "expect:" in spec_text(compiler.load(SPECS / "tiny95.yaml"))
    text = spec_text(compiler.load(SPECS / "tiny95.yaml", {"digits": 3}))
    assert "expect:" not in text
    assert "addition: {base: 10, digits: 3}" in text


def test_the_same_spec_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    code = (
        "import sys, compiler; spec = compiler.load('specs/qwen20.yaml'); "
        "compiler.save_model(spec, compiler.build(spec), sys.argv[1])"
    )
    here, there = (tmp_path / f"{name}.safetensors" for name in ("here", "there"))
    subprocess.run([sys.executable, "-c", code, str(there)], cwd=ROOT, check=True, timeout=120)
    spec = compiler.load(SPECS / "qwen20.yaml")
    compiler.save_model(spec, compiler.build(spec), here)
    assert here.read_bytes() == there.read_bytes()


def test_only_what_the_spec_says_is_saved(tmp_path: Path) -> None:
    spec, model, path = saved(tmp_path)
    before = path.read_bytes()
    with torch.no_grad():
        model.get_parameter("one.ffn.up.weight")[0, 2] = -0.0
    found = error(lambda: compiler.save_model(spec, model, path))
    assert found.code == "weights-differ"
    assert "one.ffn.up.weight" in found.message
    untied = compiler.build(spec)
    untied.get_submodule("head.logits").register_parameter(
        "weight", nn.Parameter(untied.get_parameter("embedding.weight").detach().clone())
    )
    assert error(lambda: compiler.save_model(spec, untied, path)).code == "weights-differ"
    assert error(lambda: compiler.save_model(spec, compiler.build(spec).double(), path)).code == "weights-differ"
    assert path.read_bytes() == before


def test_what_is_stored_is_what_the_state_dict_names() -> None:
    """Persistent buffers too; a module that is used twice is a tie."""
    model = nn.Linear(2, 1)
    model.register_buffer("table", torch.ones(2))
    model.register_buffer("hidden", torch.ones(2), persistent=False)
    stored, ties = stored_tensors(nn.Sequential(model, model))
    assert list(stored) == ["0.weight", "0.bias", "0.table"]
    assert ties == {"1.weight": "0.weight", "1.bias": "0.bias", "1.table": "0.table"}


# Files that nobody should believe


def edited(header: Header, *keys: str, value: object) -> Header:
    """The header with one value replaced; None removes it."""
    inner = header
    for key in keys[:-1]:
        inner = inner[key]
    if value is None:
        del inner[keys[-1]]
    else:
        inner[keys[-1]] = value
    return header


def with_spec(header: Header, text: str, *, hashed: bool = True) -> Header:
    header["__metadata__"]["spec"] = text
    if hashed:
        header["__metadata__"]["spec_sha256"] = sha256(text.encode()).hexdigest()
    return header


def spec_of(header: Header) -> str:
    text: str = header["__metadata__"]["spec"]
    return text


M = "__metadata__"
E = "embedding.weight"
Edit = Callable[[Header, bytes], bytes]
DAMAGED: dict[str, tuple[Edit, str, str]] = {
    "empty": (lambda h, t: b"", "bad-model-file", "only the first part"),
    "seven bytes": (lambda h, t: b"\0" * 7, "bad-model-file", "only the first part"),
    "cut in the header": (lambda h, t: join(h, b"")[:100], "bad-model-file", "only the first part"),
    "cut in the tensors": (lambda h, t: join(h, t[:-1]), "bad-model-file", "bytes, but it holds"),
    "bytes after the end": (lambda h, t: join(h, t + b"\0"), "bad-model-file", "bytes, but it holds"),
    "yaml": (lambda h, t: b"weightspec: 1\nname: x\n", "bad-model-file", "no safetensors file"),
    "pickle": (lambda h, t: b"PK\x03\x04" + bytes(4) + t, "bad-model-file", ""),
    "huge header": (lambda h, t: (1 << 63).to_bytes(8, "little") + t, "bad-model-file", "no safetensors file"),
    "header is no text": (lambda h, t: join(b"\xff\xfe{}", t), "bad-model-file", "no UTF-8 text"),
    "header is no json": (lambda h, t: join(b"{,}", t), "bad-model-file", "no JSON"),
    "header is a list": (lambda h, t: join([], t), "bad-model-file", "no JSON object"),
    "header is deep": (lambda h, t: join(b"[" * 200_000, t), "bad-model-file", "no JSON"),
    "a key twice": (lambda h, t: join(b'{"a": 1, "a": 2}', t), "bad-model-file", "no JSON"),
    "a huge number": (lambda h, t: join(b'{"a": ' + b"9" * 9000 + b"}", t), "bad-model-file", "no JSON"),
    "header too large": (lambda h, t: join(b" " * (MAX_HEADER_BYTES + 8), t), "too-large", "header"),
    "no metadata": (lambda h, t: join(edited(h, M, value=None), t), "bad-model-file", "without a spec"),
    "metadata is a list": (lambda h, t: join(edited(h, M, value=["spec"]), t), "bad-model-file", "without a spec"),
    "foreign metadata": (lambda h, t: join(edited(h, M, value={"format": "pt"}), t), "bad-model-file", "without a"),
    "no hash": (lambda h, t: join(edited(h, M, "spec_sha256", value=None), t), "bad-model-file", "'spec_sha256'"),
    "no ties": (lambda h, t: join(edited(h, M, "ties", value=None), t), "bad-model-file", "'ties'"),
    "spec is a number": (lambda h, t: join(edited(h, M, "spec", value=5), t), "bad-model-file", "'spec'"),
    "ties are no json": (lambda h, t: join(edited(h, M, "ties", value="x"), t), "bad-model-file", "'ties'"),
    "ties are a list": (lambda h, t: join(edited(h, M, "ties", value="[]"), t), "bad-model-file", "'ties'"),
    "ties to numbers": (lambda h, t: join(edited(h, M, "ties", value='{"a": 1}'), t), "bad-model-file", "'ties'"),
    "other ties": (lambda h, t: join(edited(h, M, "ties", value="{}"), t), "bad-model-file", "its ties"),
    "other name": (lambda h, t: join(edited(h, M, "name", value="y\x1b[2J"), t), "bad-model-file", r"'y\x1b[2J' for"),
    "other dtype": (lambda h, t: join(edited(h, M, "dtype", value="int8"), t), "bad-model-file", "'int8' for 'dtype'"),
    "spec changed": (
        lambda h, t: join(with_spec(h, spec_of(h) + "# x\n", hashed=False), t),
        "bad-model-file",
        "its hash",
    ),
    "spec too large": (
        lambda h, t: join(with_spec(h, spec_of(h) + "#" * MAX_FILE_BYTES), t),
        "too-large",
        "the spec inside",
    ),
    "spec is no text": (lambda h, t: join(with_spec(h, "\ud800", hashed=False), t), "not-text", "not UTF-8"),
    "spec is a list": (lambda h, t: join(with_spec(h, "[1]"), t), "wrong-type", "a mapping"),
    "spec is empty": (lambda h, t: join(with_spec(h, ""), t), "empty", "is empty"),
    "spec extends": (
        lambda h, t: join(with_spec(h, "extends: /etc/passwd\n" + spec_of(h)), t),
        "bad-extends",
        "cannot extend",
    ),
    "spec has another weight": (
        lambda h, t: join(with_spec(h, spec_of(h).replace("x: 0.7", "x: 0.8")), t),
        "weights-differ",
        "first in 'embedding.weight'",
    ),
    "spec has another shape": (
        lambda h, t: join(with_spec(h, spec_of(h).replace("digit[4] = +", "digit[4] = + more")), t),
        "bad-model-file",
        "'embedding.weight' is [6, 3] float32, but [7, 3] float32",
    ),
    "tensor is a number": (lambda h, t: join(edited(h, E, value=1), t), "bad-model-file", f"'{E}' lacks"),
    "dtype is a number": (lambda h, t: join(edited(h, E, "dtype", value=1), t), "bad-model-file", f"'{E}' lacks"),
    "dtype is unknown": (lambda h, t: join(edited(h, E, "dtype", value="I64"), t), "bad-model-file", "'I64'"),
    "dtype is another": (lambda h, t: join(edited(h, E, "dtype", value="F16"), t), "bad-model-file", "do not go"),
    "shape of texts": (lambda h, t: join(edited(h, E, "shape", value=["6", "3"]), t), "bad-model-file", "do not go"),
    "shape of floats": (lambda h, t: join(edited(h, E, "shape", value=[6.0, 3]), t), "bad-model-file", "do not go"),
    "negative shape": (lambda h, t: join(edited(h, E, "shape", value=[-6, -3]), t), "bad-model-file", "do not go"),
    "many axes": (lambda h, t: join(edited(h, E, "shape", value=[6, 3] + [1] * 9), t), "bad-model-file", "do not go"),
    "huge shape": (lambda h, t: join(edited(h, E, "shape", value=[10**4000] * 8), t), "bad-model-file", "do not go"),
    "other shape": (lambda h, t: join(edited(h, E, "shape", value=[3, 6]), t), "bad-model-file", "is [3, 6] float32"),
    "negative place": (lambda h, t: join(edited(h, E, "data_offsets", value=[-72, 0]), t), "bad-model-file", "do not"),
    "three places": (lambda h, t: join(edited(h, E, "data_offsets", value=[0, 1, 2]), t), "bad-model-file", "lacks"),
    "a gap": (
        lambda h, t: join({**h, "x": {"dtype": "F32", "shape": [1], "data_offsets": [len(t) + 4, len(t) + 8]}}, t),
        "bad-model-file",
        "gaps",
    ),
    "an extra tensor": (
        lambda h, t: join(
            {**h, "x\n": {"dtype": "F32", "shape": [1], "data_offsets": [len(t), len(t) + 4]}}, t + b"1234"
        ),
        "bad-model-file",
        r"no tensor 'x\n'",
    ),
    "a tensor renamed": (
        lambda h, t: join({"e" if k == E else k: h[k] for k in h}, t),
        "bad-model-file",
        f"lacks the tensor '{E}'",
    ),
    "one bit": (lambda h, t: join(h, bytes([t[0] ^ 1]) + t[1:]), "weights-differ", "first in '"),
    "the sign of a zero": (lambda h, t: join(h, with_sign(h, t)), "weights-differ", "first in 'one.ffn.down.weight'"),
}


def with_sign(header: Header, tensors: bytes) -> bytes:
    """A negative zero for the last entry of a weight."""
    end = header["one.ffn.down.weight"]["data_offsets"][1]
    return tensors[: end - 1] + b"\x80" + tensors[end:]


@pytest.mark.parametrize("case", DAMAGED)
def test_a_file_that_is_not_what_was_saved_is_refused(tmp_path: Path, case: str) -> None:
    edit, code, says = DAMAGED[case]
    _, _, path = saved(tmp_path)
    assert join(*split(path))  # the parts make a file again
    path.write_bytes(edit(*split(path)))
    found = error(lambda: compiler.load_model(path))
    assert found.code == code
    assert says in found.message
    assert found.message.isprintable()
    assert found.span is not None
    assert found.span.source.name == str(path)


def test_a_header_in_another_layout_is_the_same_file(tmp_path: Path) -> None:
    """The table above changes one thing at a time; what it does to every file changes nothing."""
    _, _, path = saved(tmp_path)
    path.write_bytes(join(*split(path)))
    compiler.load_model(path)


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(save({"weight": torch.zeros(2, 2)}))
    found = error(lambda: compiler.load(path))
    assert found.code == "bad-model-file"
    assert "without a spec" in found.message


def test_changed_weights_are_found_before_anything_is_computed(tmp_path: Path) -> None:
    _, _, path = saved(tmp_path)
    path.write_bytes(DAMAGED["one bit"][0](*split(path)))
    spec = compiler.load(path)  # reads the spec only
    assert compiler.count(spec).dense > 0
    variant = compiler.load(path, ["name=other"])
    for call in (
        lambda: compiler.build(spec),
        lambda: compiler.build(variant),
        lambda: compiler.evaluate(spec, pairs=2),
        lambda: compiler.evaluate(variant, pairs=2),
    ):
        assert error(call).code == "weights-differ"


def test_every_single_cut_is_refused(tmp_path: Path) -> None:
    _, _, path = saved(tmp_path, "float16")
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert error(lambda: compiler.load_model(path)).code == "bad-model-file"


@pytest.mark.parametrize("name", ["m.yaml", "m.bin", "m", "m.safetensors.tmp", ".safetensors"])
def test_other_suffixes_are_refused(tmp_path: Path, name: str) -> None:
    spec = load_text(tmp_path, small(TIED))
    found = error(lambda: compiler.save_model(spec, compiler.build(spec), tmp_path / name))
    assert found.code == "bad-value"
    assert ".safetensors" in found.message
    assert [entry.name for entry in tmp_path.iterdir()] == ["small.yaml"]


def test_a_spec_that_cannot_be_read_back_is_not_saved(tmp_path: Path) -> None:
    text = small(TIED).replace("name: small", f"name: small\nsummary: &s {'x' * (MAX_FILE_BYTES * 2 // 3)}\nsource: *s")
    spec = load_text(tmp_path, text)
    path = tmp_path / "m.safetensors"
    assert error(lambda: compiler.save_model(spec, compiler.build(spec), path)).code == "too-large"
    assert not path.exists()


# Writing


def test_write_whole_replaces_and_keeps_the_permission_bits(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"one")
    plain = tmp_path / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o640)
    write_whole(path, b"two")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"two", 0o640)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "plain"]


@pytest.mark.parametrize("exists", [True, False])
def test_write_whole_follows_a_link(tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "folder" / "target"
    target.parent.mkdir()
    if exists:
        target.write_bytes(b"one")
    link = tmp_path / "link"
    link.symlink_to(target)
    write_whole(link, b"two")
    assert link.is_symlink()
    assert target.read_bytes() == b"two"


@pytest.mark.parametrize("name", ["folder", "nowhere/file", "file/inside", "x" * 300])
def test_write_whole_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"one")
    with pytest.raises(OSError, match=r"."):
        write_whole(tmp_path / name, b"two")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]
    assert (tmp_path / "file").read_bytes() == b"one"
    assert not os.listdir(tmp_path / "folder")

"""`extends`: merging, removal, chains, and paths that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.source.diagnostics import Diagnostic, Findings, SpecError
from compiler.source.document import Mapping, Scalar, as_data, parse_document
from compiler.source.extends import merged_chain, read_chain
from compiler.source.limits import MAX_EXTENDS
from compiler.source.merging import merge
from compiler.source.text import Source


def mapping(text: str) -> Mapping:
    document = parse_document(Source("spec.yaml", text))
    assert isinstance(document, Mapping)
    return document


def write(folder: Path, files: dict[str, str]) -> Path:
    """The files, written; the path of the first."""
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder / next(iter(files))


def read_document(path: Path) -> Mapping:
    """The mapping in a file, merged over what it extends."""
    return merged_chain(read_chain(path).documents)


def error(path: Path) -> Diagnostic:
    with pytest.raises(SpecError) as caught:
        read_document(path)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


@pytest.mark.parametrize(
    ("base", "variant", "merged"),
    [
        ("a: 1\nb: 2", "b: 3", {"a": 1, "b": 3}),
        ("a: 1", "b: 2", {"a": 1, "b": 2}),
        ("m: {a: 1, b: 2}", "m: {b: 3, c: 4}", {"m": {"a": 1, "b": 3, "c": 4}}),
        ("m: {n: {a: 1, b: 2}}", "m: {n: {a: null}}", {"m": {"n": {"b": 2}}}),
        ("a: 1\nb: 2", "a: ~", {"b": 2}),
        ("a: 1", "a: 'null'", {"a": "null"}),
        ("l: [1, 2]", "l: [3]", {"l": [3]}),
        ("m: {a: 1}", "m: 5", {"m": 5}),
        ("m: 5", "m: {a: 1}", {"m": {"a": 1}}),
    ],
    ids=[
        "replace",
        "add",
        "nested",
        "remove-nested",
        "remove",
        "text-null",
        "list",
        "map-to-scalar",
        "scalar-to-map",
    ],
)
def test_merge(base: str, variant: str, merged: dict[str, object]) -> None:
    findings = Findings()
    result = merge(mapping(base), mapping(variant), findings)
    assert as_data(result) == merged
    assert not findings


def test_old_keys_keep_their_order_and_new_ones_go_last() -> None:
    findings = Findings()
    assert merge(mapping("a: 1\nb: 2\nc: 3"), mapping("d: 4\nb: 5\na: 6"), findings).names == ("a", "b", "c", "d")


def test_removing_what_is_not_there_is_an_error() -> None:
    findings = Findings()
    merge(mapping("m: {scale: 1}"), mapping("m: {scal: null}"), findings)
    (diagnostic,) = findings
    assert diagnostic.code == "unknown-key"
    assert diagnostic.message == "there is no 'scal' to remove; did you mean 'scale'?"
    assert diagnostic.span is not None
    assert (diagnostic.span.line, diagnostic.span.column) == (1, 5)


def test_a_variant_file_is_merged_over_its_base(tmp_path: Path) -> None:
    path = write(tmp_path, {"v.yaml": "extends: b.yaml\np: {x: 2}\n", "b.yaml": "name: b\np: {x: 1, y: 1}\n"})
    document = read_document(path)
    assert as_data(document) == {"name": "b", "p": {"x": 2, "y": 1}}
    inner = document.get("p")
    assert isinstance(inner, Mapping)
    x, y = inner.get("x"), inner.get("y")
    assert isinstance(x, Scalar)
    assert isinstance(y, Scalar)
    assert (x.span.source.path, x.span.line) == (tmp_path / "v.yaml", 2)
    assert (y.span.source.path, y.span.line) == (tmp_path / "b.yaml", 2)


def test_a_chain_is_merged_from_its_end(tmp_path: Path) -> None:
    files = {
        "c.yaml": "extends: sub/b.yaml\na: c",
        "sub/b.yaml": "extends: ../a.yaml\na: b\nb: b\nremoved: null",
        "a.yaml": "a: a\nb: a\nc: a\nremoved: 1",
    }
    assert as_data(read_document(write(tmp_path, files))) == {"a": "c", "b": "b", "c": "a"}


def test_a_chain_has_a_limit(tmp_path: Path) -> None:
    files = {f"{i}.yaml": f"extends: {i + 1}.yaml\nk{i}: {i}" for i in range(MAX_EXTENDS)}
    first = write(tmp_path, {**files, f"{MAX_EXTENDS}.yaml": "end: 1"})
    diagnostic = error(first)
    assert diagnostic.code == "bad-extends"
    assert diagnostic.span is not None
    assert diagnostic.span.source.path == tmp_path / f"{MAX_EXTENDS - 1}.yaml"
    assert "end" in read_document(tmp_path / "1.yaml").names


@pytest.mark.parametrize(
    "files",
    [
        {"a.yaml": "n: 1\nextends: a.yaml"},
        {"a.yaml": "n: 1\nextends: ./sub/../a.yaml", "sub/x.yaml": ""},
    ],
    ids=["itself", "itself by another name"],
)
def test_a_spec_cannot_extend_itself(tmp_path: Path, files: dict[str, str]) -> None:
    diagnostic = error(write(tmp_path, files))
    assert diagnostic.code == "cycle"
    assert diagnostic.span is not None
    assert (diagnostic.span.line, diagnostic.span.column) == (2, 10)


def test_a_loop_is_found_where_it_closes(tmp_path: Path) -> None:
    files = {"a.yaml": "extends: b.yaml", "b.yaml": "extends: c.yaml", "c.yaml": "x: 1\nextends: b.yaml"}
    diagnostic = error(write(tmp_path, files))
    assert diagnostic.code == "cycle"
    assert diagnostic.span is not None
    assert (diagnostic.span.source.path, diagnostic.span.line) == (tmp_path / "c.yaml", 2)


@pytest.mark.parametrize(
    ("named", "code"),
    [
        ("../other.yaml", "bad-extends"),
        ("sub/../../other.yaml", "bad-extends"),
        ("link.yaml", "bad-extends"),
        ("nowhere.yaml", "missing-file"),
        ("sub", "cannot-read"),
        ('"a\\0b.yaml"', "cannot-read"),
        ("''", "cannot-read"),
        ("[b.yaml]", "wrong-type"),
        ("5", "wrong-type"),
        ("", "wrong-type"),
    ],
    ids=["above", "hidden above", "symlink", "missing", "folder", "nul", "empty text", "list", "number", "nothing"],
)
def test_paths_that_are_refused(tmp_path: Path, named: str, code: str) -> None:
    (tmp_path / "specs" / "sub").mkdir(parents=True)
    (tmp_path / "other.yaml").write_text("x: 1")
    (tmp_path / "specs" / "link.yaml").symlink_to(tmp_path / "other.yaml")
    path = tmp_path / "specs" / "spec.yaml"
    path.write_text(f"name: x\nextends: {named}\n")
    diagnostic = error(path)
    assert diagnostic.code == code
    assert diagnostic.span is not None
    assert diagnostic.span.line == 2
    if named:
        assert (diagnostic.span.column, diagnostic.span.text) == (10, named)


def test_an_absolute_path_is_refused_even_inside(tmp_path: Path) -> None:
    path = write(tmp_path, {"v.yaml": f"extends: {tmp_path / 'b.yaml'}", "b.yaml": "x: 1"})
    assert error(path).code == "bad-extends"


def test_a_missing_base_names_a_similar_file(tmp_path: Path) -> None:
    path = write(tmp_path, {"v.yaml": "extends: bsae.yaml", "base.yaml": "x: 1"})
    assert error(path).hint == f"did you mean {tmp_path / 'base.yaml'}?"


def test_an_error_in_the_base_stands_in_the_base(tmp_path: Path) -> None:
    path = write(tmp_path, {"v.yaml": "extends: b.yaml", "b.yaml": "x: 1\nx: 2"})
    diagnostic = error(path)
    assert diagnostic.code == "duplicate-key"
    assert diagnostic.span is not None
    assert (diagnostic.span.source.path, diagnostic.span.line) == (tmp_path / "b.yaml", 2)


@pytest.mark.parametrize("text", ["[1]", "just text"], ids=["list", "scalar"])
def test_a_spec_has_to_be_a_mapping(tmp_path: Path, text: str) -> None:
    diagnostic = error(write(tmp_path, {"v.yaml": text}))
    assert diagnostic.code == "wrong-type"
    assert diagnostic.span is not None
    assert (diagnostic.span.line, diagnostic.span.column) == (1, 1)


@pytest.mark.parametrize(
    ("steps", "order"),
    [
        ("norm x: rms\n  norm y: rms", ("embedding", "ffn", "norm x", "norm y", "head")),
        ("norm x: {rms: 1, after: embedding}\n  norm y: rms", ("embedding", "norm x", "ffn", "norm y", "head")),
        ("norm x: {rms: 1, after: ffn}\n  ffn: {hidden: h}", ("embedding", "ffn", "norm x", "head")),
    ],
    ids=["two new", "placed and new", "after one that is varied"],
)
def test_new_steps_go_before_the_head_unless_placed(tmp_path: Path, steps: str, order: tuple[str, ...]) -> None:
    base = "network:\n  embedding: E\n  ffn: {hidden: g}\n  head: {}"
    path = write(tmp_path, {"v.yaml": f"extends: b.yaml\nnetwork:\n  {steps}", "b.yaml": base})
    network = read_document(path).get("network")
    assert isinstance(network, Mapping)
    assert network.names == order

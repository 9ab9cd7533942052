"""The command `claim`: what is measured, what it makes of the file, and what it leaves alone."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

import compiler
from tests.cli.test_cli import TINY, call, call_json

SPEC = """\
weightspec: 1
name: zero   # it answers 0 to everything
dtype: float64
parameters: {two: 2}
vocabulary: digit[2] +
task:
  addition: {base: 2, digits: 1}
  prompt: a + b
  answer: sum
stream: one other
network:
  embedding:
    digit[d]: {one: two}
decode: argmax
"""
CLAIMS = """\
expect:
  count: {dense: 6, nonzero: 2, distinct: 2, values: 1, free: 1}
  eval:
    uniform: {inputs: 10000, seed: 0, right: 2503}
    edges: {inputs: 4, right: 1}
    carries: {inputs: 2, seed: 0, right: 1}
    near_carry: {inputs: 4000, seed: 0, right: 444}
    exhaustive: {inputs: 4, right: 1}
"""
STALE = """\
expect:
  # measured long ago
  eval:
    exhaustive: {inputs: 9, right: 9}  # it had nine
    carries: {pairs: 7, seed: 3, right: 7}
  note: mine
  claimed: {count: 2, rule: distinct}
"""


def spec(folder: Path, text: str = "", name: str = "zero") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(SPEC + text, encoding="utf-8")
    return path


def everything_holds(path: Path) -> bool:
    return {one["status"] for one in call_json("build", str(path), "--eval")["claims"]} <= {"held", "not checked"}


def test_a_spec_that_claims_nothing(tmp_path: Path) -> None:
    path = spec(tmp_path)
    path.chmod(0o640)
    shown = call("claim", str(path))
    assert shown.exit_code == 0
    assert [line[1:] for line in shown.stdout.splitlines() if re.match(r"[-+][^-+]", line)] == CLAIMS.splitlines()
    assert shown.stdout.endswith(f"\n{path}: would change; --write writes it\n")
    assert path.read_text() == SPEC
    written = call("claim", str(path), "--write")
    assert (written.exit_code, written.stderr) == (0, "")
    assert written.stdout.endswith(f"\n{path}: written\n")
    assert path.read_text() == SPEC + CLAIMS
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert everything_holds(path)
    again = call("claim", str(path), "--write", "--verify", "60")
    assert again.exit_code == 0
    assert path.read_text() == SPEC + CLAIMS + "  verdict: refuted\n"
    assert call("claim", str(path), "--check").stdout == f"{path}: unchanged\n"


def test_what_is_claimed_is_measured_again(tmp_path: Path) -> None:
    path = spec(tmp_path, STALE)
    assert call("validate", str(path)).exit_code == 2  # the task has no nine inputs
    checked = call("claim", str(path), "--check")
    assert (checked.exit_code, path.read_text()) == (1, SPEC + STALE)
    assert call("claim", str(path), "--suite", "edges", "--write").exit_code == 0
    renewed = STALE.replace("inputs: 9, right: 9", "inputs: 4, right: 1").replace("right: 7", "right: 0")
    assert path.read_text() == SPEC + renewed.replace("  note", "    edges: {inputs: 4, right: 1}\n  note")
    assert everything_holds(path)
    assert call("claim", str(path), "--inputs", "8", "--write").exit_code == 0
    assert "    carries: {pairs: 8, seed: 3, right: 1}\n" in path.read_text()


def test_a_claim_of_the_author_that_does_not_hold_stays(tmp_path: Path) -> None:
    path = spec(tmp_path, "expect: {claimed: {count: 3, rule: distinct}, eval: {edges: {inputs: 4, right: 4}}}\n")
    done = call("claim", str(path), "--write")
    assert (done.exit_code, "author's count is 3, by the rule distinct; found 2" in done.stderr) == (1, True)
    assert path.read_text().endswith("{claimed: {count: 3, rule: distinct}, eval: {edges: {inputs: 4, right: 1}}}\n")


def test_a_wrong_answer_is_no_proof(tmp_path: Path) -> None:
    path = spec(tmp_path, "expect:\n  eval: {edges: {inputs: 4, right: 4}}\n  count: {free: 1}\n  verdict: proved\n")
    found = call_json("claim", str(path), "--write")
    assert (found["changed"], found["written"], found["verdict"]) == (True, True, "refuted")
    assert path.read_text().endswith("right: 1}}\n  count: {free: 1}\n  verdict: refuted\n")
    assert [(one["claim"], one["status"]) for one in found["claims"]] == [
        ("free count is 1", "held"),
        ("edges: 1 of 4 right", "held"),
        ("refuted over all inputs", "held"),
    ]


def test_a_verdict_that_is_found_and_one_that_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "reverse.yaml"
    text = Path(TINY).with_name("reverse.yaml").read_text().partition("expect:")[0] + "expect: {count: {nonzero: 20}}\n"
    path.write_text(text)
    options = ("--suite", "uniform", "--inputs", "20", "--write")
    assert call("claim", str(path), *options, "--verify", "600").exit_code == 0
    claims = "eval: {uniform: {inputs: 20, seed: 0, right: 20}}, verdict: proved"
    assert path.read_text() == text.replace("20}}", f"20}}, {claims}}}")
    path.write_text(text)
    done = call("claim", str(path), *options, "--verify", "1e-9")
    assert done.exit_code == 0
    assert "undecided on all inputs, which is nothing to claim: the time ran out" in done.stdout
    assert "verdict" not in path.read_text()


def test_a_variant_states_what_differs_from_its_base(tmp_path: Path) -> None:
    spec(tmp_path, CLAIMS + "  note: theirs\n")
    path = tmp_path / "variant.yaml"
    start = "weightspec: 1\nextends: zero.yaml\nname: variant\n"
    path.write_text(f"{start}network: {{embedding: {{'digit[d]': {{one: two, other: 4}}}}}}\n")
    before = path.read_text()
    assert call("claim", str(path), "--write").exit_code == 0
    own = path.read_text().removeprefix(before)
    assert "dense" not in own
    assert "nonzero: 4" in own
    assert everything_holds(path)
    assert (tmp_path / "zero.yaml").read_text() == SPEC + CLAIMS + "  note: theirs\n"


def test_right_answers_by_part(tmp_path: Path) -> None:
    path = tmp_path / "lengths.yaml"
    text = (Path(TINY).parent / "tasks" / "reverse-lengths.yaml").read_text().replace("to: 8", "to: 2")
    path.write_text(text)
    assert call("claim", str(path), "--write").exit_code == 0
    claims = path.read_text().partition("expect:")[2]
    assert claims == (
        "\n  count: {nonzero: 27, values: 5}\n  eval:\n    exhaustive:\n      inputs: 12\n"
        "      right: {length 1: 3, length 2: 9}\n  verdict: proved\n"
    )
    assert everything_holds(path)


def test_a_spec_without_a_task_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "untasked.yaml"
    text = re.sub(r"task:\n(  .*\n)+", "context: 4\n", SPEC)
    path.write_text(text)
    assert call("claim", str(path), "--write").exit_code == 0
    assert path.read_text() == text + CLAIMS.partition("  eval")[0]
    for options in (["--verify", "1"], ["--suite", "edges"]):
        assert "states no task" in call("claim", str(path), *options).stderr


def test_line_breaks_and_the_mark_of_the_byte_order_stay(tmp_path: Path) -> None:
    path = spec(tmp_path)
    before = b"\xef\xbb\xbf" + SPEC.replace("\n", "\r\n").encode()
    path.write_bytes(before)
    assert call("claim", str(path), "--write", "--suite", "edges").exit_code == 0
    after = path.read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == after.count(b"\r\n") > before.count(b"\n")


def test_a_file_that_is_edited_meanwhile_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = spec(tmp_path)

    def slow(*arguments: object, **options: object) -> object:
        path.write_text(f"# new\n{SPEC}")
        return compiler.evaluate(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("compiler.report.claiming.evaluate", slow)
    done = call("claim", str(path), "--write", "--suite", "edges")
    assert (done.exit_code, "[file-changed]" in done.stderr) == (2, True)
    assert path.read_text() == f"# new\n{SPEC}"


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("expect: {count: {dens: 3}}\n", [], "zero.yaml:15:18: error:"),
        ("expect: {eval: {carrys: {inputs: 4, right: 1}}}\n", [], "no suite 'carrys'; did you mean 'carries'?"),
        ("odd: 1\n", [], "odd"),
        ("", ["--set", "two=3"], "leave out --set"),
        ("", ["--write", "--check"], "--write goes with a file, and not with --check"),
        ("", ["--suite", "carrys"], "no suite 'carrys'"),
        ("", ["--inputs", "0"], "inputs has to be from 1 to"),
        ("", ["--verify", "0"], "Invalid value for '--verify'"),
    ],
)
def test_what_cannot_be_claimed(tmp_path: Path, text: str, options: list[str], says: str) -> None:
    path = spec(tmp_path, text)
    done = call("claim", str(path), *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr
    assert path.read_text() == SPEC + text


def test_models_and_examples_are_not_edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = compiler.load(spec(tmp_path))
    compiler.save_model(loaded, compiler.build(loaded), Path("zero.safetensors"))
    for name, what in (("zero.safetensors", "a saved model"), ("tiny95", "an example of the package")):
        for options in ((), ("--write",)):
            done = call("claim", name, *options)
            assert (done.exit_code, done.stdout) == (2, "")
            assert f"error: {what} is not edited" in done.stderr
    assert call("claim", "missing.yaml", "--write").exit_code == 2

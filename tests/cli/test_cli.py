"""The commands in one process: what they print, their exit codes, their JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import cli
from compiler.commands.shared import EXIT_FAULT

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "specs").glob("*.yaml"))
TINY, EXACT, QWEN = (str(ROOT / "specs" / f"{name}.yaml") for name in ("tiny95", "tiny95-exact", "qwen20"))
INVALID = str(ROOT / "tests" / "data" / "invalid" / "name-unknown.yaml")
COMMANDS = (
    "new",
    "validate",
    "explain",
    "lint",
    "fmt",
    "show",
    "count",
    "diff",
    "build",
    "eval",
    "run",
    "trace",
    "ablate",
    "verify",
    "threshold",
    "sweep",
    "plot",
    "claim",
    "report",
    "schema",
)
WITH_JSON = tuple(name for name in COMMANDS if name != "schema")


def invoke(*arguments: str) -> Result:
    """Run the command line."""
    return CliRunner().invoke(cli.main, arguments)


def call(*arguments: str) -> Result:
    """Run the command line; an error that is not a user's fails the test."""
    result = invoke(*arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code != EXIT_FAULT, result.stderr
    assert "Traceback" not in result.output
    return result


def call_json(*arguments: str, exit_code: int = 0) -> Any:
    result = call(*arguments, "--json")
    assert result.exit_code == exit_code, result.output
    return json.loads(result.stdout)


def variant(folder: Path, text: str) -> str:
    """A spec that extends a copy of tiny95."""
    (folder / "tiny95.yaml").write_bytes(Path(TINY).read_bytes())
    path = folder / "variant.yaml"
    path.write_text(f"weightspec: 1\nextends: tiny95.yaml\n{text}", encoding="utf-8")
    return str(path)


def test_help_names_every_command() -> None:
    result = call("--help")
    assert result.exit_code == 0
    listed = {line.split()[0] for line in result.stdout.partition("Commands:")[2].split("\n\n")[0].split("\n") if line}
    assert listed == set(COMMANDS) == set(cli.main.commands)
    assert "Exit codes" in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    result = call(command, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: main {command}")
    assert ("--json" in result.stdout) == (command in WITH_JSON)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_shipped_specs_are_valid(path: Path) -> None:
    result = call("validate", str(path))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{path}: ok, ")


def test_validate_reports_each_of_several_specs() -> None:
    result = call("validate", TINY, INVALID, QWEN)
    assert result.exit_code == 2
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [TINY, QWEN]
    found = call_json("validate", TINY, INVALID, exit_code=2)
    assert [(one["spec"], one["valid"]) for one in found] == [(TINY, True), (INVALID, False)]
    (diagnostic,) = found[1]["diagnostics"]
    assert set(diagnostic) == {"severity", "code", "message", "file", "line", "column", "hint", "notes"}
    assert (diagnostic["code"], diagnostic["line"], diagnostic["column"]) == ("unknown-name", 23, 21)


def test_a_warning_is_shown_once_and_is_no_failure(tmp_path: Path) -> None:
    text = 'dtype: float32\nnetwork:\n  "ffn layer0": {"up candidate[i]": 1e-300 * count}\n'
    result = call("validate", variant(tmp_path, text))
    assert result.exit_code == 0
    assert result.stderr.count("[underflow]") == 1
    assert "warning: the weight is 1e-300, which becomes zero in float32" in result.stderr


@pytest.mark.parametrize(
    ("path", "figures"),
    [
        (TINY, {"dense": 1376, "nonzero": 95, "distinct": 36, "free": 5}),
        (EXACT, {"dense": 1376, "nonzero": 95, "distinct": 36, "free": 5}),
        (QWEN, {"free": 20}),
    ],
)
def test_count(path: str, figures: dict[str, int]) -> None:
    (found,) = call_json("count", path)
    assert {rule: found["counts"][rule] for rule in figures} == figures
    assert {"spec", "name", "settings", "hard_coded", "tensors", "claims"} <= set(found)
    assert found["claims"]
    lines = [line.split() for line in call("count", path).stdout.splitlines()]
    header, row = lines[:2]
    assert header == ["spec", "claimed", "dense", "nonzero", "distinct", "values", "free", "hard_coded"]
    assert row[0] == Path(path).stem
    assert row[-2] == str(figures["free"])


def test_count_by_tensor_adds_up() -> None:
    (found,) = call_json("count", TINY)
    untied = [tensor for tensor in found["tensors"] if tensor["tied_to"] is None]
    assert sum(tensor["dense"] for tensor in untied) == 1376
    assert sum(tensor["nonzero"] for tensor in untied) == 95
    output = call("count", TINY, "--by-tensor").stdout
    assert all(tensor["name"] in output for tensor in untied)
    assert "final_scale, k_digit, k_special, tie_break, v_scale" in output


def test_diff_of_equal_specs() -> None:
    result = call("diff", TINY, TINY)
    assert result.exit_code == 0
    assert result.stdout == "no difference between tiny95 and tiny95\n"
    found = call_json("diff", TINY, TINY)
    assert found["equal"] is True
    assert found["texts"] == found["shapes"] == found["weights"] == found["counts"] == []


def test_diff_of_different_specs() -> None:
    result = call("diff", TINY, EXACT)
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) <= 24
    assert "20 entries × 10000 through v_scale" in result.stdout
    found = call_json("diff", TINY, EXACT, exit_code=1)
    assert found["equal"] is False
    (group,) = found["weights"]
    assert (group["causes"], group["ratio"], len(group["entries"])) == (["v_scale"], 10000, 20)
    assert "parameter" in {change["section"] for change in found["texts"]}


def test_diff_with_a_setting() -> None:
    result = call("diff", TINY, "--set", "v_scale=1e8")
    assert result.exit_code == 1
    assert "20 entries × 10000 through v_scale" in result.stdout
    assert call("diff", TINY, "--set", "v_scale=1e4").exit_code == 0
    assert call("diff", TINY, EXACT, "--set", "v_scale=1e8").exit_code == 1  # name, summary and claims still differ


@pytest.mark.parametrize("arguments", [(TINY,), (TINY, EXACT, QWEN), ()])
def test_diff_takes_two_specs_or_a_setting(arguments: tuple[str, ...]) -> None:
    assert call("diff", *arguments).exit_code == 2


def test_show() -> None:
    result = call("show", TINY)
    assert result.exit_code == 0
    assert "layer1.ffn" in result.stdout
    tensor = call("show", TINY, "layer0.attention.key.bias")
    assert tensor.exit_code == 0
    assert "-1000" in tensor.stdout
    unknown = call("show", TINY, "layer0.attention.key.bia")
    assert unknown.exit_code == 2
    assert "did you mean 'layer0.attention.key.bias'?" in unknown.stderr


def test_show_as_latex() -> None:
    result = call("show", TINY, "--latex")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("% tiny95\n")
    assert r"\mathrm{gate}_{\mathrm{below}_{i}} &= -\mathrm{v\_scale} \, \mathrm{candidate}_{i} \\" in result.stdout
    assert r"\mathrm{digits} &= 6" in call("show", TINY, "--latex", "--set", "digits=6").stdout
    assert call("show", INVALID, "--latex").exit_code == 2


@pytest.mark.parametrize("further", [("layer0.ffn.up.weight",), ("--json",), ("layer0.ffn.up.weight", "--json")])
def test_latex_is_of_a_whole_spec(further: tuple[str, ...]) -> None:
    result = call("show", TINY, *further, "--latex")
    assert result.exit_code == 2
    assert "exclude one another" in (result.stdout if "--json" in further else result.stderr)


def test_schema_is_json_schema() -> None:
    result = call("schema")
    assert result.exit_code == 0
    assert set(json.loads(result.stdout)["required"]) >= {"weightspec", "network", "decode"}


def test_run_right_and_wrong() -> None:
    right = call("run", TINY, "12", "30")
    assert right.exit_code == 0
    assert right.stdout.startswith("12 + 30 = 42")
    wrong = call("run", TINY, "5193798811", "1806201129")
    assert wrong.exit_code == 1
    printed = " ".join(wrong.stdout.split())
    assert printed == "5193798811 + 1806201129 = 7000000000 wrong, the answer is 6999999940"
    found = call_json("run", TINY, "5193798811", "1806201129", exit_code=1)
    assert (found["answer"], found["expected"], found["right"]) == ("7000000000", "6999999940", False)
    assert found["prompt_tokens"][0] == "<bos>"
    assert len(found["answer_tokens"]) == 12
    assert call("run", EXACT, "5193798811", "1806201129").exit_code == 0
    assert call_json("run", QWEN, "9999999999", "1")["answer"] == "10000000000"


@pytest.mark.parametrize(
    "operands",
    [("1",), ("1", "2", "3"), ("1", "x"), ("10000000000", "1"), ("1.5", "2"), ("", "2"), ("٣", "2"), ("9" * 5000, "1")],
)
def test_run_refuses_bad_operands(operands: tuple[str, ...]) -> None:
    result = call("run", TINY, *operands)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr) < 500
    assert call_json("run", TINY, *operands, exit_code=2)["errors"]


def test_build() -> None:
    result = call("build", TINY)
    assert result.exit_code == 0
    assert "tiny95: 1376 stored scalars in float64" in result.stdout
    found = call_json("build", TINY)
    assert found["parameters"] == 1376
    assert found["state_dict"]["embedding.weight"] == [14, 5]


def test_eval() -> None:
    arguments = (TINY, "--suite", "uniform", "--suite", "edges", "--pairs", "60", "--seed", "3")
    result = call("eval", *arguments)
    assert result.exit_code == 0
    assert "828 of 844 right" in result.stdout
    found = call_json("eval", *arguments)
    assert [(suite["suite"], suite["seed"], suite["pairs"]) for suite in found["suites"]] == [
        ("uniform", 3, 60),
        ("edges", None, 784),
    ]
    assert (found["right"], found["pairs"]) == (828, 844)
    status = {claim["claim"].split(":")[0]: claim["status"] for claim in found["claims"]}
    assert (status["edges"], status["uniform"], status["dense count is 1376"]) == ("held", "not checked", "held")


def test_build_with_eval() -> None:
    result = call("build", TINY, "--eval", "--suite", "carries", "--pairs", "20")
    assert result.exit_code == 0
    assert "20 of 20 right" in result.stdout
    assert call_json("build", TINY, "--eval", "--suite", "carries", "--pairs", "20")["right"] == 20


def test_the_protocol_of_the_leaderboard(tmp_path: Path) -> None:
    path = variant(tmp_path, "expect:\n  count: null\n  eval:\n    adderboard: {pairs: 10010, right: 10010}\n")
    result = call("eval", path, "--protocol", "adderboard")
    assert result.exit_code == 0
    last = "qualified for adderboard: 10,010 of 10,010 right, the leaderboard asks for 9,910 (99 %)"
    assert last in result.stdout.splitlines()
    found = call_json("build", path, "--eval", "--protocol", "adderboard")
    assert (found["protocol"], found["threshold"], found["qualified"]) == ("adderboard", 0.99, True)
    (suite,) = found["suites"]
    assert [(part["label"], part["right"], part["pairs"]) for part in suite["parts"]] == [
        ("edge cases", 10, 10),
        ("random pairs", 10_000, 10_000),
    ]
    claims = {claim["claim"]: claim["status"] for claim in found["claims"]}
    assert claims["adderboard: 10,010 of 10,010 right"] == "held"


def test_what_is_not_qualified_exits_with_1_and_lists_its_failures(tmp_path: Path) -> None:
    """With so small a scale, sums near a carry are wrong: more than 1 % of all pairs."""
    arguments = ("eval", TINY, "--set", "v_scale=1e-4", "--protocol", "adderboard")
    result = call(*arguments, "--failures", "1")
    assert result.exit_code == 1
    assert "not qualified for adderboard: " in result.stdout
    assert "first failures" in result.stdout
    found = call_json(*arguments, "--failures", "7", exit_code=1)
    assert found["qualified"] is False
    for part in found["suites"][0]["parts"]:
        assert len(part["failures"]) == min(7, part["pairs"] - part["right"])
    assert found["right"] < 9_910


def test_the_suite_of_a_protocol_alone_measures_and_does_not_judge() -> None:
    arguments = ("eval", TINY, "--set", "v_scale=1e-4", "--suite", "adderboard", "--failures", "0")
    result = call(*arguments)
    assert result.exit_code == 0
    assert "qualified" not in result.stdout
    assert "greedy decoding says" not in result.stdout


def test_every_failure_can_be_listed() -> None:
    shown = call("eval", TINY, "--suite", "edges", "--failures", "all").stdout
    failures, _, classes = shown.partition("failure classes")
    rows = [line for line in failures.splitlines() if line.startswith("edges ") and "+" in line]
    assert len(rows) == 16
    assert "edges              sum[1]             4      5         10  0 + 4999999999" in classes
    assert "first failures" not in shown
    (suite,) = call_json("eval", TINY, "--suite", "edges", "--failures", "all")["suites"]
    assert len(suite["parts"][0]["failures"]) == 16


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("eval", TINY, "--protocol", "adderboard", "--pairs", "5"), "give no suites, inputs or seed"),
        (("eval", TINY, "--protocol", "adderboard", "--seed", "0"), "give no suites, inputs or seed"),
        (("eval", TINY, "--protocol", "adderboard", "--suite", "edges"), "give no suites, inputs or seed"),
        (
            ("eval", TINY, "--protocol", "adderboard", "--set", "digits=9"),
            "an operand of this task is at most 999999999",
        ),
        (("eval", TINY, "--protocol", "olympics"), "known: adderboard"),
        (("eval", str(ROOT / "specs" / "reverse.yaml"), "--protocol", "adderboard"), "addition has adderboard"),
        (("eval", TINY, "--failures", "some"), "'some' is neither a number nor 'all'"),
        (("eval", TINY, "--failures", "-1"), "'-1' is neither a number nor 'all'"),
        (("build", TINY, "--protocol", "adderboard"), "--protocol needs --eval"),
        (("build", TINY, "--failures", "3"), "--failures needs --eval"),
    ],
)
def test_a_wrong_call_of_an_evaluation(arguments: tuple[str, ...], says: str) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert not result.stdout


def test_a_setting_makes_a_variant_without_claims() -> None:
    found = call_json("eval", TINY, "--set", "digits=2", "--suite", "edges")
    assert found["settings"] == ["digits=2"]
    assert {claim["status"] for claim in found["claims"]} == {"not checked"}


@pytest.mark.parametrize("command", [("count",), ("eval", "--suite", "carries", "--pairs", "4")])
def test_a_false_claim_fails(tmp_path: Path, command: tuple[str, ...]) -> None:
    path = variant(tmp_path, "expect:\n  count: {nonzero: 94}\n")
    result = call(command[0], path, *command[1:])
    assert result.exit_code == 1
    assert "nonzero count is 94" in result.stdout
    assert "found 95" in result.stdout
    found = call_json(command[0], path, *command[1:], exit_code=1)
    claims = (found if command[0] == "eval" else found[0])["claims"]
    assert [claim["reason"] for claim in claims if claim["status"] == "failed"] == ["found 95"]


def test_a_false_claim_of_an_evaluation_fails(tmp_path: Path) -> None:
    path = variant(tmp_path, "expect:\n  eval:\n    edges: {pairs: 784, right: 784}\n")
    assert call("count", path).exit_code == 0
    result = call("eval", path, "--suite", "edges")
    assert result.exit_code == 1
    assert "found 768 of 784" in result.stdout

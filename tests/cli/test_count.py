"""`count` as a user calls it: a leaderboard, assertions, one bad spec among several, and `--why`."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import compiler
from compiler.expressions.floats import FORMATS, shortest
from compiler.readers.counting.counts import COUNTING_RULES, PARTS, SHOWN_RULES
from compiler.terminal.leaderboard import print_leaderboard
from tests.cli.test_cli import EXACT, INVALID, QWEN, ROOT, TINY, call, call_json

REVERSE = str(ROOT / "specs" / "reverse.yaml")
ALL = (TINY, QWEN, REVERSE, EXACT)
UP = "layer0.ffn.up.weight"
CLAIMS = {"tiny95": 36, "qwen20": 20, "reverse": None, "tiny95-exact": 36}


def names(output: str) -> list[str]:
    """The first column of the tables, without their headers."""
    return [row.split()[0] for rows in leaderboard(output).values() for row in rows]


def leaderboard(output: str) -> dict[str, list[str]]:
    """The rows of each table of figures, by what is asked; of a single spec, by nothing."""
    found = {}
    for block in output.split("\n\n"):
        lines = block.splitlines()
        header = next((i for i, line in enumerate(lines) if line.startswith("spec ")), None)
        if header is not None:
            found["".join(lines[:header][-1:])] = lines[header + 1 :]
    return found


def noted(folder: Path, claim: str, *, name: str = "noted") -> str:
    """A spec that extends a copy of tiny95, with a count that its author claims."""
    shutil.copy(TINY, folder)
    path = folder / f"{name}.yaml"
    path.write_text(f"weightspec: 1\nextends: tiny95.yaml\nname: {name}\nexpect: {{count: null, {claim}}}\n")
    return str(path)


# The leaderboard


def test_claimed_counts_stand_beside_ours() -> None:
    output = call("count", *ALL).stdout
    headers = [line.split() for line in output.splitlines() if line.startswith("spec ")]
    assert headers == [["spec", "claimed", *SHOWN_RULES]] * 2
    (sums, (reverse,)) = leaderboard(output).values()
    assert [row.split()[:3] for row in sums[:2]] == [["tiny95", "36", "distinct"], ["qwen20", "20", "free"]]
    assert reverse.split()[:2] == ["reverse", "–"]
    found = call_json("count", *ALL)
    assert {one["name"]: one["claimed"] for one in found} == CLAIMS
    assert [one["claimed_rule"] for one in found] == ["distinct", "free", None, "distinct"]


def test_no_column_where_nothing_is_claimed() -> None:
    assert "claimed" not in call("count", REVERSE).stdout
    assert "claimed" not in call("count", *ALL, "--set", "dtype=float64").stdout


@pytest.mark.parametrize("figure", [*COUNTING_RULES, "hard_coded", "claimed"])
def test_sorted_by_each_figure(figure: str) -> None:
    found = call_json("count", *ALL, "--sort", figure)

    def key(one: dict[str, Any]) -> tuple[bool, int]:
        own = {**one["counts"], **one, "hard_coded": len(one["hard_coded"])}[figure]
        return own is None, own or 0

    keys = [key(one) for one in found]
    assert keys == sorted(keys)
    assert len({*keys}) > 1 or figure == "positions"  # none of them has a table
    shown = names(call("count", *ALL, "--sort", figure).stdout)
    for asked in {one["question"] for one in found}:
        same = [one["name"] for one in found if one["question"] == asked]
        assert [name for name in shown if name in same] == same


def test_sorting_is_stable_and_the_undeclared_come_last() -> None:
    assert names(call("count", EXACT, REVERSE, TINY, "--sort", "free").stdout) == ["tiny95-exact", "tiny95", "reverse"]
    assert names(call("count", TINY, REVERSE, EXACT, "--sort", "free").stdout) == ["tiny95", "tiny95-exact", "reverse"]
    assert names(call("count", REVERSE, TINY, QWEN, "--sort", "claimed").stdout) == ["qwen20", "tiny95", "reverse"]
    assert names(call("count", REVERSE, TINY, QWEN).stdout) == ["reverse", "tiny95", "qwen20"]
    assert names(call("count", TINY, REVERSE, QWEN).stdout) == ["tiny95", "qwen20", "reverse"]


@pytest.mark.parametrize("rule", ["distnict", "", "Free", "claims"])
def test_an_unknown_rule_to_sort_by(rule: str) -> None:
    result = call("count", TINY, "--sort", rule)
    assert (result.exit_code, result.stdout) == (2, "")
    assert all(f"'{figure}'" in result.stderr for figure in (*COUNTING_RULES, "hard_coded", "claimed"))


def test_a_note_stands_below_the_table(tmp_path: Path) -> None:
    path = noted(tmp_path, "claimed: {count: 10, rule: null, note: 'text: without the head, [as published]'}")
    result = call("count", path, TINY)
    assert result.exit_code == 0
    assert ["noted", "10", "*", "1376"] in [line.split()[:4] for line in result.stdout.splitlines()]
    assert "* noted: text: without the head, [as published]" in result.stdout.splitlines()
    path = noted(tmp_path, "claimed: {count: 36, note: zeros are left out}")
    assert "36 distinct *" in call("count", path).stdout


def test_a_claim_that_does_not_hold_says_whose_it_is(tmp_path: Path) -> None:
    path = noted(tmp_path, "claimed: {count: 35}")
    result = call("count", QWEN, path)
    assert result.exit_code == 1
    tail = result.stdout[result.stdout.index("claims of noted:") :].split("\n")
    assert re.fullmatch(r"author's count is 35, by the rule distinct  failed  found 36\s*", tail[2])
    assert "claims of qwen20" not in result.stdout
    (claim,) = [one for one in call_json("count", path, exit_code=1)[0]["claims"] if "author" in one["claim"]]
    assert (claim["status"], claim["reason"]) == ("failed", "found 36")
    assert call("count", QWEN, path, "--set", "digits=5").exit_code == 0


def test_settings_of_several_specs_are_said_once() -> None:
    output = call("count", TINY, EXACT, "--set", "digits=5").stdout
    assert output.count("--set digits=5") == 1
    assert leaderboard(output).keys() == {"addition, base 10, digits 5"}
    assert names(output) == ["tiny95", "tiny95-exact"]
    assert call("count", TINY, "--set", "digits=5").stdout.splitlines()[1].startswith("tiny95 --set digits=5  ")


def test_specs_of_one_name_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one.yaml", "other.yaml"):
        shutil.copy(TINY, tmp_path / name)
    monkeypatch.chdir(tmp_path)  # the names are short: a table folds long ones
    output = call("count", "one.yaml", "other.yaml", QWEN).stdout
    assert names(output) == ["one.yaml", "other.yaml", "qwen20"]


def shown(paths: list[str], width: int, **options: Any) -> list[str]:
    counted = [(spec, compiler.count(spec)) for spec in map(compiler.load, paths)]
    out = Console(file=io.StringIO(), width=width, highlight=False)
    print_leaderboard(counted, out=out, **options)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue().splitlines()


def test_a_narrow_table_leaves_figures_out_and_says_so(tmp_path: Path) -> None:
    path = noted(tmp_path, "eval: null", name="bingbangboom-lab_87p")
    paths = [*ALL, path]
    wide, narrow, narrower = shown(paths, 160), shown(paths, 86), shown(paths, 80)
    assert "42 (66 untied)" in wide[3]
    around = 5  # a title and a header for each of two tasks, and a line between them
    assert len(wide) == len(paths) + around
    for lines, width in ((narrow, 86), (narrower, 80)):
        assert max(map(len, lines)) <= width
        assert len(lines) == len(paths) + around + 1  # a line for each spec, none folded
        assert "dense_untied, values_with_zero" in lines[-1]
        assert "undeclared" not in "".join(lines)
    assert narrow[1].split()[-1] == "hard_coded"
    assert "hard_coded" in narrower[-1]
    assert narrower[1].split()[-1] == "free"
    path = noted(tmp_path, "claimed: {count: 30, rule: values_with_zero}", name="bingbangboom-lab_87p")
    assert shown([*ALL, path], 80)[5].split()[1:5] == ["30", "with", "0", "1376"]
    assert not any("31 (32 with 0)" in line for line in shown(paths, 82))
    assert any("31 (32 with 0)" in line for line in shown(paths, 82, keep="values_with_zero"))


def test_what_is_piped_is_complete() -> None:
    """In a process of its own, without a terminal."""
    command = [sys.executable, str(ROOT / "cli.py"), "count", *ALL]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"COLUMNS": "40"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "42 (66 untied)" in done.stdout
    assert "\x1b" not in done.stdout


def test_hard_coded_numbers_have_a_line_for_each_spec() -> None:
    output = call("count", *ALL).stdout.split("\n\n")[2]
    rows = [line.split(maxsplit=2) for line in output.splitlines()[1:]]
    assert [row[:2] for row in rows] == [["tiny95", "3"], ["qwen20", "1"], ["tiny95-exact", "3"]]
    assert rows[0][2].strip() == "base = 10, digits = 10, 0.5"


def test_very_many_hard_coded_numbers_are_cut_to_a_line(tmp_path: Path) -> None:
    path = str(tmp_path / "many.yaml")
    numbers = ", ".join(f"{i}.25" for i in range(2, 90))
    text = (
        "weightspec: 1\nname: many\ndtype: float64\nvocabulary: digit[2]\n"
        "task: {addition: {base: 2, digits: 1}, prompt: a b, answer: sum}\n"
        f"stream: d[88]\nnetwork:\n  embedding: {{}}\n  scale: [{numbers}]\n  head:\n    classes: 2\ndecode: argmax\n"
    )
    Path(path).write_text(text)
    output = call("count", path, TINY).stdout
    (row,) = [line for line in output.splitlines() if line.startswith("many ") and "2.25" in line]
    assert re.search(r"2\.25, 3\.25, .* and \d+ more\s*$", row)
    assert len(row) <= 160
    listed = call("count", path, TINY, "--hard-coded").stdout
    assert all(f"\n{i}.25" in listed for i in range(2, 90))


def test_hard_coded_in_full() -> None:
    output = call("count", TINY, QWEN, "--hard-coded").stdout
    assert "tiny95: 3 hard-coded" in output
    lines = [line.strip() for line in output.splitlines()]
    at = next(i for i, line in enumerate(lines) if line.startswith("digits = 10"))
    assert re.fullmatch(r"digits = 10 +21  addition: \{base: 10, digits: 10\}", lines[at])
    assert lines[at + 1] == "44  up candidate[i]: (i + 0.5) * digit_scale * final_scale * count"
    assert lines[at + 2] == "45  up place: digit_scale * count"
    assert lines[at + 3].startswith("0.5 ")
    variant = call("count", EXACT, "--hard-coded").stdout
    assert re.search(r"base = 10 +tiny95\.yaml:21  addition", variant)
    assert re.search(r"\n +tiny95\.yaml:44  up candidate", variant)
    assert call("count", REVERSE, "--hard-coded").stdout.rstrip().endswith("reverse: 0 hard-coded")


def test_a_number_that_many_equations_read_is_listed_with_the_first_of_them(tmp_path: Path) -> None:
    path = tmp_path / "many.yaml"
    rows = "\n".join(f"    up u[{i}]: 2.5 * x" if i % 2 else f"    up u[{i}]: gain * x" for i in range(60))
    path.write_text(
        "weightspec: 1\nname: many\ndtype: float64\nconstants:\n  gain: 2.25\nvocabulary: digit[2]\n"
        "task: {addition: {base: 2, digits: 1}, prompt: a b, answer: sum}\nignore: no-claims\n"
        f"stream: x\nnetwork:\n  embedding: {{}}\n  ffn:\n    hidden: u[60]\n{rows}\n  head:\n    classes: 2\n"
        "decode: argmax\n"
    )
    first, *listed = call("count", str(path), "--hard-coded").stdout.partition("gain = 2.25")[2].splitlines()
    assert first.split() == ["5", "gain:", "2.25"]
    assert [line.strip() for line in listed[:20]] == [f"{14 + i}  up u[{i}]: gain * x" for i in range(0, 40, 2)]
    assert listed[20].split() == ["and", "others"]
    assert listed[21].split()[:2] == ["2.5", "15"]


# One bad spec among several


def test_bad_specs_do_not_stop_the_others() -> None:
    result = call("count", TINY, INVALID, QWEN, "nowhere.yaml")
    assert result.exit_code == 2
    assert names(result.stdout) == ["tiny95", "qwen20"]
    assert f"{INVALID}:23:21: error: " in result.stderr
    assert "nowhere.yaml:1:1: error: no such file" in result.stderr
    assert result.stderr.rstrip().endswith("2 errors")
    found = call_json("count", TINY, INVALID, QWEN, "nowhere.yaml", "--sort", "dense", exit_code=2)
    assert [one["code"] for one in found["errors"]] == ["unknown-name", "missing-file"]
    assert [one["name"] for one in found["counted"]] == ["qwen20", "tiny95"]


def test_bad_specs_alone(tmp_path: Path) -> None:
    result = call("count", INVALID, "nowhere.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "2 errors" in result.stderr
    assert call_json("count", INVALID, "nowhere.yaml", exit_code=2)["counted"] == []
    assert set(call_json("count", INVALID, exit_code=2)) == {"errors", "warnings"}
    failing = noted(tmp_path, "claimed: {count: 35}")
    assert call("count", failing, INVALID).exit_code == 2  # and not 1


# Assertions


def test_an_assertion_that_holds() -> None:
    result = call("count", QWEN, "--assert", "free=20", "--assert", "dense<=50", "--assert", "hard_coded>=1")
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()[-3:]] == [
        ["free=20", "qwen20", "holds", "found", "20"],
        ["dense<=50", "qwen20", "holds", "found", "42"],
        ["hard_coded>=1", "qwen20", "holds", "found", "1"],
    ]


def test_an_assertion_that_fails_says_where() -> None:
    result = call("count", TINY, QWEN, "--assert", "free=20", "--assert", "distinct<=31")
    assert result.exit_code == 1
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["free=20", "tiny95", "fails", "found", "5"] in rows
    assert ["free=20", "qwen20", "holds", "found", "20"] in rows
    assert "free of tiny95: final_scale, k_digit, k_special, tie_break, v_scale" in result.stdout
    assert "distinct of tiny95: embedding 13, layer0.attention.query 1, " in result.stdout
    assert "of qwen20: " not in result.stdout
    found = call_json("count", TINY, QWEN, "--assert", "free = 20", exit_code=1)
    assert [one["assertions"] for one in found] == [
        [{"assertion": "free=20", "figure": "free", "found": 5, "holds": False}],
        [{"assertion": "free=20", "figure": "free", "found": 20, "holds": True}],
    ]


def test_an_assertion_about_an_undeclared_figure() -> None:
    result = call("count", REVERSE, "--assert", "free>=0")
    assert result.exit_code == 1
    assert "found undeclared" in result.stdout


def test_an_assertion_is_about_a_variant_too(tmp_path: Path) -> None:
    assert call("count", QWEN, "--set", "digits=6", "--assert", "free=20").exit_code == 0
    assert call("count", QWEN, "--set", "bend=0", "--assert", "nonzero=32").exit_code == 1
    saved = str(tmp_path / "saved.safetensors")
    assert call("build", QWEN, "-o", saved).exit_code == 0
    assert call("count", saved, "--assert", "free=20").exit_code == 0


@pytest.mark.parametrize("text", ["free", "free=x", "fre=20", "free<20", "claimed=20", "", "free=1 dense=2"])
def test_a_malformed_assertion(text: str) -> None:
    result = call("count", QWEN, "--assert", text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: " in result.stderr
    assert all(figure in result.stderr for figure in (*COUNTING_RULES, "hard_coded"))


# Why


@pytest.mark.parametrize(
    "arguments",
    [
        ("--why", TINY, f"{UP}[3, 3]"),
        (TINY, f"{UP}[3, 3]", "--why"),
        (TINY, "--why", f"{UP}[3, 3]"),
    ],
)
def test_why_in_any_order(arguments: tuple[str, ...]) -> None:
    result = call("count", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines[0] == f"{UP}[candidate[3], count] = 3500000000000.0 in float64, at [3, 3] of [11, 5]"
    assert lines[1].endswith("`up candidate[i]: (i + 0.5) * digit_scale * final_scale * count`, for i = 3")
    assert lines[2] == f"{TINY}:44:5"
    assert lines[3] == "   44 |     up candidate[i]: (i + 0.5) * digit_scale * final_scale * count"
    assert [line.split()[0] for line in lines[5:]] == ["0.5", "digit_scale", "base", "digits", "final_scale"]
    assert lines[7].startswith("  base ")


def test_why_is_the_weight_of_the_built_model() -> None:
    model = compiler.build(compiler.load(QWEN))
    state = model.state_dict()
    for name in ("ffn.down.weight", "head.logits.weight", "attention.query.weight"):
        rows, columns = state[name].shape
        places = [f"{name}[{i}, {j}]" for i in range(rows) for j in range(columns)]
        found = call_json("count", "--why", QWEN, *places)
        assert [one["value"] for one in found] == state[name].flatten().tolist()
        first = call("count", "--why", QWEN, *places).stdout.splitlines()[0]
        shown = shortest(state[name][0, 0].item(), FORMATS["float32"])
        assert f" = {shown!r} in float32" in first


def test_why_of_several_places_with_settings() -> None:
    result = call("count", TINY, "--why", f"{UP}[0, 3]", "layer1.ffn.up.bias[*]", "--set", "final_scale=3")
    assert [line for line in result.stdout.splitlines() if " in float64" in line] == [
        f"{UP}[candidate[0], count] = 15000000000.0 in float64, at [0, 3] of [11, 5]",
        "layer1.ffn.up.bias[*] = 3.0 in float64, at [0] of [1]",
    ]
    assert "--set:1" in result.stdout
    assert "stored once, and broadcast to all targets of layer1.ffn.up" in result.stdout


def test_why_of_a_tie_and_of_zeros() -> None:
    tie = call("count", "--why", QWEN, "ffn.down.weight[digit, carry[1]]").stdout
    assert "the same number as attention.output.weight[digit, look[1]]" in tie
    assert f"`down: attention.output`, {QWEN}:52" in tie
    row = call("count", "--why", TINY, f"{UP}[candidate[3], eq]").stdout
    assert "what is not written is zero" in row
    assert "its row 'candidate[3]' is written by" in row
    column = call("count", "--why", TINY, "layer0.attention.value.weight[eq, eq]").stdout
    assert "no equation of layer0.attention.value has that target" in column
    assert "its column 'eq' is written by" in column
    nothing = call("count", "--why", TINY, "layer0.attention.value.weight[eq, digit]").stdout
    assert "none writes anything into its row or column" in nothing


def test_why_of_a_spec_that_extends_another_names_the_file() -> None:
    output = call("count", "--why", EXACT, "layer1.ffn.gate.weight[0, candidate[0]]").stdout
    assert f"{TINY}:55:5" in output
    assert re.search(r"v_scale +100000000  parameter  1e8 +\d+\n", output)


def test_why_of_a_saved_model(tmp_path: Path) -> None:
    saved = str(tmp_path / "saved.safetensors")
    assert call("build", QWEN, "-o", saved).exit_code == 0
    (found,) = call_json("count", "--why", saved, "embedding.weight[3, digit]")
    assert (found["value"], found["numbers"][2]["name"]) == (-3.0, "t[3]")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--why", TINY), "--why takes a SPEC and places"),
        (("--why",), "Missing argument"),
        (("--why", f"{UP}[3, 3]", TINY), "--why takes the spec first"),
        (("--why", TINY, f"{UP}[3, 3]", "--by-tensor"), "--why goes with no other option"),
        (("--why", TINY, f"{UP}[3, 3]", "--sort", "free"), "--why goes with no other option"),
        (("--why", TINY, f"{UP}[3, 3]", "--assert", "free=5"), "--why goes with no other option"),
        (("--why", TINY, f"{UP}[3, 3]", "--hard-coded"), "--why goes with no other option"),
    ],
)
def test_calls_of_why_that_make_no_sense(arguments: tuple[str, ...], says: str) -> None:
    result = call("count", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert "Usage: " in result.stderr


def test_places_that_are_none() -> None:
    result = call("count", "--why", TINY, f"{UP}[11, 0]", "layer0.ffn.upp.weight[0, 0]", f"{UP}[0, 0]")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "row 11 is out of range" in result.stderr
    assert f"did you mean '{UP}'?" in result.stderr
    assert "2 errors" in result.stderr
    found = call_json("count", "--why", TINY, f"{UP}[place, cuont]", exit_code=2)
    assert [one["code"] for one in found["errors"]] == ["unknown-name"]
    assert call("count", "--why", INVALID, "embedding.weight[0, 0]").exit_code == 2
    assert call("count", "--why", "nowhere.yaml", "embedding.weight[0, 0]").exit_code == 2


def test_a_deep_chain_is_cut(tmp_path: Path) -> None:
    chain = "\n".join(["  k0: 2", *(f"  k{i}: k{i - 1} * 1" for i in range(1, 2000))])
    text = Path(TINY).read_text(encoding="utf-8").replace("constants:\n", f"constants:\n{chain}\n")
    path = tmp_path / "deep.yaml"
    path.write_text(text.replace("digit[d]: {digit: base * d}", "digit[d]: {digit: k1999 * d}"), encoding="utf-8")
    output = call("count", "--why", str(path), "embedding.weight[3, digit]").stdout
    assert "and more; see --json" in output
    assert max(map(len, output.splitlines())) <= 160
    (found,) = call_json("count", "--why", str(path), "embedding.weight[3, digit]")
    assert [one["name"] for one in found["numbers"]] == [f"k{i}" for i in reversed(range(2000))]


def test_why_takes_no_torch() -> None:
    code = (
        "import sys, cli\n"
        f"sys.argv = ['cli.py', 'count', '--why', {TINY!r}, '{UP}[3, 3]', '--json']\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)[0]["value"] == 3500000000000.0


def test_parts_of_dense_stand_below_the_items_and_in_a_table_that_is_sorted_by_one() -> None:
    assert "dense: embedding 20, positions 0, non_embedding 22\n" in call("count", QWEN, "--by-tensor").stdout
    tables = call("count", TINY, QWEN, "--sort", "non_embedding").stdout
    assert [row.split()[-1] for row in next(iter(leaderboard(tables).values()))] == ["22", "1306"]
    found = {one["name"]: one for one in call_json("count", QWEN, TINY)}
    assert all(one["counts"]["dense"] == sum(one[part] for part in PARTS) for one in found.values())
    assert (found["qwen20"]["embedding"], found["tiny95"]["non_embedding"]) == (20, 1306)

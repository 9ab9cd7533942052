"""The codes of errors."""

from __future__ import annotations

from compiler.readers.explaining.explanation import Explanation

_TASK = """\
task:
  addition: null
  sizes: {base: 10}
  given: {a: digit, b: digit}
  prompt: a b
  answers: {sum: digit}
  answer: sum
"""  # with two symbols and an answer of one

ERRORS = (
    Explanation(
        "bad-extends",
        "A spec extends only files in its own folder or below it, at most eight in a chain.",
        """\
>>> Path("mine.yaml").write_text("weightspec: 1\\nextends: ../other.yaml")
$ python cli.py validate mine.yaml
""",
        "name: mine",
    ),
    Explanation(
        "bad-map",
        "A file for `diff --map` pairs each tensor with one tensor of the other model, once.",
        """\
>>> Path("names.yaml").write_text("ffn.up.weight: [ffn.down.weight, ffn.up.weight]")
$ python cli.py diff base.yaml base.yaml --map names.yaml
""",
        """\
>>> Path("names.yaml").write_text("ffn.up.weight: ffn.up.weight")
$ python cli.py diff base.yaml base.yaml --map names.yaml
""",
    ),
    Explanation(
        "bad-model-file",
        "The file is no model that can be read: a `.safetensors` file that `build -o` saved, TorchScript, or what"
        " torch.export saves. Pickled files are never read.",
        """\
>>> Path("model.safetensors").write_bytes(b"no tensors")
$ python cli.py count model.safetensors
""",
        "$ python cli.py count base.yaml",
    ),
    Explanation(
        "bad-module",
        "A module of another program failed, gave no logits [batch, time, classes], or did not say the same twice.",
        """\
>>> compiler.load_foreign(torch.nn.Identity(), compiler.load_task("base.yaml"))
""",
        """\
>>> compiler.load_foreign(torch.nn.Embedding(10, 10), compiler.load_task("base.yaml"))
""",
    ),
    Explanation(
        "bad-name",
        "A name has letters a to z, digits and _, begins with none of the digits, and means nothing else.",
        "constants: {two-x: 2}\nnetwork: {ffn: {up: two-x * seen}}",
        "constants: {two_x: 2}\nnetwork: {ffn: {up: two_x * seen}}",
    ),
    Explanation(
        "bad-order",
        "Steps stand in their order: the embedding first, the head last.",
        "network:\n  norm late: {after: head, rms: 1e-6}",
        "network:\n  norm late: {after: ffn, rms: 1e-6}",
    ),
    Explanation(
        "bad-value",
        "A value is none of those that are possible here. The message or its hint lists them.",
        "dtype: float46",
        "dtype: float32",
    ),
    Explanation(
        "cannot-edit",
        "`claim` leaves an `expect` alone that has anchors or aliases of YAML: what they mark is read elsewhere too.",
        """\
>>> claims = "expect: {eval: null, count: &mine {free: 10}}"
>>> Path("mine.yaml").write_text("weightspec: 1\\nextends: base.yaml\\n" + claims)
$ python cli.py claim mine.yaml
""",
        """\
>>> claims = "expect: {eval: null, count: {free: 10}}"
>>> Path("mine.yaml").write_text("weightspec: 1\\nextends: base.yaml\\n" + claims)
$ python cli.py claim mine.yaml
""",
    ),
    Explanation(
        "cannot-format",
        "`fmt` leaves a file alone that it could only change in meaning, or does not understand.",
        """\
>>> Path("mine.yaml").write_text("name: mine\\rdtype: float64")
$ python cli.py fmt mine.yaml --check
""",
        """\
>>> Path("mine.yaml").write_text("name: mine\\ndtype: float64\\n")
$ python cli.py fmt mine.yaml --check
""",
    ),
    Explanation(
        "cannot-read",
        "There is something by this name, but it is no file that can be read.",
        "$ python cli.py validate .",
        "$ python cli.py validate base.yaml",
    ),
    Explanation(
        "cannot-write",
        "The file cannot be written: its folder is not writable, or something else has its name.",
        """\
>>> Path("mine.yaml").mkdir()
$ python cli.py new mine --force
""",
        "$ python cli.py new mine",
    ),
    Explanation(
        "changed",
        "A saved model was replaced while it was read. Try again.",
    ),
    Explanation(
        "contradiction",
        "The columns and the equations of a task say different things of an input.",
        f"""\
{_TASK}  columns: {{from: first, sum: (a + b) % 10}}
  equations: {{sum: (a + 2 * b) % 10}}
expect: null
""",
        f"""\
{_TASK}  columns: {{from: first, sum: (a + b) % 10}}
  equations: {{sum: (a + b) % 10}}
expect: null
""",
    ),
    Explanation(
        "cycle",
        "A name is defined by itself, or a file extends itself, directly or through others.",
        "constants: {first: second + 1, second: first - 1}",
        "constants: {first: 2, second: first - 1}",
    ),
    Explanation(
        "device",
        "There is no such torch device on this machine, or the model can only run on the CPU.",
        "$ python cli.py eval base.yaml --suite edges --device nowhere",
        "$ python cli.py eval base.yaml --suite edges --device cpu",
    ),
    Explanation(
        "duplicate-key",
        "A key is written twice. A second step of one kind needs a block name: `ffn second`.",
        "network:\n  ffn second: {hidden: more}\n  ffn second: {hidden: most}",
        "network:\n  ffn second: {hidden: more}\n  ffn third: {hidden: most}",
    ),
    Explanation(
        "duplicate-name",
        "A list of names has one name twice.",
        "stream: own seen seen",
        "stream: own seen more",
    ),
    Explanation(
        "empty",
        "There is nothing in the file, or nothing but comments.",
        """\
>>> Path("mine.yaml").write_text("# soon")
$ python cli.py validate mine.yaml
""",
        "name: mine",
    ),
    Explanation(
        "empty-attention",
        "A query sees no key: every score is -inf. A softmax over nothing is not a number.",
        "network: {attention: {score look: -inf}}",
        'network: {attention: {score look: "where(key_pos < query_pos, -inf, 0)"}}',
    ),
    Explanation(
        "empty-range",
        "The values of a name in a sweep are none: a range that ends before it begins, or an empty list.",
        "$ python cli.py sweep base.yaml --set base=5..2 --suite uniform --inputs 1 --jobs 1 --journal kept.journal",
        "$ python cli.py sweep base.yaml --set base=2..3 --suite uniform --inputs 1 --jobs 1 --journal kept.journal",
    ),
    Explanation(
        "empty-value",
        "A key in { } has no value. Often the space after a colon is missing, or a formula has a comma.",
        "defaults: {activation:relu}",
        "defaults: {activation: relu}",
    ),
    Explanation(
        "fault",
        "The program is at fault, not the spec or the call: exit code 4. The message says what to send.",
    ),
    Explanation(
        "file-changed",
        "The file was changed while its claims were measured, and is left as it is. Run `claim` again.",
    ),
    Explanation(
        "file-exists",
        "A file of that name exists, and is left as it is.",
        "$ python cli.py new base",
        "$ python cli.py new other",
    ),
    Explanation(
        "in-use",
        "Another process writes this file now, as with two sweeps that have one journal. Wait for it, or name another.",
    ),
    Explanation(
        "index-range",
        "An index is out of the range of its family, vector or axis; or a size is too small.",
        "network: {head: {'bias logits digit[10]': 1}}",
        "network: {head: {'bias logits digit[9]': 1}}",
    ),
    Explanation(
        "missing-file",
        "There is no file of that name, and no example of the package.",
        "$ python cli.py validate nothing.yaml",
        "$ python cli.py validate base.yaml",
    ),
    Explanation(
        "missing-folder",
        "The folder to write to is not there. Make it first.",
        "$ python cli.py new folder/mine",
        "$ python cli.py new mine",
    ),
    Explanation(
        "missing-key",
        "A key that has to be there is not.",
        "network: {ffn second: {activation: relu}}",
        "network: {ffn second: {activation: relu, hidden: more}}",
    ),
    Explanation(
        "missing-package",
        "A package is not installed that only this needs: the hint says how to install it.",
    ),
    Explanation(
        "missing-tensor",
        "A file of tensors lacks one that the network of the spec stores.",
        """\
>>> tensors = compiler.build(compiler.load("base.yaml")).state_dict()
>>> del tensors["ffn.up.weight"]
>>> save_file(tensors, "other.safetensors")
$ python cli.py eval --model other.safetensors --like base.yaml --suite edges --inputs 1
""",
        """\
>>> tensors = compiler.build(compiler.load("base.yaml")).state_dict()
>>> save_file(tensors, "other.safetensors")
$ python cli.py eval --model other.safetensors --like base.yaml --suite edges --inputs 1
""",
    ),
    Explanation(
        "module-hangs",
        "A module of another program took more than a minute for its first sequences.",
    ),
    Explanation(
        "name-clash",
        "A name has two meanings in one place.",
        "constants: {seen: 2}",
        "constants: {twice: 2}\nnetwork: {ffn: {up: twice * seen}}",
    ),
    Explanation(
        "newer-format",
        "The state of an interrupted run was saved by a newer version of this program.",
    ),
    Explanation(
        "no-match",
        "In a formula of a task, `first` or `last` finds no index for some input. `only` can leave such inputs out.",
        f"""\
{_TASK}  equations: {{sum: "first(k * a == b, k, 10)"}}
expect: null
""",
        f"""\
{_TASK}  equations: {{sum: "first(k * a == b or k == 9, k, 10)"}}
expect: null
""",
    ),
    Explanation(
        "non-affine",
        "An equation adds dimensions up and multiplies them by numbers, nothing else. Products and functions of"
        " dimensions are computed by the units of an ffn: `gate`, `activation`.",
        "network: {ffn: {up: seen * own}}",
        "network: {ffn: {gate: own, up: seen}}",
    ),
    Explanation(
        "not-followed",
        "The fast engine has no program for the spec. `eval` then runs the torch module alone.",
        """\
>>> network = "network: {ffn: {up: 1e300 * seen, down seen: 1e300 * unit}}"
>>> Path("mine.yaml").write_text("weightspec: 1\\nextends: base.yaml\\n" + network)
$ python cli.py show mine.yaml --stage program --pass magnitudes
""",
        "$ python cli.py show base.yaml --stage program --pass magnitudes",
    ),
    Explanation(
        "not-text",
        "The file is not UTF-8 text: no spec, and no saved model by its name.",
        """\
>>> Path("mine.yaml").write_bytes(b"name: \\xff")
$ python cli.py validate mine.yaml
""",
        "name: mine",
    ),
    Explanation(
        "number",
        "A formula gives no finite real number: a division by zero, a root of -1, a number too large for its dtype.",
        "constants: {half: 1 / 0}",
        "constants: {half: 1 / 2}",
    ),
    Explanation(
        "out-of-range",
        "A formula of a task gives a symbol, number or state that is not there, for some input.",
        f"""\
{_TASK}  equations: {{sum: a + b}}
expect: null
""",
        f"""\
{_TASK}  equations: {{sum: (a + b) % 10}}
expect: null
""",
    ),
    Explanation(
        "process",
        "Another process that `report` started has ended before it was done, often for lack of memory.",
    ),
    Explanation(
        "scheduler",
        "A sweep asks a Dask cluster, and no scheduler answers at the address, or it was lost on the way. What was"
        " computed is in the journal.",
        "$ python cli.py sweep base.yaml --set base=2,3 --scheduler nowhere --journal kept.journal",
        "$ python cli.py sweep base.yaml --set base=2,3 --suite uniform --inputs 1 --jobs 1 --journal kept.journal",
    ),
    Explanation(
        "set-twice",
        "A sweep sets a name twice. All values of a name stand in one `--set`.",
        "$ python cli.py sweep base.yaml --set base=2 --set base=3 --journal kept.journal",
        "$ python cli.py sweep base.yaml --set base=2,3 --suite uniform --inputs 1 --jobs 1 --journal kept.journal",
    ),
    Explanation(
        "shape",
        "Vectors, matrices or tied maps do not fit together.",
        "parameters: {U: [1, 2, 3]}\nnetwork: {ffn: {up: U.T}}",
        "parameters: {U: [1, 2]}\nnetwork: {ffn: {up: U.T}}",
    ),
    Explanation(
        "syntax",
        "The text is no expression of the language. The hint says how such a thing is written.",
        "constants: {area: 2 pi}",
        "constants: {area: 2 * pi}",
    ),
    Explanation(
        "target-twice",
        "Two equations write the same row.",
        "network: {ffn: {up: null, up unit: seen, 'up hidden[0]': own}}",
        "network: {ffn: {hidden: unit more, up: null, up unit: seen, 'up hidden[1]': own}}",
    ),
    Explanation(
        "task",
        "What is asked of the model is not stated, or not in a way that can be asked.",
        """\
>>> parts = "vocabulary: digit[10]\\ntask: null\\ncontext: 4\\nexpect: null\\nignore: no-claims"
>>> Path("mine.yaml").write_text("weightspec: 1\\nextends: base.yaml\\n" + parts)
$ python cli.py eval mine.yaml
""",
        "$ python cli.py eval base.yaml --suite edges",
    ),
    Explanation(
        "too-deep",
        "YAML is nested more than 100 levels deep.",
        """\
>>> Path("mine.yaml").write_text("a: " + "[" * 101 + "]" * 101)
$ python cli.py validate mine.yaml
""",
        "name: mine",
    ),
    Explanation(
        "too-large",
        "Something has more parts than any spec needs. docs/language.md, Limits, lists how many there may be.",
        "stream: own seen more[100000]",
        "stream: own seen more[10]",
    ),
    Explanation(
        "too-many-errors",
        "A hundred errors were found, and nothing more was looked at.",
        """\
>>> names = "\\n".join(f"key{i}: 1" for i in range(200))
>>> Path("mine.yaml").write_text("weightspec: 1\\nextends: base.yaml\\n" + names)
$ python cli.py validate mine.yaml
""",
        "name: mine",
    ),
    Explanation(
        "too-much-work",
        "It takes too many steps to compute the spec, or to find out what matters in it.",
        "constants: {large: 'sum(k, k, 9 ** 9)'}",
        "constants: {large: 'sum(k, k, 9 ** 2)'}",
    ),
    Explanation(
        "torch-settings",
        "torch computes otherwise in this process than verdicts are about, and cannot be told not to: such as where the"
        " environment makes oneDNN multiply in bfloat16.",
    ),
    Explanation(
        "unknown-key",
        "A key is none of those that can stand here. Often it is misspelt, or indented too little or too much.",
        "network: {ffn: {activaton: relu}}",
        "network: {ffn: {activation: relu}}",
    ),
    Explanation(
        "unknown-name",
        "A name stands for nothing where it is read. Often it is misspelt, or belongs to another step.",
        "network: {ffn: {up: sen}}",
        "network: {ffn: {up: seen}}",
    ),
    Explanation(
        "unknown-tensor",
        "A file of tensors has one that the network of the spec does not store.",
        """\
>>> tensors = compiler.build(compiler.load("base.yaml")).state_dict()
>>> save_file({**tensors, "more.weight": torch.zeros(1)}, "other.safetensors")
$ python cli.py eval --model other.safetensors --like base.yaml --suite edges --inputs 1
""",
        """\
>>> tensors = compiler.build(compiler.load("base.yaml")).state_dict()
>>> save_file(tensors, "other.safetensors")
$ python cli.py eval --model other.safetensors --like base.yaml --suite edges --inputs 1
""",
    ),
    Explanation(
        "untrusted-code",
        "The file of a model holds code, which is run by consent only: `--trust-code`.",
        """\
>>> torch.jit.script(torch.nn.Embedding(10, 10)).save("other.pt")
$ python cli.py eval --model other.pt --task base.yaml --suite uniform --inputs 1
""",
        """\
>>> torch.jit.script(torch.nn.Embedding(10, 10)).save("other.pt")
$ python cli.py eval --model other.pt --task base.yaml --suite uniform --inputs 1 --trust-code
""",
    ),
    Explanation(
        "usage",
        "The call is wrong: an argument is missing, or an option does not exist.",
        "$ python cli.py count --json",
        "$ python cli.py count base.yaml --json",
    ),
    Explanation(
        "weights-differ",
        "The tensors in a saved model are not what the spec inside says.",
        """\
>>> spec = compiler.load("base.yaml")
>>> compiler.save_model(spec, compiler.build(spec).float(), "model.safetensors")
""",
        """\
>>> spec = compiler.load("base.yaml")
>>> compiler.save_model(spec, compiler.build(spec), "model.safetensors")
""",
    ),
    Explanation(
        "worker",
        "A worker of a Dask cluster could find other results: it has another version of weightspec, Python, torch or"
        " numpy, or computes several points at a time.",
    ),
    Explanation(
        "wrong-tensor",
        "A tensor in a file has another shape or dtype than the network of the spec stores.",
        """\
>>> tensors = compiler.build(compiler.load("base.yaml")).state_dict()
>>> save_file({**tensors, "ffn.up.weight": torch.zeros(7)}, "other.safetensors")
$ python cli.py eval --model other.safetensors --like base.yaml --suite edges --inputs 1
""",
        """\
>>> tensors = compiler.build(compiler.load("base.yaml")).state_dict()
>>> save_file(tensors, "other.safetensors")
$ python cli.py eval --model other.safetensors --like base.yaml --suite edges --inputs 1
""",
    ),
    Explanation(
        "wrong-type",
        "Something of another kind stands here than can: text for a mapping, a vector for a number.",
        "constants: {first: t}\nparameters: two\n",
        "constants: {first: 2}",
    ),
    Explanation(
        "yaml-alias",
        "A text that starts with * is an alias in YAML, and nothing is marked by that name. Quote it.",
        "name: *mine",
        'name: "*mine"',
    ),
    Explanation(
        "yaml-key",
        "A key of a mapping is text, never a list or a mapping.",
        "constants:\n  ? [half]\n  : 1 / 2",
        "constants:\n  half: 1 / 2",
    ),
    Explanation(
        "yaml-merge",
        "Merge keys of YAML are not part of the language. `extends` varies a spec.",
        "defaults: &mine {activation: relu}\nconstants: {<<: *mine}",
        "defaults: {activation: relu}",
    ),
    Explanation(
        "yaml-syntax",
        "The text is no YAML: a colon or a space is missing, or a line is indented otherwise than its neighbours.",
        "constants:\n  half = 1 / 2\n  third: 1 / 3",
        "constants:\n  half: 1 / 2\n  third: 1 / 3",
    ),
    Explanation(
        "yaml-tag",
        "Tags of YAML are not part of the language.",
        "name: !!str mine",
        "name: mine",
    ),
)

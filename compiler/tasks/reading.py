"""A task section of a spec to the task that it states, for one choice of its sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field, replace

from compiler.expressions.arithmetic import exact_figure
from compiler.expressions.axes import Axis, Family
from compiler.expressions.evaluate import integer_value
from compiler.expressions.formulas import Formula, Word, attempt, read_formula, read_text
from compiler.expressions.naming import words
from compiler.expressions.parse import is_name
from compiler.expressions.scope import NAMED_NUMBERS, Scope
from compiler.expressions.targets import Aim, targets
from compiler.expressions.values import Number, Unknown
from compiler.source.diagnostics import Diagnostic, Findings, Note, did_you_mean
from compiler.source.document import Mapping, Node, Scalar
from compiler.source.limits import MAX_SYMBOLS, MAX_WORD
from compiler.source.text import Span
from compiler.tasks import suites
from compiler.tasks.checking import check_formulas
from compiler.tasks.kinds import KNOWN_FUNCTIONS
from compiler.tasks.layout import Alphabet
from compiler.tasks.package import sizes_of
from compiler.tasks.stated import AuthorSuite, Case, Task
from compiler.tasks.statement import Aimed, AnswerEquation, Statement, StateVariable, Transducer, WordShape
from compiler.tasks.task import SAMPLED, Symbols
from compiler.tasks.tokens import named_token, numbers_of, read_token

_NUMBER = re.compile(r"number\(\s*(?P<word>[A-Za-z_][A-Za-z0-9_]*)\s*\)")
_OF_COLUMNS = ("from", "state", "let", "only", "end")  # keys that are no answers
MAX_STATES = 1 << 20  # that the variables of a transducer have together
PROMPT, ANSWER = "prompt", "answer"  # the words of a table of cases
_NOT_OF_CASES = ("given", "answers", "alphabets", "only", "equations", "columns", "numbers", "shown", "suites", "order")


@dataclass(frozen=True)
class Section:
    """A task section, with the names that it can read. `sizes` are its own, by name; `name` is what it is called.

    `place` is where it begins, `cases` what `read_cases` gave.
    """

    node: Mapping
    place: Span
    name: str
    sizes: AnyMapping[str, int]
    vocabulary: Axis
    scope: Scope
    cases: AnyMapping[tuple[int, int], list[Case]] = field(default_factory=dict)


def read_task(section: Section, findings: Findings) -> Task | None:
    """The task that a section states; None, with the reasons in `findings`, where it is not certain."""
    return _Reader(section, findings).task()


@dataclass
class _Reader:
    """What is read of one section, with the alphabets and names that were met so far."""

    section: Section
    findings: Findings
    alphabets: dict[str, Alphabet] = field(default_factory=dict)
    names: dict[str, tuple[str, Span]] = field(default_factory=dict)  # what each name of the task is, and where

    @property
    def node(self) -> Mapping:
        return self.section.node

    def report(self, code: str, message: str, span: Span, hint: str | None = None) -> None:
        self.findings.report(Diagnostic(code, message, span, hint))

    def part(self, name: str) -> Mapping:
        """A mapping under a key of the section; an empty one where there is none."""
        value = self.node.get(name)
        return value if isinstance(value, Mapping) else Mapping((), self.node.span)

    def task(self) -> Task | None:
        before = len(self.findings)
        read = self._of_cases() if self.node.get("cases") is not None else self._statement()
        if read is None or len(self.findings) > before:
            return None
        statement, cases = read
        if cases:
            return Task(
                self.section.name,
                self.section.sizes,
                statement,
                self.alphabets,
                frozenset(),
                tuple(word.name for word in statement.given),
                cases=cases,
            )
        numbers = self._numbers(statement)
        section = self.section
        task = Task(section.name, section.sizes, statement, self.alphabets, numbers, self._shown(statement))
        if len(self.findings) == before:
            task = self._with_suites(task)
        return task if len(self.findings) == before else None

    # words

    def _statement(self) -> tuple[Statement, tuple[Case, ...]] | None:
        before = len(self.findings)
        self._read_alphabets()
        sizes = sizes_of(self.node)
        for key, _ in sizes.items if sizes is not None else ():
            self.names[key.text] = ("a size", key.span)
        given, answers = self._words("given"), self._words("answers")
        if len(self.findings) > before or not given or not answers:
            self._missing(given, answers)
            return None
        transducer = self._transducer(given, answers)
        equations = self._equations(answers)
        statement = Statement(
            self._constants(), given, answers, self._formula(self.node, "only"), equations, transducer
        )
        if len(self.findings) == before:
            self._check_written(statement)
        if len(self.findings) == before:
            check_formulas(statement, self._elsewhere(), self.findings)
        return statement, ()

    def _elsewhere(self) -> dict[str, str]:
        """Why names of the spec cannot be read in formulas of the task."""
        scope = self.section.scope
        return {**dict.fromkeys(scope.names, "is no integer"), **scope.elsewhere}

    def _missing(self, given: tuple[WordShape, ...], answers: tuple[WordShape, ...]) -> None:
        for part, found in (("given", given), ("answers", answers)):
            if not found and self.node.get(part) is None:
                example = "{word: symbol*length}" if part == "given" else "{reversed: symbol*length}"
                self.report("missing-key", f"`task` lacks '{part}'", self.section.place, f"such as `{part}: {example}`")

    def _constants(self) -> dict[str, int]:
        """The integers that formulas can read: sizes, and constants of the spec."""
        found: dict[str, int] = {}
        for name, value in self.section.scope.names.items():
            if name in self.names and name not in self.section.sizes:
                continue  # a word, a state or a name under `let`
            if isinstance(value, Unknown):
                found[name] = 1  # what is wrong with it was reported
            elif isinstance(value, Number) and not value.value % 1:
                found[name] = int(value.value)
        return found

    def _read_alphabets(self) -> None:
        for key, node in self.part("alphabets").items:
            if not is_name(key.text):
                self.report("bad-name", f"'{key.text}' cannot name an alphabet: use letters, digits and _", key.span)
            alphabet = self._first_tokens(key, node) if isinstance(node, Mapping) else self._tokens(key, node)
            if alphabet is not None:
                self.alphabets[key.text] = alphabet

    def _first_tokens(self, key: Scalar, node: Mapping) -> Alphabet | None:
        """`{size: N}`: the first N tokens of the family with the name of the alphabet, or of the only family."""
        formula = self._formula(node, "size")
        size = None if formula is None else attempt(formula, self.section.scope, integer_value, self.findings)
        if size is None or formula is None:
            return None
        vocabulary = self.section.vocabulary
        families = [family for family in vocabulary.families if family.sizes]
        family = vocabulary.family(key.text) or (families[0] if len(families) == 1 else None)
        if not 1 <= size <= MAX_SYMBOLS:
            message = f"the alphabet '{key.text}' has to have from 1 to {MAX_SYMBOLS} symbols, not {exact_figure(size)}"
            self.report("task", message, formula.span)
            return None
        if family is None or family.size < size:
            has = f"'{family}'" if family else "none"
            message = f"the alphabet '{key.text}' needs a family of {size} tokens; the vocabulary has {has}"
            self.report("task", message, key.span, f"write {key.text}[{size}] in `vocabulary`")
            return None
        start = vocabulary.starts[family.name]
        tokens = tuple(range(start, start + size))
        return Alphabet(key.text, tokens, tuple(map(str, range(size))), self._by_label(tokens))

    def _tokens(self, key: Scalar, node: Node) -> Alphabet | None:
        """The tokens that are listed: names, families, and parts of families such as `digit[d < 2]`."""
        before = len(self.findings)
        tokens: dict[int, Span] = {}
        listed = words(node)
        if not listed:
            self.report("task", f"the alphabet '{key.text}' has no symbols", node.span, "such as `bit: 'digit[d < 2]'`")
        numbers, labels = numbers_of(self.section.vocabulary), self.section.vocabulary.labels
        for word in listed:
            if word.text in numbers:
                names = " ".join(labels[numbers[one.text]] if one.text in numbers else one.text for one in listed)
                hint = f"write the tokens, as in `{key.text}: '{names}'`"
                self.report("unknown-name", f"no token '{word.text}' here", word.span, hint)
                return None
            for token in self._listed_tokens(word):
                if token in tokens:
                    label = self.section.vocabulary.labels[token]
                    note = Note("first written here", tokens[token])
                    message = f"'{label}' stands for two symbols of the alphabet '{key.text}'"
                    self.findings.report(Diagnostic("duplicate-name", message, word.span, notes=(note,)))
                    break  # the others of a family say no more
                tokens[token] = word.span
        if len(tokens) > MAX_SYMBOLS:
            message = f"an alphabet has from 1 to {MAX_SYMBOLS} symbols, not {len(tokens)}"
            self.report("too-large", message, node.span)
        if len(self.findings) > before:
            return None
        return self._alphabet(key.text, tuple(tokens))

    def _alphabet(self, name: str, tokens: tuple[int, ...]) -> Alphabet:
        """Symbols are spelled by their index in a family where that says which they are, else by their labels."""
        labels = [self.section.vocabulary.labels[token] for token in tokens]
        short = [re.sub(r".*\[([0-9]+)\]", r"\1", label, flags=re.DOTALL) for label in labels]
        spelling = tuple(short if len(set(short)) == len(short) else labels)
        return Alphabet(name, tokens, spelling, self._by_label(tokens))

    def _by_label(self, tokens: tuple[int, ...]) -> dict[str, int]:
        """The symbols of an alphabet by the names of their tokens."""
        return {self.section.vocabulary.labels[token]: symbol for symbol, token in enumerate(tokens)}

    def _listed_tokens(self, word: Word) -> list[int]:
        token = named_token(word.text, self.section.vocabulary)
        if token is not None:
            return [token]
        family = self.section.vocabulary.family(word.text)
        if family is not None:
            start = self.section.vocabulary.starts[family.name]
            return list(range(start, start + family.size))
        aimed = targets(word, Aim(self.section.vocabulary, "token"), self.section.scope, self.findings)
        return [target.position for target in aimed]

    def _words(self, part: str) -> tuple[WordShape, ...]:
        shapes = []
        for key, node in self.part(part).items:
            self._name(key, "a word" if part == "given" else "an answer", is_read=part == "given")
            shape = self._word(key, node) if isinstance(node, Scalar) else None
            if shape is not None:
                shapes.append(shape)
        return tuple(shapes)

    def _word(self, key: Scalar, node: Scalar) -> WordShape | None:
        """`ALPHABET*LENGTH`, or `ALPHABET` for a single symbol."""
        name, star, times = node.text.partition("*")
        alphabet = self._alphabet_named(Word(name.strip(), node, len(name) - len(name.lstrip())))
        if alphabet is None:
            return None
        if not star:
            return WordShape(key.text, alphabet.name, alphabet.size, 1, single=True)
        formula = read_text(Word(times.strip(), node, len(name) + 1 + len(times) - len(times.lstrip())), self.findings)
        length = None if formula is None else self._length(formula)
        if length is None or formula is None:
            return None
        if not 1 <= length <= MAX_WORD:
            self.report("task", f"a word has from 1 to {MAX_WORD} symbols, not {exact_figure(length)}", formula.span)
            return None
        return WordShape(key.text, alphabet.name, alphabet.size, length)

    def _length(self, formula: Formula) -> int | None:
        """The length of a word. A name that means nothing is a size that is missing."""
        findings = Findings()
        length = attempt(formula, self.section.scope, integer_value, findings)
        sizes = ", ".join(self.section.sizes)
        hint = f"sizes: {sizes}" if sizes else "state it under `sizes`, such as `sizes: {length: 10}`"
        for one in findings:
            is_unknown = one.code == "unknown-name" and one.hint is None
            self.findings.report(replace(one, hint=hint) if is_unknown else one)
        return length

    def _alphabet_named(self, word: Word) -> Alphabet | None:
        known = self.alphabets.get(word.text)
        if known is not None:
            return known
        family = self.section.vocabulary.family(word.text)
        if family is None or not family.sizes:
            families = [family.name for family in self.section.vocabulary.families if family.sizes]
            if word.text not in self.part("alphabets").names:  # which was reported
                suggestion = did_you_mean(word.text, [*self.alphabets, *families])
                hint = "name it under `alphabets`, such as `alphabets: {bit: 'digit[d < 2]'}`"
                self.report("unknown-name", f"no alphabet '{word.text}'{suggestion}", word.span, hint)
            return None
        if family.size > MAX_SYMBOLS:
            message = f"an alphabet has from 1 to {MAX_SYMBOLS} symbols, not {family.size}"
            hint = f"list some of them, as in `alphabets: {{some: '{family.name}[i < 10]'}}`"
            self.report("too-large", message, word.span, hint)
            return None
        start = self.section.vocabulary.starts[family.name]
        self.alphabets[word.text] = self._alphabet(word.text, tuple(range(start, start + family.size)))
        return self.alphabets[word.text]

    def _name(self, key: Scalar, what: str, *, is_read: bool = True) -> None:
        """Note a name of the task, which must mean nothing else in it. It comes before names of the spec."""
        name = key.text
        if not is_name(name):
            hint = "begin with a letter" if name[:1].isdigit() else None
            self.report("bad-name", f"'{name}' cannot name {what}: use letters, digits and _", key.span, hint)
        elif not is_read and name in _OF_COLUMNS and self.node.get("columns") is not None:
            self.report("name-clash", f"'{name}' has a meaning of its own under `columns`", key.span, "rename it")
        elif is_read and (name in NAMED_NUMBERS or name in KNOWN_FUNCTIONS):
            self.report("name-clash", f"'{name}' already has a meaning in formulas", key.span, "rename it")
        elif name in self.names:
            other, span = self.names[name]
            message = f"'{name}' is {other} and {what}; rename one of them"
            note = (Note(f"{other} of that name", span),)
            self.findings.report(Diagnostic("name-clash", message, key.span, notes=note))
        else:
            self.names[name] = (what, key.span)

    # what is right

    def _formula(self, node: Mapping, key: str) -> Formula | None:
        value = node.get(key)
        return None if value is None else self._read(value)

    def _read(self, node: Node) -> Formula | None:
        formula = read_formula(node, self.findings)
        if formula is not None:
            self.section.scope.work.read |= formula.names
        return formula

    def _equations(self, answers: tuple[WordShape, ...]) -> tuple[AnswerEquation, ...]:
        axis = Axis(tuple(Family(word.name, () if word.single else (word.length,)) for word in answers))
        found: list[AnswerEquation] = []
        written: dict[tuple[str, int], Span] = {}
        for key, node in self.part("equations").items:
            formula = self._read(node)
            equation = None if formula is None else self._equation(key, formula, axis, answers)
            if equation is None:
                continue
            clash = next(
                (
                    written[equation.word, aimed.place]
                    for aimed in equation.aimed
                    if (equation.word, aimed.place) in written
                ),
                None,
            )
            if clash is not None:
                note = Note("the first one", clash)
                message = f"two equations write the same symbols of '{equation.word}'"
                self.findings.report(Diagnostic("target-twice", message, key.span, notes=(note,)))
            written |= {(equation.word, aimed.place): key.span for aimed in equation.aimed}
            found.append(equation)
        return tuple(found)

    def _equation(
        self, key: Scalar, formula: Formula, axis: Axis, answers: tuple[WordShape, ...]
    ) -> AnswerEquation | None:
        by_name = {word.name: word for word in answers}
        number = _NUMBER.fullmatch(key.text.strip())
        name = number["word"] if number else key.text.strip()
        shape = by_name.get(name)
        if shape is not None and (number or not shape.single):
            every = tuple(Aimed(place, {}) for place in range(shape.length))
            return AnswerEquation(name, "number" if number else "word", every, formula)
        if number:
            at = number.start("word")
            message = f"no answer '{name}'{did_you_mean(name, by_name)}"
            self.report("unknown-name", message, key.at(at, at + len(name)))
            return None
        before = len(self.findings)
        word = Word(key.text.strip(), key, 0)
        aimed = targets(word, Aim(axis, "answer"), self.section.scope, self.findings)
        if len(self.findings) > before or not aimed:
            return None
        written = key.text.partition("[")[0].strip()
        start = axis.starts[written]
        places = tuple(
            Aimed(target.position - start, {name: int(index.value) for name, index in target.indices.items()})
            for target in aimed
        )
        return AnswerEquation(written, "symbols", places, formula)

    def _transducer(self, given: tuple[WordShape, ...], answers: tuple[WordShape, ...]) -> Transducer | None:
        node = self.node.get("columns")
        if not isinstance(node, Mapping):
            return None
        before = len(self.findings)
        states = self._states(node)
        lets = self._lets(node)
        reads = node.get("from")
        if reads is None:
            place = self.node.key("columns") or node
            hint = "`first` or `last`: the end at which words align and are read first"
            self.report("missing-key", "`task.columns` lacks 'from'", place.span, hint)
        by_name = {word.name: word for word in answers}
        written: list[tuple[str, Formula]] = []
        following: dict[str, Formula | None] = {}
        declared = node.get("state")
        state_names = declared.names if isinstance(declared, Mapping) else ()
        for key, value in node.items:
            if key.text in _OF_COLUMNS:
                continue
            first, _, rest = key.text.partition(" ")
            formula = self._read(value)
            if first == "next" and rest.strip() in following:
                self.report("target-twice", f"the next state of '{rest.strip()}' is written twice", key.span)
            elif first == "next" and rest.strip() in state_names:
                following[rest.strip()] = formula
            elif key.text in by_name:
                written += [(key.text, formula)] if formula is not None else []
            else:
                known = [*(f"next {name}" for name in state_names), *by_name]
                message = f"no answer or state '{key.text}' for the columns to write{did_you_mean(key.text, known)}"
                self.report("unknown-name", message, key.span)
        for key, _ in declared.items if isinstance(declared, Mapping) and len(self.findings) == before else ():
            if key.text not in following:
                hint = f"such as `next {key.text}: {key.text}`, which keeps it as it is"
                self.report("missing-key", f"the state '{key.text}' has no `next {key.text}`", key.span, hint)
        end = node.get("end")
        at_end = self._at_end(end, by_name, dict(written)) if isinstance(end, Mapping) else []
        only_at_end = self._formula(end, "only") if isinstance(end, Mapping) else None
        from_last = isinstance(reads, Scalar) and reads.text == "last"
        only = self._formula(node, "only")
        after = tuple((name, formula) for name, formula in following.items() if formula is not None)
        return Transducer(from_last, states, lets, only, tuple(written), after, only_at_end, tuple(at_end))

    def _states(self, node: Mapping) -> tuple[StateVariable, ...]:
        found: list[StateVariable] = []
        declared = node.get("state")
        total = 1
        for key, value in declared.items if isinstance(declared, Mapping) else ():
            self._name(key, "a state")
            size_node = value.get("size") if isinstance(value, Mapping) else value
            start_node = value.get("start") if isinstance(value, Mapping) else None
            size = self._size(size_node)
            start = 0 if start_node is None else self._size(start_node)
            if size is None or start is None or size_node is None:
                continue
            if size < 1:
                self.report("index-range", f"a state has at least one value, not {exact_figure(size)}", size_node.span)
                continue
            total *= size
            if total > MAX_STATES:
                message = (
                    f"the states have together {exact_figure(total)} values; at most {MAX_STATES:,} are told apart"
                )
                self.report("too-large", message, size_node.span)
                break
            if not 0 <= start < size:
                place = (start_node or size_node).span
                self.report("index-range", f"it starts at {exact_figure(start)}, and has 0 to {size - 1}", place)
            found.append(StateVariable(key.text, size, start))
        return tuple(found)

    def _size(self, node: Node | None) -> int | None:
        formula = self._read(node) if node is not None else None
        return None if formula is None else attempt(formula, self.section.scope, integer_value, self.findings)

    def _lets(self, node: Mapping) -> tuple[tuple[str, Formula], ...]:
        found = []
        lets = node.get("let")
        for key, value in lets.items if isinstance(lets, Mapping) else ():
            self._name(key, "a name under `let`")
            formula = self._read(value)
            if formula is not None:
                found.append((key.text, formula))
        return tuple(found)

    def _at_end(
        self, end: Mapping, answers: AnyMapping[str, WordShape], in_columns: AnyMapping[str, Formula]
    ) -> list[tuple[str, Formula]]:
        found = []
        for key, value in end.items:
            if key.text == "only":
                continue
            formula = self._read(value)
            shape = answers.get(key.text)
            if shape is None:
                message = f"no answer '{key.text}' to read off the last state{did_you_mean(key.text, answers)}"
                self.report("unknown-name", message, key.span)
            elif not shape.single:
                message = f"'{key.text}' has {shape.length} symbols: only a single one is read off the last state"
                self.report("task", message, key.span, "write it in the columns")
            elif key.text in in_columns:
                self.report("target-twice", f"the columns write '{key.text}' too", key.span)
            elif formula is not None:
                found.append((key.text, formula))
        return found

    def _check_written(self, statement: Statement) -> None:
        """Every symbol of every answer is written, by columns where there are some, else by equations."""
        transducer = statement.transducer
        answers = self.part("answers")
        for word in statement.answers:
            key = answers.key(word.name)
            place = key.span if key is not None else self.node.span
            if transducer is not None:
                if word.name not in dict((*transducer.answers, *transducer.at_end)):
                    self.report("task", f"the columns do not say what '{word.name}' is", place)
                continue
            known = {
                aimed.place
                for equation in statement.equations
                if equation.word == word.name
                for aimed in equation.aimed
            }
            missing = [place for place in range(word.length) if place not in known]
            if missing:
                which = f"'{word.name}'" if len(missing) == word.length else f"'{word.name}[{missing[0]}]'"
                target = word.name if word.single else f"'{word.name}[i]'"
                hint = f"such as `equations: {{{target}: …}}`, or write `columns`"
                self.report("task", f"nothing says what {which} is", place, hint)

    # how people write it

    def _numbers(self, statement: Statement) -> frozenset[str]:
        node = self.node.get("numbers")
        small: set[str] = set()  # alphabets of one symbol, which are told once
        names = [word.name for word in (*statement.given, *statement.answers)]
        found = []
        for word in words(node) if node is not None else ():
            shape = statement.word(word.text)
            if shape is None:
                self.report("unknown-name", f"no word '{word.text}'{did_you_mean(word.text, names)}", word.span)
            elif shape.symbols < 2:
                message = (
                    f"'{word.text}' is no number: its alphabet '{shape.alphabet}' has 1 symbol, and digits need from 2"
                )
                if shape.alphabet not in small:
                    self.report("task", f"{message} to {MAX_SYMBOLS}", word.span)
                small.add(shape.alphabet)
            elif word.text in found:
                self.report("duplicate-name", f"'{word.text}' is listed twice", word.span)
            else:
                found.append(word.text)
        return frozenset(found)

    def _shown(self, statement: Statement) -> tuple[str, ...]:
        node = self.node.get("shown")
        given = [word.name for word in statement.given]
        if not isinstance(node, Scalar):
            return tuple(given)
        shown = tuple(node.text.split())
        for name in given:
            if name not in shown:
                self.report("task", f"`shown` does not show '{name}'", node.span)
        return shown

    def _with_suites(self, task: Task) -> Task:
        node = self.node.get("suites")
        if node is None:
            return task
        authors: list[AuthorSuite] = []
        asked: list[tuple[str, Span]] = []
        if isinstance(node, Mapping):
            for key, value in node.items:
                if isinstance(value, Mapping) and value.items:
                    suite = self._author_suite(task, key, value)
                    authors += [suite] if suite is not None else []
                else:
                    asked.append((key.text, key.span))
        else:
            asked = [(word.text, word.span) for word in words(node)]
        for name, span in asked:
            if name not in suites.NAMED:
                message = f"no suite '{name}' to ask for{did_you_mean(name, suites.NAMED)}"
                hint = f"such as `suites: {{{name}: {{only: distinct(word), size: 1000}}}}`"
                if name in suites.ALWAYS:
                    message, hint = f"every task has the suite '{name}'", "remove it"
                self.report("unknown-name", message, span, hint)
                continue
            reason = suites.why_not(task, name)
            if reason is not None:
                self.report("task", f"this task has no suite '{name}': {reason}", span)
        return replace(task, suite_names=tuple(name for name, _ in asked), author_suites=tuple(authors))

    def _author_suite(self, task: Task, key: Scalar, node: Mapping) -> AuthorSuite | None:
        before = len(self.findings)
        size_node = node.get("size")
        size = SAMPLED if size_node is None else self._size(size_node)
        only = self._formula(node, "only")
        if not is_name(key.text):
            self.report("bad-name", f"'{key.text}' cannot name a suite: use letters, digits and _", key.span)
        if node.get("only") is None:
            hint = "such as `hard: {only: distinct(word), size: 1000}`"
            self.report("missing-key", f"the suite '{key.text}' lacks 'only': which inputs it has", key.span, hint)
        if key.text in (*suites.NAMED, *suites.ALWAYS):
            self.report("name-clash", f"there is a suite '{key.text}' already", key.span, "rename this one")
        if size is None or only is None:
            return None
        if not 1 <= size <= suites.MAX_SIZE:
            place = key.span if size_node is None else size_node.span
            message = f"a suite has from 1 to {suites.MAX_SIZE:,} inputs, not {exact_figure(size)}"
            self.report("index-range", message, place)
            return None
        alone = Statement(task.statement.constants, task.given, task.answers, also=(only,))
        check_formulas(alone, self._elsewhere(), self.findings)
        if len(self.findings) > before:
            return None
        narrowed = replace(task.statement, also=(*task.statement.also, only))
        return AuthorSuite(key.text, size, narrowed)

    # cases

    def _of_cases(self) -> tuple[Statement, tuple[Case, ...]]:
        """Those whose prompt and answer have the lengths that are asked for."""
        vocabulary = self.section.vocabulary
        self.alphabets["token"] = Alphabet(
            "token", tuple(range(vocabulary.size)), vocabulary.labels, numbers_of(vocabulary)
        )
        lengths = (self.section.sizes[PROMPT], self.section.sizes[ANSWER])
        prompt, answer = (
            WordShape(name, "token", vocabulary.size, length)
            for name, length in zip((PROMPT, ANSWER), lengths, strict=True)
        )
        return Statement({}, (prompt,), (answer,)), tuple(self.section.cases[lengths])


def read_cases(node: Mapping, vocabulary: Axis, findings: Findings) -> dict[tuple[int, int], list[Case]]:
    """The cases of a task section by the lengths of prompt and answer, which are in ascending order."""
    for name in _NOT_OF_CASES:
        key = node.key(name)
        if key is not None:
            message = f"cases have no `{name}`: each says by itself what is given and what is right"
            findings.report(Diagnostic("task", message, key.span, "remove it"))
    cases = node.get("cases")
    seen: dict[Symbols, tuple[Symbols, Span]] = {}
    found: dict[tuple[int, int], list[Case]] = {}
    for key, value in cases.items if isinstance(cases, Mapping) else ():
        prompt, answer = (_tokens_of(text, vocabulary, findings) for text in (key, value))
        if prompt is None or answer is None:
            continue
        if not prompt or not answer:
            findings.report(Diagnostic("task", "a case has a prompt and an answer, one token at least", key.span))
        elif prompt in seen:
            other, span = seen[prompt]
            same = other == answer
            message = "the case is written twice" if same else "two cases with one prompt have different answers"
            notes = (Note("the first one", span),)
            code = "duplicate-name" if same else "contradiction"
            findings.report(Diagnostic(code, message, key.span, "keep one of them", notes))
        else:
            seen[prompt] = answer, key.span
            found.setdefault((len(prompt), len(answer)), []).append(Case(prompt, answer))
    return dict(sorted(found.items()))


def _tokens_of(text: Node, vocabulary: Axis, findings: Findings) -> Symbols | None:
    """The tokens of a prompt or an answer; None, with the reasons in `findings`, where they are not certain."""
    listed = words(text)
    if len(listed) > MAX_WORD:
        message = f"{len(listed):,} tokens; a prompt or an answer has at most {MAX_WORD:,}"
        findings.report(Diagnostic("too-large", message, text.span))
        return None
    before = len(findings)
    tokens = [read_token(word.text, word.span, vocabulary, findings) for word in listed]
    return tuple(token for token in tokens if token is not None) if len(findings) == before else None

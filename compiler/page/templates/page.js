"use strict";
(() => {
  const page = JSON.parse(document.getElementById("page-data").textContent);

  // Texts and numbers

  // Characters that steer or hide a text are shown as escapes, as on a terminal.
  const shown = (text) =>
    text.replace(/[\p{C}\p{Z}]/gu, (character) => {
      if (character === " ") return character;
      const code = character.codePointAt(0);
      if (code < 256) return `\\x${code.toString(16).padStart(2, "0")}`;
      return code < 65536 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
    });

  const make = (name, attributes, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children.map((child) => (typeof child === "string" ? shown(child) : child)));
    return made;
  };

  // JSON has no infinities: they stand in it as texts.
  const real = (value) => (typeof value === "number" ? value : { inf: Infinity, "-inf": -Infinity }[value] ?? NaN);

  const full = (value) => {
    const one = real(value);
    return Number.isFinite(one) ? String(one) : { Infinity: "inf", "-Infinity": "-inf" }[one] ?? "NaN";
  };

  // With so many figures, as Python writes it.
  const rounded = (value, figures = 4) => {
    const one = real(value);
    if (!Number.isFinite(one) || one === 0) return one === 0 ? "0" : full(value);
    const [mantissa, exponent] = one.toExponential(figures - 1).split("e");
    if (Number(exponent) >= -4 && Number(exponent) < figures) return String(Number(one.toPrecision(figures)));
    const digits = String(Math.abs(Number(exponent))).padStart(2, "0");
    return `${Number(mantissa)}e${exponent[0]}${digits}`;
  };

  const lineLink = (equation) => {
    const where = equation.anchor === null ? `${equation.file}, line ${equation.line}` : `line ${equation.line}`;
    return equation.anchor === null ? where : make("a", { href: `#${equation.anchor}` }, where);
  };

  // Tables of cells: one cell of each is in the order of the Tab key, the arrow keys go to the others.

  const cellsOf = (table) => [...table.tBodies[0].rows].map((row) => [...row.cells].filter((cell) => cell.tagName === "TD"));

  const placeOf = (cell) => [cell.parentElement.sectionRowIndex, cell.cellIndex - 1];

  const enter = (cell) => {
    const table = cell.closest("table");
    const before = table.querySelector('td[tabindex="0"]');
    if (before !== null) before.tabIndex = -1;
    cell.tabIndex = 0;
    cell.focus();
  };

  const moved = (event, [row, column], [rows, columns]) => {
    const last = [rows - 1, columns - 1];
    switch (event.key) {
      case "ArrowLeft": return [row, column - 1];
      case "ArrowRight": return [row, column + 1];
      case "ArrowUp": return [row - 1, column];
      case "ArrowDown": return [row + 1, column];
      case "Home": return event.ctrlKey ? [0, 0] : [row, 0];
      case "End": return event.ctrlKey ? last : [row, columns - 1];
      case "PageUp": return [0, column];
      case "PageDown": return [rows - 1, column];
      default: return null;
    }
  };

  const prepare = (table, describe) => {
    const cells = cellsOf(table);
    cells.forEach((row) => row.forEach((cell) => { cell.tabIndex = -1; }));
    if (cells.length && cells[0].length) cells[0][0].tabIndex = 0;
    table.addEventListener("keydown", (event) => {
      const cell = event.target.closest("td");
      if (cell === null || event.altKey || event.metaKey) return;
      const place = moved(event, placeOf(cell), [cells.length, cells[0].length]);
      if (place === null) return;
      event.preventDefault();
      const next = cells[place[0]]?.[place[1]];
      if (next !== undefined) enter(next);
    });
    let described = null;
    const describeCell = (event) => {
      const cell = event.target.closest("td");
      if (cell === null || (cell === described && event.type === "pointermove")) return;
      described = cell;
      describe(placeOf(cell));
    };
    table.addEventListener("focusin", describeCell);
    // Not `mouseover`: a page that scrolls below a resting mouse would take the place of what the keyboard asks for.
    table.addEventListener("pointermove", describeCell);
    table.addEventListener("pointerleave", () => { // the way to a link leads over other cells
      described = null;
      const kept = table.querySelector("td:focus");
      if (kept !== null) describe(placeOf(kept));
    });
    table.addEventListener("click", (event) => {
      const cell = event.target.closest("td");
      if (cell !== null) enter(cell);
    });
  };

  // Tensors

  const namesOf = (tensor, row, column) =>
    tensor.rows[row] === "" ? [tensor.columns[column]] : [tensor.rows[row], tensor.columns[column]];

  const placeName = (tensor, row, column) => `${tensor.name}[${namesOf(tensor, row, column).join(", ")}]`;

  const weightSays = (model, tensor, [row, column]) => {
    const cell = tensor.cells.find((one) => one.row === row && one.column === column);
    const name = placeName(tensor, row, column);
    if (cell === undefined) return [make("p", {}, make("b", {}, `${name} = 0`), ": no equation writes it")];
    const equation = model.equations[cell.equation];
    const part = cell.part === null ? "written by" : `${cell.part} in`;
    const lines = [
      make("p", {}, make("b", {}, `${name} = ${full(cell.value)}`), `: ${part} `, make("code", {}, equation.equation), ", ", lineLink(equation)),
    ];
    if (cell.filled !== null) {
      const names = cell.names.length ? `, for ${cell.names.join(", ")}` : "";
      lines.push(make("p", {}, "with its numbers ", make("code", {}, cell.filled), names));
    }
    return lines;
  };

  const otherSays = (model, tensor, [row, column]) => {
    const numbers = page.comparison?.marks[model].numbers[tensor.name];
    const other = numbers?.[namesOf(tensor, row, column).join(", ")];
    return other === undefined ? [] : [make("p", { class: "differs" }, other)];
  };

  for (const table of document.querySelectorAll("table[data-tensor]")) {
    const number = Number(table.dataset.model);
    const model = page.models[number];
    const tensor = model.tensors[Number(table.dataset.tensor)];
    const says = table.closest("section").querySelector(".says");
    prepare(table, (place) => says.replaceChildren(...weightSays(model, tensor, place), ...otherSays(number, tensor, place)));
  }

  // Shades: the same as those of tensors, and for a weight of attention by its share of the largest one of its query

  const STRENGTHS = 5;

  const shades = (numbers) => {
    const sizes = numbers.map((one) => Math.abs(real(one))).filter((one) => one > 0 && one < Infinity);
    const least = sizes.reduce((a, b) => Math.min(a, b), Infinity);
    const most = sizes.reduce((a, b) => Math.max(a, b), 0);
    return (number) => {
      const value = real(number);
      if (Number.isNaN(value)) return "nan";
      if (value === 0) return "zero";
      const share = (Math.log(Math.abs(value)) - Math.log(least)) / (Math.log(most) - Math.log(least));
      const strength = Math.abs(value) >= most ? STRENGTHS : 1 + Math.floor((STRENGTHS - 1) * share);
      return `${value > 0 ? "p" : "n"}${strength}`;
    };
  };

  const weightShade = (weight, weights) => {
    const most = weights.reduce((a, b) => Math.max(a, real(b)), 0);
    if (Number.isNaN(real(weight)) || Number.isNaN(most)) return "nan";
    return real(weight) > 0 ? `p${Math.max(1, Math.ceil(STRENGTHS * (real(weight) / most)))}` : "zero";
  };

  // A table of cells. Where they are `small`, their texts are not seen. `columns` and `rows` have a text and classes, `cell` gives those of a place.
  const cellTable = ({ label, corner, columns, rows, cell, describe, small = false }) => {
    const head = columns.map((column) => make("th", { scope: "col", class: column.classes ?? "" }, ...column.lines));
    const body = rows.map((row, i) =>
      make("tr", { class: row.classes ?? "" }, make("th", { scope: "row" }, row.text), ...columns.map((_, j) => {
        const { text, classes } = cell(i, j);
        return make("td", { class: classes }, text);
      })));
    const table = make("table", { class: small ? "heat small" : "heat", role: "grid", "aria-label": shown(label) },
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, corner), ...head)), make("tbody", {}, ...body));
    prepare(table, describe);
    return make("div", { class: "wide" }, table);
  };

  // Step by step

  const MOST_COLUMNS = 64; // positions that are shown side by side
  const MOST_ROWS = 96; // dimensions
  const MOST_NUMBERS = 12; // keys of a head whose weights stand in their cells; of more, colours say which are large
  const MOST_WEIGHTS = 12000; // cells of attention; of more, only the row of the position that is looked at

  const valueAt = (pass, [step, inside, position, dimension]) => {
    const one = pass.trace.steps[step];
    return (inside < 0 ? one.values : one.inside[inside].values)[position][dimension];
  };

  const nameOf = (pass, [step, inside, position, dimension]) => {
    const one = pass.trace.steps[step];
    const [name, labels] = inside < 0 ? [one.name, one.stream] : [one.inside[inside].name, one.inside[inside].dimensions];
    return `${name}.${labels[dimension]}@${position}${one.run > 1 ? `:${one.run}` : ""}`;
  };

  const formOf = (pass, [step, inside, position, dimension]) => {
    const of = pass.steps[step];
    const form = (inside < 0 ? of?.stream : of?.inside[inside])?.[dimension];
    return form === undefined ? undefined : pass.forms[Array.isArray(form) ? form[position] : form];
  };

  // A term of a sum: what it is multiplied by, its value, its name, and where it is if it is a value of the trace.
  const termOf = (pass, position, term) => {
    if (term.length === 3) return { coefficient: real(term[0]), name: term[1], value: real(term[2]), place: null };
    const place = [term[1], term[2], term[3] ?? position, term[4]];
    return { coefficient: real(term[0]), name: nameOf(pass, place), value: real(valueAt(pass, place)), place };
  };

  const equationLines = (model, places) =>
    places.map((at) => model.equations[at]).map((equation) =>
      make("p", {}, make("code", {}, equation.equation), ", ", lineLink(equation)));

  const valueSays = (model, pass, place, show) => {
    const title = `${nameOf(pass, place)} = ${full(valueAt(pass, place))}`;
    const said = [make("p", {}, make("b", {}, title), ` at ${called(model, pass.trace.tokens[place[2]])}`)];
    const form = formOf(pass, place);
    if (form === undefined) return [...said, make("p", {}, make("code", {}, "trace --why"), " says what it was computed from.")];
    said.push(...equationLines(model, form.equations));
    const terms = form.terms.map((term) => termOf(pass, place[2], term));
    const isSum = form.function === "sum";
    const kept = isSum ? terms.filter((term) => term.coefficient * term.value !== 0) : terms;
    kept.sort((a, b) => (isSum ? Math.abs(b.coefficient * b.value) - Math.abs(a.coefficient * a.value) : 0));
    const items = kept.map((term) => {
      const reached = term.place === null ? term.name : make("button", { type: "button" }, term.name);
      if (term.place !== null) reached.addEventListener("click", () => show(term.place));
      const value = rounded(term.value);
      if (!isSum) return make("li", {}, form.function === "product" ? `× ${value}, ` : `${form.function}(${value}), `, reached);
      const product = rounded(term.coefficient * term.value);
      return make("li", {}, term.coefficient === 1 ? `${product}, ` : `${product} = ${rounded(term.coefficient)} × ${value}, `, reached);
    });
    if (form.more) items.push(make("li", {}, `and ${form.more} smaller terms, together ${rounded(form.rest)}`));
    const zeros = terms.length - kept.length;
    if (zeros) items.push(make("li", {}, `and ${zeros} ${zeros === 1 ? "term" : "terms"} of zero`));
    if (items.length) said.push(make("ul", {}, ...items));
    return said;
  };

  const framesOf = (example) =>
    example.passes.flatMap((pass) => pass.trace.read_at.map((position, i) => ({ pass, position, slot: pass.slots[i] })));

  // What people call a token.
  const called = (model, token) => model.spelling[token] ?? token;

  const positionColumns = (frame, example) => {
    const { tokens } = frame.pass.trace;
    const end = example.in_place ? tokens.length : frame.position + 1;
    const first = Math.max(0, Math.min(frame.position - MOST_COLUMNS + 1, end - MOST_COLUMNS));
    return Array.from({ length: Math.min(end, first + MOST_COLUMNS) - first }, (_, i) => first + i);
  };

  const headings = (model, frame, positions, small = false) =>
    positions.map((position) => ({
      lines: [String(position), small ? " " : make("br", {}), called(model, frame.pass.trace.tokens[position])],
      classes: position === frame.position ? "here" : "",
    }));

  const streamTable = (model, frame, example, step, describe) => {
    const one = frame.pass.trace.steps[step];
    const positions = positionColumns(frame, example);
    const changed = positions.map((position) => new Set(one.changed[position]));
    const used = one.stream.map((_, i) => i).filter((i) =>
      positions.some((position, k) => real(one.values[position][i]) !== 0 || changed[k].has(one.stream[i])));
    const kept = used.slice(0, MOST_ROWS);
    const shade = shades(positions.flatMap((position) => kept.map((i) => one.values[position][i])));
    const table = cellTable({
      label: `stream after ${one.name}`,
      corner: "stream",
      columns: headings(model, frame, positions),
      rows: kept.map((i) => ({ text: one.stream[i] })),
      cell: (row, column) => {
        const value = one.values[positions[column]][kept[row]];
        const isChanged = changed[column].has(one.stream[kept[row]]);
        const here = positions[column] === frame.position ? " here" : "";
        return { text: `${isChanged ? "*" : ""}${rounded(value)}`, classes: `${shade(value)}${isChanged ? " changed" : ""}${here}` };
      },
      describe: ([row, column]) => describe([step, -1, positions[column], kept[row]]),
    });
    const zero = one.stream.filter((_, i) => !used.includes(i));
    const notes = [];
    if (positions[0] > 0) notes.push(`positions from ${positions[0]} on are shown`);
    if (kept.length < used.length) notes.push(`${kept.length} of ${used.length} dimensions are shown`);
    if (zero.length) notes.push(`zero here: ${zero.slice(0, 12).join(", ")}${zero.length > 12 ? ` and ${zero.length - 12} more` : ""}`);
    return [table, ...notes.map((note) => make("p", { class: "quiet" }, note))];
  };

  // The lines that say how a head weighs the keys are those of what it mixes.
  const weighing = (pass, step, head, query) => {
    const at = pass.trace.steps.indexOf(step);
    const mixed = step.inside.findIndex((one) => one.name === `${step.name}.mixed`);
    const size = step.inside[mixed].dimensions.length / step.heads.length;
    return formOf(pass, [at, mixed, query, head * size])?.equations ?? [];
  };

  // The score of a key, by the coordinates of both, and how its weight comes of it.
  const scoreSays = (model, pass, step, [head, query, key], show) => {
    const scores = model.steps.find((one) => one.name === step.name).scores;
    const score = real(step.heads[head].scores[query][key]);
    if (score === -Infinity) return [make("p", {}, "The mask hides this key.")];
    const at = pass.trace.steps.indexOf(step);
    const [queries, keys] = ["queries", "keys"].map((name) => step.inside.findIndex((one) => one.name === `${step.name}.${name}`));
    let rest = score;
    const items = Array.from({ length: scores.size }, (_, i) => {
      const places = [[at, queries, query, head * scores.size + i], [at, keys, key, Math.floor(head / scores.group) * scores.size + i]];
      const numbers = places.map((place) => real(valueAt(pass, place)));
      const product = numbers[0] * numbers[1] * scores.scale;
      rest -= product;
      const factors = [...numbers, ...(scores.scale === 1 ? [] : [scores.scale])].map((one) => rounded(one)).join(" × ");
      const [asks, has] = places.map((place) => {
        const reached = make("button", { type: "button" }, nameOf(pass, place));
        reached.addEventListener("click", () => show(place));
        return reached;
      });
      return make("li", {}, `${rounded(product)} = ${factors}, `, asks, " × ", has);
    });
    if (scores.added[head]) items.push(make("li", {}, `${rounded(rest)}, from the two positions`));
    return [make("p", {}, `The weight is ${scores.weight}. The score ${rounded(score)} is the sum of`), make("ul", {}, ...items)];
  };

  const attentionTables = (model, frame, example, level, says, show) => {
    const { trace } = frame.pass;
    const keys = positionColumns(frame, example);
    const heads = trace.steps.reduce((sum, one) => sum + one.heads.length, 0);
    const queries = heads * keys.length ** 2 > MOST_WEIGHTS ? [frame.position] : keys;
    const small = keys.length > MOST_NUMBERS;
    return trace.steps.flatMap((one) => (one.heads.length === 0 ? [] : [
      make(level, {}, one.run > 1 ? `${one.name}, run ${one.run}` : one.name),
      make("div", { class: "heads" }, ...one.heads.map((head, number) =>
        make("div", {}, make("p", {}, "head ", make("b", {}, head.head)), cellTable({
          small,
          label: `${one.name}, head ${head.head}: weights of keys by query`,
          corner: "query",
          columns: headings(model, frame, keys, small),
          rows: queries.map((query) => ({
            text: `${query} ${called(model, trace.tokens[query])}`,
            classes: query === frame.position ? "here" : "",
          })),
          cell: (row, column) => {
            const weight = head.pattern[queries[row]][keys[column]];
            return { text: real(weight) === 0 ? "" : rounded(weight, 2), classes: weightShade(weight, head.pattern[queries[row]]) };
          },
          describe: ([row, column]) => {
            const [query, key] = [queries[row], keys[column]];
            says([
              make("p", {}, make("b", {}, `${one.name}, head ${head.head}`),
                `: query ${query} ${called(model, trace.tokens[query])} gives key ${key} ${called(model, trace.tokens[key])} the weight `,
                `${full(head.pattern[query][key])}, for a score of ${full(head.scores[query][key])}`),
              ...equationLines(model, weighing(frame.pass, one, number, query)),
              ...scoreSays(model, frame.pass, one, [number, query, key], show),
            ]);
          },
        })))),
    ]));
  };

  const logitTable = (model, frame, describe) => {
    const { trace } = frame.pass;
    const said = trace.logits[frame.position];
    const names = Object.keys(said.logits);
    const sign = trace.decode === "argmin" ? -1 : 1;
    const byLead = names.map((_, i) => i).sort((a, b) => sign * (real(said.logits[names[b]]) - real(said.logits[names[a]])));
    const kept = byLead.slice(0, MOST_COLUMNS);
    const shade = shades(kept.map((i) => said.logits[names[i]]));
    return cellTable({
      label: `logits at position ${frame.position}`,
      corner: "token",
      columns: kept.map((i) => ({ lines: [called(model, names[i])], classes: names[i] === said.says ? "here" : "" })),
      rows: [{ text: "logit" }],
      cell: (_, column) => {
        const logit = said.logits[names[kept[column]]];
        return { text: rounded(logit), classes: shade(logit) };
      },
      describe: ([, column]) => describe([trace.steps.length - 1, -1, frame.position, kept[column]]),
    });
  };

  const tokenStrip = (model, frame, example) => {
    const { trace } = frame.pass;
    const right = new Map(trace.read_at.map((position) => [position, trace.logits[position]]));
    const end = example.in_place ? trace.tokens.length : frame.position + 1;
    return trace.tokens.slice(0, end).map((token, position) => {
      const said = example.in_place ? undefined : right.get(position - 1);
      const wrong = said !== undefined && said.right !== null && said.says !== said.right;
      const item = make("li", { class: said === undefined ? "" : wrong ? "said bad" : "said" }, called(model, token));
      if (wrong) item.append(make("small", {}, ` not ${called(model, said.right)}`));
      if (position === frame.position) item.setAttribute("aria-current", "true");
      return item;
    });
  };

  const frameSays = (model, frame, example, step) => {
    const { trace } = frame.pass;
    const said = trace.logits[frame.position];
    const one = trace.steps[step];
    const answer = said.says === null ? "says nothing: a logit is NaN" : `says ${called(model, said.says)}`;
    const right = said.right === null ? "" : said.right === said.says ? ", which is right" : `; right is ${called(model, said.right)}`;
    const lead = said.says === null ? "" : `. It is ahead by ${rounded(said.lead)}`;
    return `Token ${frame.slot + 1} of ${example.length}: at position ${frame.position}, ${called(model, trace.tokens[frame.position])}, the model ${answer}${right}${lead}. ` +
      `Shown is the stream after step ${step + 1} of ${trace.steps.length}, ${one.name}${one.run > 1 ? `, run ${one.run}` : ""}: ${one.summary}.`;
  };

  const stepper = (section) => {
    const model = page.models[Number(section.dataset.model)];
    const stage = section.querySelector(".stage");
    const level = Number(section.querySelector("h2, h3").tagName[1]) + 1;
    const state = { example: 0, frame: 0, step: 0 };
    const id = `${model.prefix}example`;
    const select = make("select", { id }, ...model.examples.map((example, i) => make("option", { value: String(i) }, example.title)));
    const button = (text, move) => {
      const made = make("button", { type: "button" }, text);
      made.addEventListener("click", () => go(move));
      return made;
    };
    const buttons = {
      token: [button("previous token", [-1, 0]), button("next token", [1, 0])],
      step: [button("previous step", [0, -1]), button("next step", [0, 1])],
    };
    const [tokens, says, stream, attention, logits] = ["ol", "p", "div", "div", "div"].map((name) => make(name, {}));
    tokens.className = "tokens";
    says.setAttribute("role", "status");
    const panel = make("div", { class: "says", role: "status" });
    const sub = `h${level}`;
    const heading = make("div", {}, make(sub, {}, "Attention"), make("p", { class: "quiet" },
      "The weight of each key, by query; the stronger the colour, the larger it is among those of its query."));
    stage.replaceChildren(
      make("p", {}, make("label", { for: id }, "Input "), select),
      make("div", { class: "toolbar", role: "group", "aria-label": "Steps" }, buttons.token[0], buttons.step[0], buttons.step[1], buttons.token[1]),
      make("p", { class: "quiet keys" }, "Keys: left and right for steps, up and down for tokens; in a table they go from cell to cell."),
      tokens, says,
      make(sub, {}, "Stream"), make("p", { class: "quiet" }, "By dimension and position; * marks what the step has changed."), stream,
      make(sub, {}, "Logits"), logits,
      heading, attention, panel);

    const frames = () => framesOf(model.examples[state.example]);
    const lastStep = (frame) => (frames()[frame]?.pass.trace.steps.length ?? 1) - 1;

    const next = ([token, step]) => {
      const [frame, moved] = [state.frame + token, state.step + step];
      if (token) return { ...state, frame, step: Math.min(moved, lastStep(frame)) };
      if (moved < 0) return { ...state, frame: frame - 1, step: lastStep(frame - 1) };
      return moved <= lastStep(frame) ? { ...state, step: moved } : { ...state, frame: frame + 1, step: 0 };
    };
    const canGo = (move) => {
      const { frame } = next(move);
      return frame >= 0 && frame < frames().length;
    };
    const go = (move) => {
      if (!canGo(move)) return;
      Object.assign(state, next(move));
      show();
    };

    const describe = (pass, place) => panel.replaceChildren(...valueSays(model, pass, place, (read) => follow(pass, read)));
    const follow = (pass, place) => { // the button that was pressed is gone
      describe(pass, place);
      panel.querySelector("button")?.focus();
    };

    let before = null;
    const show = () => {
      const example = model.examples[state.example];
      const frame = frames()[state.frame];
      const describeHere = (place) => describe(frame.pass, place);
      tokens.replaceChildren(...tokenStrip(model, frame, example));
      says.textContent = shown(frameSays(model, frame, example, state.step));
      stream.replaceChildren(...streamTable(model, frame, example, state.step, describeHere));
      const [wide, here] = [".wide", "th.here"].map((one) => stream.querySelector(one));
      wide.scrollLeft = here.offsetLeft + here.offsetWidth - wide.clientWidth; // what is looked at is in sight
      const where = `${state.example} ${state.frame}`;
      if (where !== before) {
        logits.replaceChildren(logitTable(model, frame, describeHere));
        attention.replaceChildren(...attentionTables(model, frame, example, `h${level + 1}`,
          (said) => panel.replaceChildren(...said), (place) => follow(frame.pass, place)));
        heading.hidden = attention.childElementCount === 0;
      }
      before = where;
      panel.replaceChildren();
      for (const [made, move] of [[buttons.token[0], [-1, 0]], [buttons.token[1], [1, 0]], [buttons.step[0], [0, -1]], [buttons.step[1], [0, 1]]]) {
        made.setAttribute("aria-disabled", String(!canGo(move)));
      }
    };

    select.addEventListener("change", () => {
      Object.assign(state, { example: Number(select.value), frame: 0, step: 0 });
      show();
    });
    stage.addEventListener("keydown", (event) => {
      if (event.target.closest("table, select, .says, .wide") !== null || event.altKey || event.ctrlKey || event.metaKey) return;
      const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (move === undefined) return;
      event.preventDefault();
      go(move);
    });
    show();
  };

  // In the frame of a notebook a link to a place of the page would lead to the notebook.
  if (location.protocol === "about:") {
    document.addEventListener("click", (event) => {
      const link = event.target.closest('a[href^="#"]');
      if (link === null) return;
      event.preventDefault();
      const target = document.getElementById(link.getAttribute("href").slice(1));
      document.querySelector(".target")?.classList.remove("target");
      target.classList.add("target");
      target.focus({ preventScroll: true });
      target.scrollIntoView();
    });
  }

  for (const section of document.querySelectorAll(".stepper")) {
    if (section.querySelector(".stage") !== null) stepper(section);
  }
})();

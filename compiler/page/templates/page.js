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

  const number = (value) => (typeof value === "number" ? String(value) : value);

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
    const describeCell = (event) => {
      const cell = event.target.closest("td");
      if (cell !== null && table.contains(cell)) describe(placeOf(cell), cell);
    };
    table.addEventListener("focusin", describeCell);
    table.addEventListener("mouseover", describeCell);
    table.addEventListener("click", (event) => {
      const cell = event.target.closest("td");
      if (cell !== null) enter(cell);
    });
  };

  // Tensors

  const placeName = (tensor, row, column) => {
    const names = tensor.rows[row] === "" ? [tensor.columns[column]] : [tensor.rows[row], tensor.columns[column]];
    return `${tensor.name}[${names.join(", ")}]`;
  };

  const weightSays = (model, tensor, [row, column]) => {
    const cell = tensor.cells.find((one) => one.row === row && one.column === column);
    const name = placeName(tensor, row, column);
    if (cell === undefined) return [make("p", {}, make("b", {}, `${name} = 0`), ": no equation writes it")];
    const equation = model.equations[cell.equation];
    const part = cell.part === null ? "written by" : `${cell.part} in`;
    const lines = [
      make("p", {}, make("b", {}, `${name} = ${number(cell.value)}`), `: ${part} `, make("code", {}, equation.equation), ", ", lineLink(equation)),
    ];
    if (cell.filled !== null) {
      const names = cell.names.length ? `, for ${cell.names.join(", ")}` : "";
      lines.push(make("p", {}, "with its numbers ", make("code", {}, cell.filled), names));
    }
    return lines;
  };

  for (const table of document.querySelectorAll("table[data-tensor]")) {
    const model = page.models[Number(table.dataset.model)];
    const tensor = model.tensors[Number(table.dataset.tensor)];
    const says = table.closest("section").querySelector(".says");
    prepare(table, (place) => says.replaceChildren(...weightSays(model, tensor, place)));
  }
})();

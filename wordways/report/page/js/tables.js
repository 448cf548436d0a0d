// Tables as the report prints them: claims, further tables of a task, and the runs without results.

const FAILED = ["NO", "no", "does not hold"], PASSED = ["yes", "holds"];

function cellClass(cell, wordy) {
  const verdict = FAILED.includes(cell) || cell.endsWith("✗") ? "miss" : PASSED.includes(cell) ? "holds" : "";
  return [wordy ? "text" : "", verdict].filter(Boolean).join(" ");
}
function plainTable({ columns, rows, text, muted = [], note, details, signature }) {
  const heads = columns.map((name, i) => el("th", { scope: "col", className: text[i] ? "text" : "" }, heading(name)));
  const lines = rows.map((cells, line) => el("tr", { className: muted.includes(line) ? "muted" : "" },
    ...cells.map((cell, i) => el("td", { className: cellClass(cell, text[i]) }, bdi(cell)))));
  const table = el("table", {}, el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...lines));
  return [el("div", { className: "scroll", tabIndex: 0 }, table), copyButtons(table),
    ...tableNote({ note, details, signature })];
}

section("claims", "Textbook claims", {}, () =>
  D.claims.flatMap((table) => [el("h3", {}, table.title), ...plainTable(table)]));

section("tables", "Further tables", {}, () => {
  const tables = D.tables.filter((table) => !state.task || table.task === state.task);
  return tables.map((table) => el("details", {}, el("summary", {}, bdi(table.title)), ...plainTable(table)));
});

section("missing", "Runs without results", { note: "Skipped and failed runs are listed with their reasons." }, () =>
  (D.missing.length ? [el("ul", {}, ...D.missing.map((line) => el("li", {}, bdi(line))))] : []));

// The headline table: quality with its analytic values and speed, a row for each configuration, sorted by any column.

// of every speed measure its name, its value with its interval, and whether more is better
const speeds = () => [
  ["latency_per_token", (row) => msPerToken(row), false],
  ["end_to_end", (row) => row.m.end_to_end, false],
  ["time_to_first_token", (row) => row.m.time_to_first_token, false],
  [`tokens_per_second_at_${state.batch}`, (row) => row.rates[state.batch], true],
  ["calls", (row) => row.m.calls, false],
  ["tokens_per_pass", (row) => row.m.tokens_per_pass, true],
  ["positions_per_token", (row) => row.m.positions_per_token, false],
];
function headlineColumns() {
  const label = (row) => [dot(row.paradigm), bdi(row.label)], task = (row) => titleOf(row.task);
  const quality = columnsOf(state.task).map((column) => ({
    title: column.name, up: column.up,
    value: (row) => qualityOf(row, column.name)?.[0], cell: (row) => qualityCell(row, column),
  }));
  const speed = speeds().filter(([name]) => D.headings[name]).map(([name, of, up], i) => ({
    title: D.headings[name], up, value: (row) => of(row)?.[0],
    cell: (row) => speedCell(of(row), i ? "" : row.sign || ""),
  }));
  const count = (row) => row.seeds.length;
  const seeds = { title: "seeds", up: true, value: count, cell: (row) => [String(count(row))] };
  return [
    { title: "configuration", text: true, value: (row) => row.label, cell: label },
    ...(state.task ? [] : [{ title: "task", text: true, value: task, cell: (row) => [bdi(task(row))] }]),
    ...quality, ...speed, seeds,
  ];
}
function speedCell(found, sign) {
  if (!found) return ["–"];
  const [value, low, high] = found, known = low !== undefined && low !== high && Number.isFinite(high);
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
  const shown = known && value < 1000 ? value.toFixed(digits) : round(value);
  return [shown, el("span", { className: "of" }, known ? span(found, digits) : ""), sign].filter(Boolean);
}
// as the tables print it: half of a symmetric interval in the value's decimals, or the ends of another
function span([value, low, high], digits) {
  const half = symmetric(value, low, high, digits);
  if (half === null) return ` (${round(low)}–${round(high)})`;
  const plain = half >= 1000 ? round(half) : half.toFixed(digits);
  return ` ±${half >= 0.5 * 10 ** -digits ? plain : Number(half.toPrecision(1))}`;
}
// the same of a score, whose ends have the value's decimals; nothing where there is no interval
function uncertainty(value, low, high, digits) {
  if (low === high) return "";
  const half = symmetric(value, low, high, digits);
  return half === null ? ` (${low.toFixed(digits)}–${high.toFixed(digits)})` : ` ±${half.toFixed(digits)}`;
}
function symmetric(value, low, high, digits) {
  const below = value - low, above = high - value;
  return Math.abs(above - below) > Math.max(10 ** -digits, (above + below) / 10) ? null : (above + below) / 2;
}
function qualityCell(row, column) {
  const found = qualityOf(row, column.name);
  if (!found) return ["–"];
  const [value, low, high, analytic, holds] = found, shown = (number) => number.toFixed(column.digits);
  const parts = [
    el("span", { className: row.marks[column.name] || "" }, shown(value)),
    el("span", { className: "of" }, uncertainty(value, low, high, column.digits)),
  ];
  if (analytic !== undefined && analytic !== null) {
    const text = ` [${round(analytic, 4)}]${holds ? "" : " ✗"}`;
    parts.push(el("span", { className: holds ? "of" : "miss", title: "analytic value" }, text));
  }
  return parts;
}

const known = (value) => value !== undefined && value !== null;
function sorted(rows, column) {
  const sign = state.sort.down ? -1 : 1;
  return rows.sort((one, other) => {
    const a = column.value(one), b = column.value(other);
    if (!known(a) || !known(b)) return known(b) - known(a); // configurations without a value stand last
    return sign * (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
  });
}
function sortBy(column) {
  const again = state.sort && state.sort.title === column.title;
  state.sort = { title: column.title, down: again ? !state.sort.down : Boolean(column.up) };
  keepAddress();
  redrawOnly("headline");
}
function headingOf(column, active) {
  const button = el("button", { type: "button", onclick: () => sortBy(column) }, heading(column.title));
  const order = active ? (state.sort.down ? "descending" : "ascending") : "none";
  return el("th", { scope: "col", className: column.text ? "text" : "", "aria-sort": order }, button);
}

// the note where no single task is selected
const OVERALL = "Overall quality is the first metric of a task over all its strata, ± half-width, or (ends), of a 95 % "
  + "interval. Speed is measured at batch size 1 unless a heading names another.";
section("headline", "Quality and speed", {
  note: "Click a heading to sort, and again to reverse the order. Hover over a row, or focus it with Tab, for its full "
    + "configuration.",
}, () => {
  const every = headlineColumns(), columns = visible(every), rows = [...chosen(), ...baselines()];
  const by = state.sort && columns.find((column) => column.title === state.sort.title);
  if (by) sorted(rows, by);
  const shown = limited(rows, ROWS_SHOWN), heads = columns.map((column) => headingOf(column, by === column));
  const cell = (column, row) => el("td", { className: column.text ? "name" : "" }, ...column.cell(row));
  const props = (row) => ({ tabIndex: 0, className: row.muted ? "muted" : "" });
  const body = shown.map((row) => tipped(
    el("tr", props(row), ...columns.map((column) => cell(column, row))), () => configTip(row)));
  const table = el("table", { id: "headline-table" },
    el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...body));
  return [
    columnChooser(every),
    el("div", { className: "scroll", tabIndex: 0, "aria-label": "headline table" }, table),
    copyButtons(table),
    showMore(rows.length - shown.length),
    rows.length ? null : el("p", {}, "No configuration matches these filters."),
    ...tableNote(D.notes[state.task] || { note: OVERALL }),
  ].filter(Boolean);
});

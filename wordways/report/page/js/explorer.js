// Quality versus cost: one chart of the metric and the cost that the reader chooses, or a small one for each task.

const positive = (found) => (found && found[0] > 0 ? [found[0], found[1] ?? found[0], found[2] ?? found[0]] : null);
const COSTS = {
  latency: { title: () => `latency/token (ms, batch ${state.batch})`, of: (row) => msPerToken(row) },
  end_to_end: { title: () => "end-to-end latency (ms)", of: (row) => positive(row.m.end_to_end) },
  calls: { title: () => "forward passes", of: (row) => positive(row.m.calls) },
};
const costOf = () => COSTS[state.cost] || COSTS.latency;

function paretoFront(points, up) {
  if (up === null) return []; // the metric has no better direction
  const kept = [], sign = up ? 1 : -1;
  for (const point of points.slice().sort((a, b) => a.x - b.x || sign * (b.y - a.y))) {
    if (!kept.length || sign * point.y > sign * kept[kept.length - 1].y) kept.push(point);
  }
  return kept;
}
function pointsOf(rows, column) {
  return rows.filter((row) => costOf().of(row) && qualityOf(row, column.name)).map((row) => {
    const q = qualityOf(row, column.name), t = costOf().of(row);
    return { row, q, t, x: t[0], y: q[0] };
  });
}
function explorerChart(rows, column, caption, width) {
  const all = pointsOf(rows, column);
  if (!all.length) return null;
  // of very many points, those on the front are always drawn
  const front = new Set(paretoFront(all.filter(({ row }) => !row.muted), column.up));
  const points = limited([...front, ...all.filter((point) => !front.has(point))], POINTS_SHOWN);
  const height = Math.max(260, Math.min(460, width * 0.5)), right = 24, floor = height - MARGIN.bottom;
  const x = scale(points.map((point) => point.x), true, MARGIN.left, width - right);
  const y = scale(null, false, floor, MARGIN.top, ends(points, column.unit === "share"));
  for (const point of points) {
    const [, low, high] = point.t;
    Object.assign(point, { px: x(point.x), py: y(point.y), bottom: y(point.q[1]), top: y(point.q[2]) });
    Object.assign(point, { left: x(Math.max(low, x.low)), right: x(Math.min(high, x.high)) });
  }
  const picture = frame(width, height, right, x, y, `${costOf().title()}, log scale`, column.name);
  const drawn = [...joins(points, [...front]), ...points.flatMap((point) => barsOf(point, y))];
  picture.append(clipped([MARGIN.left, MARGIN.top - 8, width - right + 8, floor], drawn));
  picture.append(...points.map((point) => pointOf(point, column)), ...frontLabels(points, front, width, height));
  return el("figure", {}, el("figcaption", {}, bdi(caption)), picture, showMore(all.length - points.length));
}
function joins(points, front) {
  const path = (found) => found.map((p) => `${p.px},${p.py}`).join(" ");
  const swept = points.filter(({ row }) => row.line !== undefined);
  const lines = [...Map.groupBy(swept, ({ row }) => row.line).values()];
  const line = (own) => svg("polyline", { points: path(own.slice().sort((a, b) => a.row.place - b.row.place)),
    fill: "none", stroke: colour(own[0].row.paradigm), "stroke-width": 1.2 });
  return [svg("polyline", { points: path(front), fill: "none", class: "front" }), ...lines.map(line)];
}
function barsOf({ row, q, px, py, left, right, bottom, top }, y) {
  const bar = (at) => svg("line", { ...at, stroke: colour(row.paradigm), "stroke-width": 1, opacity: 0.6 });
  const bars = [bar({ x1: left, x2: right, y1: py, y2: py }), bar({ x1: px, x2: px, y1: bottom, y2: top })];
  const diamond = () => svg("path", { d: SHAPES.diamond(6), transform: `translate(${px} ${y(q[3])})`, fill: "none",
    stroke: "currentColor", "stroke-width": 0.8 });
  return q[3] === undefined ? bars : [...bars, diamond()];
}
function pointOf({ row, q, t, px, py }, column) {
  const tint = colour(row.paradigm), head = `${column.name} ${round(q[0])}${spanOf(q)}; ${round(t[0])}${spanOf(t)}`;
  const label = `${row.label}: ${head} ${costOf().title()}`;
  const point = svg("g", { tabindex: 0, role: "img", "aria-label": label, transform: `translate(${px} ${py})` },
    mark(row.by, { fill: row.muted ? "none" : tint, stroke: tint, "stroke-width": 1 }));
  return tipped(point, () => [el("div", {}, `${head} ${costOf().title()}`), ...configTip(row)]);
}
const spanOf = ([at, low, high]) => (low === at && high === at ? "" : ` [${round(low)}, ${round(high)}]`);
function frontLabels(points, front, width, height) {
  const taken = points.map(({ px, py }) => [px - 6, py - 6, px + 6, py + 6]), parts = [];
  for (const { row, px, py } of front) {
    const tint = colour(row.paradigm), text = clip(row.label, Math.max(90, width * 0.4));
    const box = freeBox(px, py, widthOf(text), width, height, taken);
    if (!box) continue;
    taken.push(box);
    const [left, top, right, bottom] = box, near = Math.min(Math.max(px, left), right);
    if (Math.max(top - py, py - bottom) > 8) {
      const y2 = top > py ? top : bottom;
      parts.push(svg("line", { x1: px, y1: py, x2: near, y2, stroke: tint, "stroke-width": 0.5 }));
    }
    parts.push(svg("text", { x: left, y: bottom - 3, tint }, text));
  }
  return parts;
}

function chooser(name, label, options, chosenOne) {
  const change = (event) => { state[name] = event.target.value; state.all = false; redraw(); };
  const made = options.map(([value, text]) => el("option", { value, selected: value === chosenOne }, text));
  if (options.length < 2) return null;
  return el("label", {}, `${label} `, el("select", { id: name, onchange: change }, ...made));
}
// the metrics that have a better direction
function choicesOf(task) {
  const columns = columnsOf(task), directed = columns.filter(({ up }) => up !== null);
  return directed.length ? directed : columns;
}
section("explorer", "Quality versus cost", {
  note: "Broad grey line: the Pareto front, whose configurations are named. Thin lines join configurations that differ "
    + "in one number. Bars are 95 % intervals, open diamonds analytic values.",
  details: "Hover over a point, or focus it with Tab, for its name and its full configuration. Hollow points did not "
    + "pass the gate of their task. Labels that would overlap are omitted.",
}, (body) => {
  const columns = choicesOf(state.task);
  const column = columns.find(({ name }) => name === state.metric) || columns[0];
  if (!column) return [];
  const room = roomIn(body), tasks = state.task ? [state.task] : D.tasks;
  const across = state.task ? 1 : Math.max(1, Math.min(tasks.length, 3, Math.floor(room / 380)));
  const width = Math.min((room - 32 * (across - 1)) / across, 1100);
  const drawn = tasks.map((task) => chosen().filter((row) => row.task === task));
  const charts = drawn.map((rows, i) =>
    explorerChart(rows, column, state.task ? column.name : titleOf(tasks[i]), width)).filter(Boolean);
  const costs = Object.entries(COSTS).filter(([, { of }]) => chosen().some(of));
  const controls = el("div", { className: "controls" },
    chooser("metric", "quality", columns.map(({ name }) => [name, name]), column.name),
    chooser("cost", "cost", costs.map(([name, { title }]) => [name, title()]), state.cost));
  const style = { gridTemplateColumns: `repeat(${across}, minmax(0, 1fr))` };
  return charts.length ? [controls, el("div", { className: "panels", style }, ...charts), legendOf(drawn.flat())] : [];
});

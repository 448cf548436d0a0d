// Quality versus latency: a chart for each metric, with the Pareto front of every paradigm and of all together.

const LABELS = 40; // most points that are labelled

function paretoFront(points, up) {
  if (up === null) return []; // the metric has no better direction
  const kept = [], sign = up ? 1 : -1;
  for (const point of points.slice().sort((a, b) => a.x - b.x || sign * (b.y - a.y))) {
    if (!kept.length || sign * point.y > sign * kept[kept.length - 1].y) kept.push(point);
  }
  return kept;
}
function grouped(points, key) {
  const found = new Map();
  for (const point of points) found.set(key(point.row), [...(found.get(key(point.row)) || []), point]);
  return [...found.values()];
}
function paretoChart(column, width) {
  const all = chosen().filter((row) => msPerToken(row) && qualityOf(row, column.name)).map((row) => {
    const q = qualityOf(row, column.name), t = msPerToken(row);
    return { row, q, t, x: t[0], y: q[0] };
  });
  if (!all.length) return null;
  // of very many points, those on the front are always drawn
  const front = new Set(paretoFront(all, column.up));
  const points = limited([...front, ...all.filter((point) => !front.has(point))], POINTS_SHOWN);
  const height = Math.max(300, Math.min(460, width * 0.55)), right = width > 520 ? 120 : 24;
  const xs = points.flatMap(({ t: [at, low, high] }) => [at, Math.max(low, at / 2), Math.min(high, at * 2)]);
  const range = column.unit === "share" ? [-0.04, 1.04] : null;
  const x = scale(xs, true, MARGIN.left, width - right);
  const y = scale(points.flatMap(({ q }) => q.slice(0, 3)), false, height - MARGIN.bottom, MARGIN.top, range);
  for (const point of points) {
    const [, low, high] = point.t;
    Object.assign(point, { px: x(point.x), py: y(point.y) });
    Object.assign(point, { left: x(Math.max(low, x.low)), right: x(Math.min(high, x.high)) });
    Object.assign(point, { bottom: y(point.q[1]), top: y(point.q[2]) });
  }
  const picture = frame(width, height, right, x, y, `latency/token (ms, batch ${state.batch}, log scale)`, column.name);
  picture.append(...connections(points, column), ...points.flatMap((point) => pointOf(point, column, y)));
  picture.append(...pointLabels(points, new Set(paretoFront(points, column.up)), width, height));
  return el("figure", {}, el("figcaption", {}, column.name), picture, showMore(all.length - points.length));
}
function connections(points, column) {
  const line = (found, props) => svg("polyline", {
    points: found.map((p) => `${p.px},${p.py}`).join(" "), fill: "none",
    stroke: colour(found[0].row.paradigm), ...props,
  });
  const checkpoints = grouped(points, (row) => row.training).map((group) => group.slice().sort((a, b) => a.x - b.x));
  const fronts = grouped(points, (row) => row.paradigm).map((group) => paretoFront(group, column.up));
  const dotted = { "stroke-width": 0.7, "stroke-dasharray": "2 3", opacity: 0.7 };
  return [
    ...checkpoints.filter((group) => group.length > 1).map((group) => line(group, dotted)),
    ...fronts.filter((group) => group.length > 1).map((group) => line(group, { "stroke-width": 1.6 })),
  ];
}
function pointOf({ row, q, t, px, py, left, right, bottom, top }, column, y) {
  const stroke = colour(row.paradigm), label = `${row.label}: ${column.name} ${round(q[0])}, ${round(t[0])} ms/token`;
  const bar = (ends) => svg("line", { ...ends, stroke, "stroke-width": 1 });
  const parts = [bar({ x1: left, x2: right, y1: py, y2: py }), bar({ x1: px, x2: px, y1: bottom, y2: top })];
  if (q[3] !== undefined) {
    const diamond = `M${px - 6} ${y(q[3])}l6 -6l6 6l-6 6z`;
    parts.push(svg("path", { d: diamond, fill: "none", stroke: "currentColor", "stroke-width": 0.8 }));
  }
  const head = `${column.name} ${round(q[0])} [${round(q[1])}, ${round(q[2])}]; ${round(t[0])} ms/token`;
  const point = svg("g", { tabindex: 0, role: "img", "aria-label": label },
    svg("circle", { cx: px, cy: py, r: 4.5, fill: stroke }));
  return [...parts, tipped(point, () => [el("div", {}, head), ...configTip(row)])];
}
function pointLabels(points, best, width, height) {
  const taken = points.flatMap(({ px, py, left, right, bottom, top }) => [
    [px - 5, py - 5, px + 5, py + 5], [left, py - 1, right, py + 1], [px - 1, top, px + 1, bottom]]);
  const parts = [], first = points.slice().sort((a, b) => best.has(b) - best.has(a)).slice(0, LABELS);
  for (const point of first) {
    const { row, px, py } = point, tint = colour(row.paradigm), weight = best.has(point) ? 700 : 400;
    const text = clip(row.label, Math.max(90, width * 0.4));
    const box = freeBox(px, py, widthOf(text, weight), width, height, taken);
    if (!box) continue;
    taken.push(box);
    const [left, top, right, bottom] = box, near = Math.min(Math.max(px, left), right);
    if (Math.max(top - py, py - bottom) > 8) {
      const y2 = top > py ? top : bottom;
      parts.push(svg("line", { x1: px, y1: py, x2: near, y2, stroke: tint, "stroke-width": 0.5 }));
    }
    parts.push(svg("text", { x: left, y: bottom - 3, tint, "font-weight": weight }, text));
  }
  return parts;
}

section("explorer", "Quality versus latency", {
  note: "Solid lines join the Pareto front of a paradigm, dotted lines the decoders of one checkpoint. Bars are 95 % "
    + "confidence intervals; open diamonds are analytic values. Labels on the overall Pareto front are bold.",
  details: "Hover over a point, or focus it with Tab, for its full configuration. Labels that would overlap are "
    + "omitted.",
}, (body) => {
  const columns = columnsOf(state.task), room = roomIn(body);
  const across = Math.max(1, Math.min(columns.length, 2, Math.floor(room / 440)));
  const width = Math.min((room - 32 * (across - 1)) / across, across === 1 ? 1100 : 700);
  const charts = columns.map((column) => paretoChart(column, width)).filter(Boolean);
  const gridTemplateColumns = `repeat(${across}, minmax(0, 1fr))`;
  return charts.length ? [el("div", { className: "panels", style: { gridTemplateColumns } }, ...charts)] : [];
});

"use strict";
// Draws the page from the data it carries. Text from records only ever becomes text nodes, never markup.

const D = JSON.parse(document.getElementById("data").textContent);
const ROWS_SHOWN = 100, MAPS_SHOWN = 40, CURVES_SHOWN = 40, POINTS_SHOWN = 400, LABELS = 40, PRINTED = 80, PLAY_SECONDS = 8;
const rowsOf = (task) => D.rows.filter((row) => row.task === task).length;
const state = { task: D.tasks.reduce((best, task) => (rowsOf(task) > rowsOf(best) ? task : best), D.tasks[0] || ""), batch: "1", device: "", search: "", sort: null, all: false };

// ---- small tools ----------------------------------------------------------------------------------------------
function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "style") Object.assign(node.style, value);
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && name !== "list") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
function svg(tag, props = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "tint") node.style.fill = value; // a style attribute would be refused by the page's own policy
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}
const bdi = (text) => el("bdi", {}, String(text));
function round(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  if (value !== 0 && (Math.abs(value) >= 1000 || Math.abs(value) < 1e-4)) {
    return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : value.toExponential(1);
  }
  return String(Number(value.toPrecision(digits)));
}
function colour(paradigm) {
  const base = D.colours[paradigm] || "#777777";
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(base.slice(at, at + 2), 16));
  const dark = document.documentElement.dataset.theme === "dark", light = 0.3 * r + 0.59 * g + 0.11 * b;
  if (dark && light < 60) return "#e8eaed";
  if (dark && light < 120) return `rgb(${[r, g, b].map((c) => Math.round(c + (255 - c) * 0.35)).join(",")})`;
  return base;
}
function faded(paradigm, strength) {
  return `color-mix(in srgb, ${colour(paradigm)} ${Math.round(100 * strength)}%, transparent)`;
}
const dot = (paradigm) => el("span", { className: "dot", style: { background: colour(paradigm) } });

const tip = document.getElementById("tip");
let held = null; // what the tip belongs to, where it came by focus
function showTip(anchor, content, at) {
  tip.replaceChildren(...content);
  tip.hidden = false;
  held = at ? null : anchor;
  placeTip(anchor, at);
}
function placeTip(anchor, at) {
  const box = at ? { left: at.clientX, right: at.clientX, top: at.clientY, bottom: at.clientY } : anchor.getBoundingClientRect();
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.min(Math.max(4, box.left + 12), innerWidth - width - 4);
  const below = box.bottom + 12 + height < innerHeight;
  tip.style.left = `${left}px`;
  tip.style.top = `${Math.max(4, below ? box.bottom + 12 : box.top - height - 12)}px`;
}
const hideTip = () => { tip.hidden = true; held = null; };
function tipped(node, content) {
  node.addEventListener("mousemove", (event) => showTip(node, content(), event));
  node.addEventListener("mouseleave", () => { if (!held) hideTip(); });
  node.addEventListener("focus", () => showTip(node, content()));
  node.addEventListener("blur", hideTip);
  return node;
}
document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
// to come into sight what is focused scrolls, and its tip goes with it
document.addEventListener("scroll", () => (held ? placeTip(held) : hideTip()), { passive: true, capture: true });

// ---- which rows are meant ---------------------------------------------------------------------------------------
const settings = (row) => D.settings.names
  .map((name, i) => [name, row.config[i] < 0 ? null : D.settings.values[i][row.config[i] || 0]])
  .filter(([, value]) => value !== null);
const chosen = (rows = D.rows) => rows.filter((row) =>
  (!state.task || row.task === state.task) && (!state.device || row.device === state.device) &&
  (!state.search || row.label.toLowerCase().includes(state.search.toLowerCase())));
// seconds a token at the chosen batch, in ms with its interval
function msPerToken(row) {
  if (state.batch === "1" && row.perToken) return row.perToken;
  const rate = row.rates[state.batch];
  return rate && rate[0] > 0 ? [1000 / rate[0], 1000 / rate[2], rate[1] > 0 ? 1000 / rate[1] : Infinity] : null;
}
const columnsOf = (task) => (task ? D.columns[task] : [{ name: "overall", unit: "", up: true }]);
const qualityOf = (row, name) => (name === "overall" ? row.overall : row.q[name]) || null;

// ---- sections: each is built once, and drawn anew when the filters change ----------------------------------------------
const main = document.getElementById("main"), sections = [];
function section(id, title, note, draw) {
  const body = el("div"), box = el("section", { id }, el("h2", {}, title), note ? el("p", { className: "note" }, note) : null, body);
  main.append(box);
  document.getElementById("contents").append(el("a", { href: `#${id}` }, title));
  sections.push({ box, body, draw });
}
function drawSection({ box, body, draw }) {
  const content = draw(body);
  body.replaceChildren(...content);
  box.hidden = content.length === 0;
  document.querySelector(`#contents a[href="#${box.id}"]`).hidden = box.hidden;
}
// the first at once, the others one by one in the pauses, so that typing is never held up
let queue = [], turn = null;
function redraw() {
  hideTip();
  drawSection(sections[0]);
  queue = sections.slice(1);
  document.body.dataset.drawn = "no";
  clearTimeout(turn);
  turn = setTimeout(drawNext);
}
function drawNext() {
  const next = queue.shift();
  if (next) drawSection(next);
  if (queue.length) turn = setTimeout(drawNext);
  else document.body.dataset.drawn = "yes";
}
function drawAll() { clearTimeout(turn); while (queue.length) drawNext(); }

// ---- headline table --------------------------------------------------------------------------------------------------
function headlineColumns() {
  const quality = columnsOf(state.task).map((column) => ({
    title: column.name, up: column.up, value: (row) => qualityOf(row, column.name)?.[0],
    cell: (row) => {
      const found = qualityOf(row, column.name);
      if (!found) return ["–"];
      const [value, low, high, theory, holds] = found, shown = (number) => number.toFixed(column.digits);
      const parts = [el("span", { className: row.marks[column.name] || "" }, shown(value)), el("span", { className: "of" }, ` ±${shown((high - low) / 2)}`)];
      if (theory !== undefined && theory !== null) {
        parts.push(el("span", { className: holds ? "of" : "miss", title: "what theory demands" }, ` [${round(theory, 4)}]${holds ? "" : " ✗"}`));
      }
      return parts;
    },
  }));
  const speed = [
    ["ms/token", (row) => msPerToken(row)?.[0], false], ["E2E ms", (row) => row.m.end_to_end, false],
    ["TTFT ms", (row) => row.m.time_to_first_token, false],
    [`tok/s @${state.batch}`, (row) => row.rates[state.batch]?.[0], true],
    ["calls", (row) => row.m.calls, false], ["tok/call", (row) => row.m.tokens_per_pass, true],
    ["pos/tok", (row) => row.m.positions_per_token, false], ["seeds", (row) => row.seeds.length, true],
  ].map(([title, value, up]) => ({ title, value, up, cell: (row) => [round(value(row))] }));
  const task = state.task ? [] : [{ title: "task", text: true, value: (row) => row.task, cell: (row) => [bdi(row.task)] }];
  return [
    { title: "way of writing", text: true, value: (row) => row.label, cell: (row) => [dot(row.paradigm), bdi(row.label)] },
    ...task, ...quality, ...speed,
  ];
}
function compare(a, b) {
  if (a === undefined || a === null) return 1;
  if (b === undefined || b === null) return -1;
  return typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
}
section("headline", "The comparison", "± half a 95 % interval. In brackets what theory demands exactly; ✗ where a row misses it. A click on a heading sorts. Hover or tab to a row for its whole configuration.", () => {
  const columns = headlineColumns(), rows = chosen().slice();
  const by = state.sort && columns.find((column) => column.title === state.sort.title);
  if (by) {
    const sign = state.sort.down ? -1 : 1;
    const known = (row) => by.value(row) !== undefined && by.value(row) !== null;
    rows.sort((a, b) => (known(a) && known(b) ? sign * compare(by.value(a), by.value(b)) : known(b) - known(a)));
  }
  const shown = state.all ? rows : rows.slice(0, ROWS_SHOWN);
  const heads = columns.map((column) => {
    const active = by === column, button = el("button", { type: "button", onclick: () => sortBy(column) }, bdi(column.title));
    return el("th", { scope: "col", className: column.text ? "text" : "", "aria-sort": active ? (state.sort.down ? "descending" : "ascending") : "none" }, button);
  });
  const body = shown.map((row) => tipped(
    el("tr", { tabIndex: 0 }, ...columns.map((column) => el("td", {}, ...column.cell(row)))), () => configTip(row)));
  const table = el("table", { id: "headline-table" }, el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...body));
  const parts = [el("div", { className: "scroll", tabIndex: 0, "aria-label": "headline table" }, table)];
  if (shown.length < rows.length) parts.push(moreRows(rows.length - shown.length));
  if (!rows.length) parts.push(el("p", {}, "No row fits these filters."));
  const notes = D.notes[state.task];
  if (notes) parts.push(el("p", { className: "note" }, notes.quality), el("p", { className: "note" }, notes.speed), el("p", { className: "signature" }, notes.signature || ""));
  return parts;
});
// of many rows a section draws the first; this draws them all
function moreRows(left) {
  if (left <= 0 || state.all) return null;
  return el("p", {}, el("button", { type: "button", onclick: () => { state.all = true; redraw(); } }, `show ${left} more`));
}
function sortBy(column) {
  const again = state.sort && state.sort.title === column.title;
  state.sort = { title: column.title, down: again ? !state.sort.down : Boolean(column.up) };
  redraw();
  for (const button of document.querySelectorAll("#headline-table th button")) if (button.textContent === column.title) button.focus();
}
function configTip(row) {
  const lines = settings(row).map(([name, value]) => el("div", {}, `${name} `, el("b", {}, bdi(value))));
  return [el("b", {}, bdi(row.label)), el("div", {}, `${row.task}, ${row.device}, seeds ${row.seeds.join(", ")}`), el("div", { className: "config" }, ...lines)];
}

// ---- charts ---------------------------------------------------------------------------------------------------------
function ticks(low, high, log) {
  if (!log) {
    const step = 10 ** Math.floor(Math.log10((high - low) / 4 || 1)), stride = [1, 2, 5, 10].find((m) => (high - low) / (m * step) <= 6) * step;
    const found = [];
    for (let at = Math.ceil(low / stride - 1e-9) * stride; at <= high + stride * 1e-9; at += stride) found.push(Number(at.toPrecision(12)));
    return found;
  }
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const m of high / low > 300 ? [1] : high / low > 30 ? [1, 3] : [1, 2, 5]) if (m * 10 ** power >= low * 0.999 && m * 10 ** power <= high * 1.001) found.push(m * 10 ** power);
  }
  return found.length > 1 ? found : [low, high].map((v) => Number(v.toPrecision(2)));
}
function scale(values, log, from, to, fixed) {
  let [low, high] = fixed || [Math.min(...values), Math.max(...values)];
  if (!fixed) {
    if (log) { low /= 1.15; high *= 1.15; } else { const pad = (high - low || Math.abs(high) || 1) * 0.06; low = Math.min(low - pad, low >= 0 ? 0 : low - pad); high += pad; }
  }
  const f = log ? Math.log : (v) => v;
  const at = (value) => from + ((f(value) - f(low)) / (f(high) - f(low) || 1)) * (to - from);
  return Object.assign(at, { low, high, log });
}
// text widths are measured, so that labels can be kept apart
const pen = document.createElement("canvas").getContext("2d");
function widthOf(text, weight = 400) { pen.font = `${weight} 11px system-ui, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif`; return pen.measureText(text).width * 1.03 + 2; }
function clip(text, room) {
  if (widthOf(text) <= room) return text;
  const letters = Array.from(text);
  while (letters.length > 1 && widthOf(`${letters.join("")}…`) > room) letters.pop();
  return `${letters.join("")}…`;
}
function frame(width, height, right, x, y, xLabel, yLabel) {
  const left = 52, top = 12, bottom = 40, picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group" });
  let last = -Infinity;
  for (const tick of ticks(x.low, x.high, x.log)) {
    const at = x(tick), text = round(tick), half = widthOf(text) / 2;
    picture.append(svg("line", { class: "grid", x1: at, x2: at, y1: top, y2: height - bottom }));
    if (at - half < last + 4 || at + half > width - right + 20) continue;
    last = at + half;
    picture.append(svg("text", { class: "tick", x: at, y: height - bottom + 14, "text-anchor": "middle" }, text));
  }
  for (const tick of ticks(y.low, y.high, y.log)) {
    picture.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }));
    picture.append(svg("text", { class: "tick", x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, round(tick)));
  }
  picture.append(svg("text", { class: "tick", x: width - right, y: height - 6, "text-anchor": "end" }, xLabel));
  picture.setAttribute("aria-label", `${yLabel} against ${xLabel}`);
  return picture;
}
const roomIn = (body, most = 1400) => Math.max(260, Math.min(most, (body.clientWidth || main.clientWidth - 40)));

// lines with names at their ends; on narrow screens the names stand below
function lineChart(title, series, { xLabel, yLabel, logX, logY, width, height = 240 }) {
  // a logarithmic axis has no place for 0, say the throughput of a row that wrote nothing
  const drawable = series.map((one) => ({ ...one, points: one.points.filter((p) => (!logX || p[0] > 0) && (!logY || p[1] > 0)) }));
  const every = drawable.filter((one) => one.points.length > 1), known = every.slice(0, state.all ? every.length : CURVES_SHOWN);
  if (!known.length) return null;
  const names = Math.max(...known.map((one) => widthOf(one.label))), direct = width >= 480 && names < width * 0.45 && known.length <= 16;
  const tall = direct ? Math.max(height, known.length * 15 + 60) : height;
  const right = direct ? names + 24 : 14;
  const xs = known.flatMap((one) => one.points.map((p) => p[0])), ys = known.flatMap((one) => one.points.flatMap((p) => (p[2] === undefined ? [p[1]] : [p[1], p[2], p[3]])));
  const x = scale(xs, logX, 52, width - right, logX ? null : [Math.min(...xs), Math.max(...xs)]), y = scale(ys.filter((v) => !logY || v > 0), logY, tall - 40, 12);
  const picture = frame(width, tall, right, x, y, xLabel, yLabel);
  const ends = [];
  for (const one of known) {
    const tint = colour(one.paradigm), path = one.points.map((p) => `${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)}`);
    if (one.points[0][2] !== undefined) {
      const band = [...one.points.map((p) => [p[0], p[3]]), ...one.points.slice().reverse().map((p) => [p[0], p[2]])].filter((p) => !logY || p[1] > 0);
      picture.append(svg("polygon", { points: band.map((p) => `${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)}`).join(" "), fill: tint, opacity: 0.13 }));
    }
    picture.append(svg("polyline", { points: path.join(" "), fill: "none", stroke: tint, "stroke-width": 1.6 }));
    const end = one.points[one.points.length - 1];
    const line = tipped(svg("polyline", { points: path.join(" "), fill: "none", stroke: "transparent", "stroke-width": 12, tabindex: 0, "aria-label": one.label }), () => [
      el("b", {}, bdi(one.label)), ...one.points.slice(-8).map((p) => el("div", {}, `${xLabel} ${round(p[0])}: ${round(p[1])}`))]);
    picture.append(line);
    ends.push({ x: x(end[0]), y: y(end[1]), one });
  }
  if (direct) {
    ends.sort((a, b) => a.y - b.y);
    let floor = 14;
    for (const end of ends) { end.at = Math.max(end.y + 4, floor); floor = end.at + 14; }
    let ceiling = tall - 42;
    for (const end of ends.slice().reverse()) { end.at = Math.min(end.at, ceiling); ceiling = end.at - 14; }
    for (const end of ends) {
      const tint = colour(end.one.paradigm);
      picture.append(svg("line", { x1: end.x, y1: end.y, x2: width - right + 14, y2: end.at - 4, stroke: tint, "stroke-width": 0.5 }));
      picture.append(svg("text", { x: width - right + 17, y: end.at, tint }, end.one.label));
    }
  }
  const legend = direct ? null : el("div", { className: "legend" }, ...known.map((one) => el("span", {}, dot(one.paradigm), bdi(one.label))));
  return el("figure", {}, el("figcaption", {}, `${title} (${yLabel})`), picture, legend, moreRows(every.length - known.length));
}

// ---- quality against latency --------------------------------------------------------------------------------------------
function unbeaten(points, up) {
  if (up === null) return [];  // nobody knows which end is better
  const kept = [], sign = up ? 1 : -1;
  for (const point of points.slice().sort((a, b) => a.x - b.x || sign * (b.y - a.y))) {
    if (!kept.length || sign * point.y > sign * kept[kept.length - 1].y) kept.push(point);
  }
  return kept;
}
function paretoChart(column, width) {
  const all = chosen().filter((row) => msPerToken(row) && qualityOf(row, column.name));
  if (!all.length) return null;
  // of very many points those that nothing beats are always there
  const front = new Set(unbeaten(all.map((row) => ({ row, x: msPerToken(row)[0], y: qualityOf(row, column.name)[0] })), column.up).map((p) => p.row));
  const rows = state.all ? all : [...front, ...all.filter((row) => !front.has(row))].slice(0, POINTS_SHOWN);
  const height = Math.max(300, Math.min(460, width * 0.55)), xs = rows.flatMap((row) => { const [t, low, high] = msPerToken(row); return [t, Math.max(low, t / 2), Math.min(high, t * 2)]; });
  const right = width > 520 ? 120 : 24, ys = rows.flatMap((row) => qualityOf(row, column.name).slice(0, 3));
  const x = scale(xs, true, 52, width - right), y = scale(ys, false, height - 40, 12, column.unit === "share" ? [-0.04, 1.04] : null);
  const picture = frame(width, height, right, x, y, `ms a token, batch ${state.batch}, logarithmic`, column.name);
  const points = rows.map((row) => { const q = qualityOf(row, column.name), t = msPerToken(row); return { row, q, t, x: t[0], y: q[0], px: x(t[0]), py: y(q[0]) }; });
  const groups = (key) => { const found = new Map(); for (const point of points) { const k = key(point.row); found.set(k, [...(found.get(k) || []), point]); } return [...found.values()]; };
  for (const group of groups((row) => row.training)) {
    const sorted = group.slice().sort((a, b) => a.x - b.x);
    if (sorted.length > 1) picture.append(svg("polyline", { points: sorted.map((p) => `${p.px},${p.py}`).join(" "), fill: "none", stroke: colour(sorted[0].row.paradigm), "stroke-width": 0.7, "stroke-dasharray": "2 3", opacity: 0.7 }));
  }
  for (const group of groups((row) => row.paradigm)) {
    const front = unbeaten(group, column.up);
    if (front.length > 1) picture.append(svg("polyline", { points: front.map((p) => `${p.px},${p.py}`).join(" "), fill: "none", stroke: colour(front[0].row.paradigm), "stroke-width": 1.6 }));
  }
  const best = new Set(unbeaten(points, column.up));
  const taken = points.flatMap(({ px, py, q, t }) => [
    [px - 5, py - 5, px + 5, py + 5], [x(Math.max(t[1], x.low)), py - 1, x(Math.min(t[2], x.high)), py + 1], [px - 1, y(q[2]), px + 1, y(q[1])]]);
  for (const { row, q, t, px, py } of points) {
    const tint = colour(row.paradigm);
    picture.append(svg("line", { x1: x(Math.max(t[1], x.low)), x2: x(Math.min(t[2], x.high)), y1: py, y2: py, stroke: tint, "stroke-width": 1 }));
    picture.append(svg("line", { x1: px, x2: px, y1: y(q[1]), y2: y(q[2]), stroke: tint, "stroke-width": 1 }));
    if (q[3] !== undefined) picture.append(svg("path", { d: `M${px - 6} ${y(q[3])}l6 -6l6 6l-6 6z`, fill: "none", stroke: "currentColor", "stroke-width": 0.8 }));
    const point = svg("g", { tabindex: 0, role: "img", "aria-label": `${row.label}: ${column.name} ${round(q[0])}, ${round(t[0])} ms a token` }, svg("circle", { cx: px, cy: py, r: 4.5, fill: tint }));
    picture.append(tipped(point, () => [el("div", {}, `${column.name} ${round(q[0])} [${round(q[1])}, ${round(q[2])}]; ${round(t[0])} ms a token`), ...configTip(row)]));
  }
  const order = points.slice().sort((a, b) => best.has(b) - best.has(a)).slice(0, LABELS);
  for (const point of order) {
    const weight = best.has(point) ? 700 : 400, text = clip(point.row.label, Math.max(90, width * 0.4)), wide = widthOf(text, weight);
    const sides = [8, -8 - wide, -wide / 2];
    const spots = [[8, 4], [-8 - wide, 4], ...[14, -8, 28, -22, 42, -36, 56, -50, 70, -64, 84, 98, 112].flatMap((dy) => sides.map((dx) => [dx, dy + 4]))];
    const free = spots.map(([dx, dy]) => [point.px + dx, point.py + dy - 10, point.px + dx + wide, point.py + dy + 3])
      .find((box) => box[0] >= 54 && box[2] <= width - 2 && box[1] >= 2 && box[3] <= height - 42 && !taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1]));
    if (!free) continue;
    taken.push(free);
    const far = Math.max(free[1] - point.py, point.py - free[3]), near = Math.min(Math.max(point.px, free[0]), free[2]);
    if (far > 8) picture.append(svg("line", { x1: point.px, y1: point.py, x2: near, y2: free[1] > point.py ? free[1] : free[3], stroke: colour(point.row.paradigm), "stroke-width": 0.5 }));
    picture.append(svg("text", { x: free[0], y: free[3] - 3, tint: colour(point.row.paradigm), "font-weight": weight }, text));
  }
  return el("figure", {}, el("figcaption", {}, column.name), picture, moreRows(all.length - rows.length));
}
section("explorer", "Quality against latency", "Solid: what no other setting of the same paradigm beats in both. Dotted: decoders of one checkpoint. Bold names: what nothing here beats. Bars: 95 % intervals; open diamonds: what theory demands. Hover or tab for the whole configuration; names that would overlap are left out.", (body) => {
  const columns = columnsOf(state.task), room = roomIn(body), across = Math.max(1, Math.min(columns.length, 2, Math.floor(room / 440)));
  const width = Math.min((room - 32 * (across - 1)) / across, across === 1 ? 1100 : 700);
  return [el("div", { className: "panels", style: { gridTemplateColumns: `repeat(${across}, minmax(0, 1fr))` } }, ...columns.map((column) => paretoChart(column, width)).filter(Boolean))].filter((box) => box.childElementCount);
});

// ---- decode player -----------------------------------------------------------------------------------------------------
const player = { item: null, shown: null, call: Infinity, playing: null };
function canvasAfter(one, call) {
  const words = one.start.slice(), written = words.map(() => 0), revised = new Set();
  one.calls.slice(0, call).forEach(([wrote], at) => {
    for (const [hole, word] of wrote) {
      if (at === call - 1 && words[hole] !== null && words[hole] !== word) revised.add(hole);
      words[hole] = word;
      written[hole] = at + 1;
    }
  });
  return { words, written, revised };
}
function likeliestAt(one, hole, call) {
  for (let at = call; at >= 1; at -= 1) {
    const found = one.calls[at - 1][1].find(([place]) => place === hole);
    if (found) return { at, guesses: found[1] };
  }
  return null;
}
function drawTokens(one, call, box) {
  const { words, written, revised } = canvasAfter(one, call), total = one.calls.length;
  const made = words.map((word, hole) => {
    const open = word === null, shown = open ? " · " : word.trim() === "" ? "␣" : word.trim() === "<eos>" ? " end" : word;
    const strength = 0.12 + 0.5 * (written[hole] / total);
    const token = el("span", { className: `token${open ? " open" : shown === " end" ? " end" : ""}${written[hole] === call && call ? " new" : ""}${revised.has(hole) ? " revised" : ""}`, tabIndex: 0, style: open ? {} : { background: faded(one.paradigm, written[hole] ? strength : 0.05) } }, bdi(shown));
    return tipped(token, () => {
      const held = likeliestAt(one, hole, call), head = el("b", {}, open ? `hole ${hole + 1}, open after call ${call}` : `hole ${hole + 1}, written in call ${written[hole] || "none: a draft"}`);
      if (!held) return [head, el("div", {}, "no call has judged it yet")];
      const lines = held.guesses.map(([guess, p]) => el("tr", {}, el("td", {}, bdi(guess === null ? "–" : guess)), el("td", {}, p.toFixed(3)), el("td", {}, el("span", { className: "bar", style: { width: `${Math.round(80 * p)}px` } }))));
      return [head, el("div", {}, `the likeliest in call ${held.at}`), el("table", {}, el("tbody", {}, ...lines))];
    });
  });
  box.replaceChildren(...made.flatMap((token) => [token, "\u200b"]));
}
section("player", "Watch them write", "The same example, call by call. The slider moves all by calls; play runs them at their real relative speed. The deeper the colour, the later a token was written; a frame marks the newest, and what is revised flashes. Hover or tab to a token for the five likeliest at that call, of the model's own law.", () => {
  stop();
  const plays = (D.players[state.task] || []).filter((play) => play.of.length);
  if (!plays.length) return [];
  const play = plays.find((one) => one.item === player.item) || plays[0];
  const every = play.of.filter((one) => !state.search || one.label.toLowerCase().includes(state.search.toLowerCase()));
  if (!player.shown || !every.some((one) => player.shown.has(one.label))) {
    const seen = new Set();
    player.shown = new Set(every.filter((one) => !seen.has(one.paradigm) && seen.add(one.paradigm)).map((one) => one.label));
    for (const one of every) if (player.shown.size < 5) player.shown.add(one.label);
  }
  const shown = every.filter((one) => player.shown.has(one.label)), most = Math.max(1, ...shown.map((one) => one.calls.length));
  const slowest = Math.max(1e-9, ...shown.map((one) => one.ms.reduce((a, b) => a + b, 0)));
  player.call = Math.min(player.call, most);
  const boxes = shown.map((one) => ({ one, box: el("div", { className: "tokens" }), count: el("small") }));
  const say = el("output", {}, ""), slider = el("input", { type: "range", min: 0, max: most, step: 1, value: player.call, id: "calls", "aria-label": "backbone calls" });
  const drawn = new Map();
  function at(callOf, words) {
    for (const { one, box, count } of boxes) {
      const call = Math.min(one.calls.length, callOf(one));
      if (drawn.get(one) !== call) { drawTokens(one, call, box); drawn.set(one, call); }
      count.textContent = `call ${call} of ${one.calls.length}, ${round(one.ms.slice(0, call).reduce((a, b) => a + b, 0))} ms of ${round(one.ms.reduce((a, b) => a + b, 0))}`;
    }
    say.textContent = words;
  }
  const byCalls = () => at(() => player.call, `after call ${player.call} of ${most}`);
  slider.addEventListener("input", () => { stop(); button.textContent = "play"; player.call = Number(slider.value); byCalls(); });
  const button = el("button", { type: "button", id: "play", onclick: () => {
    if (player.playing) { stop(); button.textContent = "play"; return; }
    const begun = performance.now();
    button.textContent = "stop";
    const step = (now) => {
      const ms = Math.min(1, (now - begun) / (1000 * PLAY_SECONDS)) * slowest;
      const callOf = (one) => { let left = ms + 1e-9, n = 0; while (n < one.ms.length && left >= one.ms[n]) { left -= one.ms[n]; n += 1; } return n; };
      at(callOf, `${round(ms)} ms of ${round(slowest)}, slowed down ${round(1000 * PLAY_SECONDS / slowest)} times`);
      slider.value = player.call = Math.max(...shown.map(callOf), 0);
      if (ms < slowest) player.playing = requestAnimationFrame(step);
      else { player.playing = null; button.textContent = "play"; }
    };
    player.playing = requestAnimationFrame(step);
  } }, "play");
  const pick = el("select", { id: "example", onchange: (event) => { player.item = event.target.value; player.call = Infinity; redrawOnly("player"); } }, ...plays.map((one) => el("option", { value: one.item, selected: one === play }, one.item)));
  const chips = every.map((one) => el("button", { type: "button", "aria-pressed": String(player.shown.has(one.label)), onclick: () => {
    if (player.shown.has(one.label)) player.shown.delete(one.label); else player.shown.add(one.label);
    if (!player.shown.size) player.shown.add(one.label);
    redrawOnly("player");
  } }, dot(one.paradigm), bdi(one.label)));
  const asked = [];
  if (play.prompt) asked.push(el("p", {}, el("b", {}, "prompt "), bdi(play.prompt)));
  if (play.suffix) asked.push(el("p", {}, el("b", {}, "what follows "), bdi(play.suffix)));
  if (play.target) asked.push(el("details", {}, el("summary", {}, "the reference"), el("p", {}, bdi(play.target))));
  byCalls();
  return [
    el("div", { className: "controls" }, el("label", {}, "example ", pick), button, slider, say), el("div", { className: "chips" }, ...chips), ...asked,
    ...boxes.map(({ one, box, count }) => el("div", { className: "play" }, el("div", { className: "who" }, dot(one.paradigm), bdi(one.label), count), box)),
    play.left ? el("p", { className: "note" }, `${play.left} more rows have no room on this page; their records hold them.`) : null,
  ].filter(Boolean);
});
function stop() { if (player.playing) cancelAnimationFrame(player.playing); player.playing = null; }
function redrawOnly(id) {
  const { body, draw } = sections.find(({ box }) => box.id === id), held = document.activeElement?.textContent;
  body.replaceChildren(...draw(body));
  for (const button of body.querySelectorAll("button")) if (held && button.textContent === held) button.focus();
}

// ---- order maps ----------------------------------------------------------------------------------------------------------
section("orders", "In which order", "Across: position in the text. Down: the call at which it took its final value. The darker, the more texts.", () => {
  const rows = chosen().filter((row) => row.order);
  if (!rows.length) return [];
  return [el("div", { className: "maps" }, ...rows.slice(0, state.all ? rows.length : MAPS_SHOWN).map((row) => {
    const { calls, holes, wide, high, shares } = row.order, canvas = el("canvas", { width: wide, height: high, role: "img", "aria-label": `order of ${row.label}` });
    const ink = canvas.getContext("2d");
    ink.fillStyle = colour(row.paradigm);
    for (let i = 0; i < shares.length; i += 1) {
      const level = shares.charCodeAt(i) - 48;
      if (level) { ink.globalAlpha = level / 9; ink.fillRect(i % wide, Math.floor(i / wide), 1, 1); }
    }
    return el("figure", {}, el("figcaption", {}, dot(row.paradigm), bdi(row.label)), canvas, el("small", {}, el("span", {}, `1–${holes} positions`), el("span", {}, `1–${calls} calls`)));
  })), moreRows(rows.length - MAPS_SHOWN)].filter(Boolean);
});

// ---- curves ----------------------------------------------------------------------------------------------------------------
section("lengths", "Latency against length", "Texts forced to a length, batch 1; bands are 95 % intervals of the median. Both axes logarithmic.", (body) => [
  lineChart("End-to-end latency", chosen().map((row) => ({ label: row.label, paradigm: row.paradigm, points: row.lengths })), { xLabel: "tokens written", yLabel: "ms", logX: true, logY: true, width: roomIn(body, 1000), height: 320 }),
].filter(Boolean));
section("batches", "Throughput against batch", "Useful tokens a second, texts of natural length. Both axes logarithmic.", (body) => [
  lineChart("Throughput", chosen().map((row) => ({ label: row.label, paradigm: row.paradigm, points: Object.entries(row.rates).map(([batch, rate]) => [Number(batch), ...rate]) })), { xLabel: "batch", yLabel: "tokens a second", logX: true, logY: true, width: roomIn(body, 1000), height: 320 }),
].filter(Boolean));
section("losses", "Training", "Validation loss, nats a supervised token: objectives differ, so levels are not to be compared between paradigms.", (body) => {
  const trainings = new Set(chosen().map((row) => row.training));
  return [lineChart("Validation loss", D.curves.filter((one) => trainings.has(one.training)), { xLabel: "step", yLabel: "nats", logY: false, width: roomIn(body, 1000), height: 300 })].filter(Boolean);
});

// ---- samples -----------------------------------------------------------------------------------------------------------------
section("samples", "What they wrote", "Chosen by a rule: the first test items, in the task's order; of each row its first seed.", () => {
  const items = D.samples[state.task] || [];
  return items.map((item) => el("div", { className: "sample" }, el("dl", {},
    ...[["prompt", item.prompt], ["what follows", item.suffix], ["reference", item.target]].filter(([, text]) => text).flatMap(([name, text]) => [el("dt", { className: "of" }, name), el("dd", { className: "of" }, bdi(text))]),
    ...item.of.filter(([row]) => chosen([D.rows[row]]).length).flatMap(([row, text]) => [el("dt", {}, dot(D.rows[row].paradigm), bdi(D.rows[row].label)), el("dd", {}, text ? bdi(text) : el("i", {}, "nothing"))]))));
});

// ---- tables as they are printed ------------------------------------------------------------------------------------------------
function plainTable(table) {
  const heads = table.columns.map((name, i) => el("th", { scope: "col", className: table.text[i] ? "text" : "" }, bdi(name)));
  const rows = table.rows.map((cells) => el("tr", {}, ...cells.map((cell, i) => {
    const miss = cell === "NO" || cell === "does not hold" || /✗$/.test(cell);
    return el("td", { className: [table.text[i] ? "text" : "", miss ? "miss" : cell === "yes" || cell === "holds" ? "holds" : ""].join(" ").trim() }, bdi(cell));
  })));
  return [el("div", { className: "scroll", tabIndex: 0 }, el("table", {}, el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...rows))), el("p", { className: "note" }, table.note), table.signature ? el("p", { className: "signature" }, table.signature) : null].filter(Boolean);
}
section("oracles", "Theory and measurement", null, () => {
  if (!D.oracles.rows.length) return [];
  const missed = D.oracles.rows.filter((cells) => cells[D.oracles.columns.length - 1] === "NO");
  const task = state.task && D.oracles.rows.filter((_, i) => D.oracles.tasks[i] === state.task);
  const lines = (state.task ? task : missed).filter((cells) => !state.search || cells[0].toLowerCase().includes(state.search.toLowerCase()));
  const misses = state.task ? null : missed;
  const head = el("p", {}, el("b", {}, D.oracles.note), misses ? (missed.length ? " Those that miss:" : "") : ` Of ${state.task}: ${lines.filter((cells) => cells[cells.length - 1] === "yes").length} of ${lines.length}.`);
  const table = plainTable({ ...D.oracles, rows: lines, note: D.oracles.left ? `${D.oracles.left} more lines have no room here, those that miss came first; oracles.csv has all.` : "" });
  return lines.length ? [head, el("details", { open: lines.length <= 30 }, el("summary", {}, `${lines.length} lines`), ...table)] : [head];
});
section("claims", "What textbooks say", null, () => D.claims.flatMap((table) => [el("h3", {}, table.title), ...plainTable(table)]));
section("tables", "More tables", null, () => {
  const tables = D.tables.filter((table) => !state.task || table.task === state.task);
  return tables.map((table) => el("details", {}, el("summary", {}, bdi(table.title)), ...plainTable(table)));
});
section("missing", "What did not run", "Skipped and failed cells, with their reasons; nothing is dropped.", () => (D.missing.length ? [el("ul", {}, ...D.missing.map((line) => el("li", {}, bdi(line))))] : []));

// ---- provenance and citation ------------------------------------------------------------------------------------------------------
section("provenance", "Where the numbers were made", null, () => plainTable(D.provenance));
function copyBox(title, text) {
  const held = el("pre", { tabIndex: 0 }, text), button = el("button", { type: "button", onclick: async () => {
    try { await navigator.clipboard.writeText(text); } catch {
      const range = document.createRange();
      range.selectNodeContents(held);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand("copy");
    }
    button.textContent = "copied";
    setTimeout(() => { button.textContent = `copy ${title}`; }, 1500);
  } }, `copy ${title}`);
  return el("details", { className: "cite" }, el("summary", {}, title), el("p", {}, button), held);
}
function asCsv() {
  const columns = headlineColumns(), quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = chosen().map((row) => columns.map((column) => { const value = column.value(row); return quote(value === undefined || value === null ? "" : String(value)); }).join(","));
  return [columns.map((column) => quote(column.title)).join(","), ...lines].join("\n");
}
section("cite", "Cite", null, () => {
  const notes = D.notes[state.task];
  return [copyBox("BibTeX", D.bibtex), ...(notes ? [copyBox("LaTeX table", notes.latex)] : []), copyBox("CSV", asCsv())];
});

// ---- filters ------------------------------------------------------------------------------------------------------------------------
function options(id, values, key) {
  const node = document.getElementById(id);
  node.replaceChildren(...values.map(([value, text]) => el("option", { value, selected: value === state[key] }, text)));
  node.addEventListener("change", () => { state[key] = node.value; state.all = false; player.call = Infinity; player.shown = null; redraw(); });
  node.closest("label").hidden = values.length < 2;
}
const every = (values) => [...new Set(values)];
options("task", [...D.tasks.map((task) => [task, task]), ...(D.tasks.length > 1 ? [["", "all"]] : [])], "task");
options("batch", every(D.rows.flatMap((row) => Object.keys(row.rates))).sort((a, b) => a - b).map((batch) => [batch, batch]), "batch");
const devices = every(D.rows.map((row) => row.device));
options("device", [...(devices.length > 1 ? [["", "all"]] : []), ...devices.map((device) => [device, device])], "device");
document.getElementById("search").addEventListener("input", (event) => { state.search = event.target.value; redraw(); });
const wished = matchMedia("(prefers-color-scheme: dark)");
document.documentElement.dataset.theme = wished.matches ? "dark" : "light";
wished.addEventListener("change", () => { document.documentElement.dataset.theme = wished.matches ? "dark" : "light"; redraw(); });
document.getElementById("theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  redraw();
});
let wait = null, lastWidth = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === lastWidth) return;
  lastWidth = innerWidth;
  clearTimeout(wait);
  wait = setTimeout(redraw, 120);
});
addEventListener("beforeprint", () => { drawAll(); for (const node of document.querySelectorAll("details")) node.open = node.querySelectorAll("tr").length <= PRINTED; });
redraw();

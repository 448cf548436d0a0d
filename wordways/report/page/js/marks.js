// Points of charts: the colour is the paradigm's, the shape that of the decoding order; and what is clipped to a panel.

const SHAPES = {
  circle: (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  square: (r) => `M${-r} ${-r}h${2 * r}v${2 * r}h${-2 * r}z`,
  triangle: (r) => `M0 ${-1.2 * r}L${1.2 * r} ${r}H${-1.2 * r}z`,
  diamond: (r) => `M0 ${-1.4 * r}L${1.4 * r} 0L0 ${1.4 * r}L${-1.4 * r} 0z`,
  wedge: (r) => `M0 ${1.2 * r}L${1.2 * r} ${-r}H${-1.2 * r}z`,
  cross: (r) => `M${-r} ${-r / 3}h${2 * r / 3}v${-2 * r / 3}h${2 * r / 3}v${2 * r / 3}h${2 * r / 3}v${2 * r / 3}`
    + `h${-2 * r / 3}v${2 * r / 3}h${-2 * r / 3}v${-2 * r / 3}h${-2 * r / 3}z`,
};
const RADIUS = 4.5, PLAIN = "no order";
const ordersOf = () => [...new Set(D.rows.map((row) => row.by || PLAIN))].sort((a, b) => (b === PLAIN) - (a === PLAIN));
function shapeOf(order) {
  const shapes = Object.values(SHAPES);
  return shapes[ordersOf().indexOf(order || PLAIN) % shapes.length];
}
const mark = (order, props) => svg("path", { d: shapeOf(order)(RADIUS), ...props });

// the paradigms' colours and the orders' shapes that a chart shows
function legendOf(rows) {
  const paradigms = [...new Set(rows.map((row) => row.paradigm))];
  const orders = [...new Set(rows.map((row) => row.by || PLAIN))];
  const shape = (order) => svg("svg", { width: 12, height: 12, viewBox: "-6 -6 12 12", class: "sign" },
    mark(order, { fill: "currentColor" }));
  const colours = paradigms.map((name) => el("span", {}, dot(name), bdi(name.replaceAll("_", " "))));
  const shapes = orders.map((order) => el("span", {}, shape(order), bdi(order.replaceAll("_", " "))));
  return el("div", { className: "legend" }, ...colours, ...(orders.length > 1 ? shapes : []));
}

let clips = 0;
function clipped([left, top, right, bottom], children) {
  const id = `clip-${clips += 1}`, box = { x: left, y: top, width: right - left, height: bottom - top };
  return svg("g", {}, svg("clipPath", { id }, svg("rect", box)), svg("g", { "clip-path": `url(#${id})` }, ...children));
}

// the ends of an axis: from 0 to 1 for a share that differs much, else what the data cover; bars count up to half of it
function ends(points, share) {
  const values = points.map((point) => point.y), low = Math.min(...values), high = Math.max(...values);
  if (share && high - low > 0.5) return [-0.04, 1.04];
  const least = 0.02 * (share ? 1 : Math.max(Math.abs(low), Math.abs(high)) || 1);
  const room = Math.max((high - low) / 2, least);
  let bottom = Math.max(low - room, Math.min(low, ...points.map(({ q }) => q[1])));
  let top = Math.min(high + room, Math.max(high, ...points.map(({ q }) => q[2])));
  const lacking = Math.max(0, least - (top - bottom)) / 2;
  [bottom, top] = [bottom - lacking, top + lacking];
  if (share) [bottom, top] = [Math.max(0, bottom - Math.max(0, top - 1)), Math.min(1, top + Math.max(0, -bottom))];
  const pad = 0.08 * (top - bottom);
  return [bottom - pad, top + pad];
}

// Elements, numbers and colours: the small tools of every section.

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
    if (name === "tint") node.style.fill = value; // the page's content security policy refuses a style attribute
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}
// names and texts may run from right to left: each is isolated from what stands around it
const bdi = (text) => el("bdi", {}, String(text));
// a column's heading: where there is little room, its unit stands below its name
function heading(text) {
  const parts = String(text).split(/ (?=\()/);
  return el("bdi", {}, ...parts.flatMap((part, i) => [i ? " " : null, el("span", {}, part)]));
}

function round(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  if (size !== 0 && size < 1e-4) return value.toExponential(1);
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

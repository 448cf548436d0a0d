// Scales, ticks and the frame that every chart is drawn into.

const MARGIN = { left: 52, top: 12, bottom: 40 };
const roomIn = (body, most = 1400) => Math.max(260, Math.min(most, body.clientWidth || main.clientWidth - 40));

// from a value to its place between `from` and `to`; the data's range is padded unless `fixed` names it
function scale(values, log, from, to, fixed) {
  let [low, high] = fixed || [Math.min(...values), Math.max(...values)];
  if (!fixed && log) {
    low /= 1.15;
    high *= 1.15;
  } else if (!fixed) {
    const pad = (high - low || Math.abs(high) || 1) * 0.06;
    low = low >= 0 ? Math.min(low - pad, 0) : low - pad;
    high += pad;
  }
  const f = log ? Math.log : (v) => v;
  const at = (value) => from + ((f(value) - f(low)) / (f(high) - f(low) || 1)) * (to - from);
  return Object.assign(at, { low, high, log });
}
function linearTicks(low, high) {
  const step = 10 ** Math.floor(Math.log10((high - low) / 4 || 1)), found = [];
  const stride = [1, 2, 5, 10].find((m) => (high - low) / (m * step) <= 6) * step;
  for (let at = Math.ceil(low / stride - 1e-9) * stride; at <= high + stride * 1e-9; at += stride) {
    found.push(Number(at.toPrecision(12)));
  }
  return found;
}
function logTicks(low, high) {
  const steps = high / low > 300 ? [1] : high / low > 30 ? [1, 3] : [1, 2, 5], found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    found.push(...steps.map((m) => m * 10 ** power).filter((tick) => tick >= low * 0.999 && tick <= high * 1.001));
  }
  return found.length > 1 ? found : [low, high].map((v) => Number(v.toPrecision(2)));
}
const ticks = ({ low, high, log }) => (log ? logTicks : linearTicks)(low, high);

function frame(width, height, right, x, y, xLabel, yLabel) {
  const { left, top, bottom } = MARGIN, floor = height - bottom;
  const label = `${yLabel} versus ${xLabel}`, viewBox = `0 0 ${width} ${height}`;
  const picture = svg("svg", { width, height, viewBox, role: "group", "aria-label": label });
  const text = (at, anchor, words) => svg("text", { class: "tick", ...at, "text-anchor": anchor }, words);
  let last = -Infinity;
  for (const tick of ticks(x)) {
    const at = x(tick), words = round(tick), half = widthOf(words) / 2;
    picture.append(svg("line", { class: "grid", x1: at, x2: at, y1: top, y2: floor }));
    if (at - half < last + 4 || at + half > width - right + 20) continue; // would touch its neighbour or leave
    last = at + half;
    picture.append(text({ x: at, y: floor + 14 }, "middle", words));
  }
  for (const tick of ticks(y)) {
    picture.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }));
    picture.append(text({ x: left - 6, y: y(tick) + 4 }, "end", round(tick)));
  }
  picture.append(text({ x: width - right, y: height - 6 }, "end", xLabel));
  return picture;
}

// Line charts with confidence bands; each line is labelled at its end, on narrow screens in a legend below.

const DIRECT = 16, NARROW = 480; // most lines that are labelled at their ends; pixels below which none is

function lineChart(title, series, { xLabel, yLabel, logX, logY, width, height = 240 }) {
  // a logarithmic axis has no place for 0, such as the throughput of a configuration that generated nothing
  const drawable = ([x, y]) => (!logX || x > 0) && (!logY || y > 0);
  const every = series.map((one) => ({ ...one, points: one.points.filter(drawable) }))
    .filter((one) => one.points.length > 1);
  const shown = limited(every, CURVES_SHOWN);
  if (!shown.length) return null;
  const names = Math.max(...shown.map((one) => widthOf(one.label)));
  const direct = width >= NARROW && names < width * 0.45 && shown.length <= DIRECT;
  const tall = direct ? Math.max(height, shown.length * 15 + 60) : height, right = direct ? names + 24 : 14;
  const xs = shown.flatMap((one) => one.points.map((p) => p[0]));
  const ys = shown.flatMap((one) => one.points.flatMap((p) => (p[2] === undefined ? [p[1]] : [p[1], p[2], p[3]])));
  const x = scale(xs, logX, MARGIN.left, width - right, logX ? null : [Math.min(...xs), Math.max(...xs)]);
  const y = scale(ys.filter((v) => !logY || v > 0), logY, tall - MARGIN.bottom, MARGIN.top);
  const picture = frame(width, tall, right, x, y, xLabel, yLabel);
  for (const one of shown) picture.append(...lineOf(one, x, y, xLabel));
  if (direct) picture.append(...endLabels(shown, x, y, width - right, tall));
  const legend = direct ? null : el("div", { className: "legend" },
    ...shown.map((one) => el("span", {}, dot(one.paradigm), bdi(one.label))));
  const caption = el("figcaption", {}, `${title} (${yLabel})`);
  return el("figure", {}, caption, picture, legend, showMore(every.length - shown.length));
}
function lineOf({ label, paradigm, points }, x, y, xLabel) {
  const tint = colour(paradigm);
  const path = (found) => found.map((p) => `${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)}`).join(" ");
  const line = (props) => svg("polyline", { points: path(points), fill: "none", ...props });
  const tipLines = () => points.slice(-8).map((p) => el("div", {}, `${xLabel} ${round(p[0])}: ${round(p[1])}`));
  const parts = [];
  if (points[0][2] !== undefined) {
    const band = [...points.map((p) => [p[0], p[3]]), ...points.slice().reverse().map((p) => [p[0], p[2]])];
    const ends = band.filter((p) => !y.log || p[1] > 0);
    parts.push(svg("polygon", { points: path(ends), fill: tint, opacity: 0.13 }));
  }
  // a wide transparent line below the pointer is easier to hit than the visible one
  const target = line({ stroke: "transparent", "stroke-width": 12, tabindex: 0, "aria-label": label });
  return [...parts, line({ stroke: tint, "stroke-width": 1.6 }),
    tipped(target, () => [el("b", {}, bdi(label)), ...tipLines()])];
}
function endLabels(shown, x, y, edge, tall) {
  const ends = shown.map((one) => {
    const last = one.points[one.points.length - 1];
    return { x: x(last[0]), y: y(last[1]), one };
  });
  spread(ends, tall);
  return ends.flatMap((end) => {
    const tint = colour(end.one.paradigm);
    return [
      svg("line", { x1: end.x, y1: end.y, x2: edge + 14, y2: end.at - 4, stroke: tint, "stroke-width": 0.5 }),
      svg("text", { x: edge + 17, y: end.at, tint }, end.one.label),
    ];
  });
}

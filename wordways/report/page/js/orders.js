// Generation order: for each configuration, at which forward pass each position took its final value.

const SHADES = 9; // levels of a map's digits

function orderMap(row) {
  const { calls, holes, wide, high, shares } = row.order;
  const label = `generation order of ${row.label}`;
  const canvas = el("canvas", { width: wide, height: high, role: "img", "aria-label": label });
  const ink = canvas.getContext("2d");
  ink.fillStyle = colour(row.paradigm);
  for (let i = 0; i < shares.length; i += 1) {
    ink.globalAlpha = Number(shares[i]) / SHADES;
    if (ink.globalAlpha) ink.fillRect(i % wide, Math.floor(i / wide), 1, 1);
  }
  const ranges = [`positions 1–${holes}`, `passes 1–${calls}`].map((range) => el("span", {}, range));
  return el("figure", {}, el("figcaption", {}, dot(row.paradigm), bdi(row.label)), canvas, el("small", {}, ...ranges));
}

section("orders", "Generation order", {
  note: "Columns are positions in the text, from the first to the last. Rows are forward passes, from top to bottom. "
    + "A darker cell means that more texts fix the token of this position at this forward pass.",
}, () => {
  const rows = chosen().filter((row) => row.order), shown = limited(rows, MAPS_SHOWN);
  const maps = el("div", { className: "maps" }, ...shown.map(orderMap));
  return rows.length ? [maps, showMore(rows.length - shown.length)].filter(Boolean) : [];
});

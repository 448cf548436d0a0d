// Labels in charts: text widths are measured, so that labels can be kept apart.

const pen = document.createElement("canvas").getContext("2d");
function widthOf(text, weight = 400) {
  pen.font = `${weight} 11px system-ui, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif`;
  return pen.measureText(text).width * 1.03 + 2;
}
function clip(text, room) {
  if (widthOf(text) <= room) return text;
  const letters = Array.from(text);
  while (letters.length > 1 && widthOf(`${letters.join("")}…`) > room) letters.pop();
  return `${letters.join("")}…`;
}

// beside, above and below a point, the nearest place first
function spotsAround(wide) {
  const sides = [8, -8 - wide, -wide / 2], heights = [14, -8, 28, -22, 42, -36, 56, -50, 70, -64, 84, 98, 112];
  return [[8, 4], [-8 - wide, 4], ...heights.flatMap((dy) => sides.map((dx) => [dx, dy + 4]))];
}
const touches = (a, b) => a[0] < b[2] && a[2] > b[0] && a[1] < b[3] && a[3] > b[1];

// the first free box [left, top, right, bottom] for a label beside (px, py); undefined where every place is taken
function freeBox(px, py, wide, width, height, taken) {
  return spotsAround(wide).map(([dx, dy]) => [px + dx, py + dy - 10, px + dx + wide, py + dy + 3])
    .find((box) => box[0] >= MARGIN.left + 2 && box[2] <= width - 2 && box[1] >= 2
      && box[3] <= height - MARGIN.bottom - 2 && !taken.some((other) => touches(box, other)));
}
// the same labels in a column at the right end of their lines: pushed down from the top, then up from the bottom
function spread(ends, tall) {
  ends.sort((a, b) => a.y - b.y);
  let floor = 14, ceiling = tall - MARGIN.bottom - 2;
  for (const end of ends) {
    end.at = Math.max(end.y + 4, floor);
    floor = end.at + 14;
  }
  for (const end of ends.slice().reverse()) {
    end.at = Math.min(end.at, ceiling);
    ceiling = end.at - 14;
  }
}

// Pairs of visible texts that overlap, and texts that extend beyond the right edge of the page.
const lines = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const clips = (node) => {
  for (let up = node.parentElement; up; up = up.parentElement) {
    const style = getComputedStyle(up);
    if (["auto", "scroll", "hidden"].includes(style.overflowX) && up !== document.body && up !== document.documentElement) return up;
  }
  return null;
};
while (walker.nextNode()) {
  const node = walker.currentNode, parent = node.parentElement;
  if (!node.data.trim() || ["SCRIPT", "STYLE", "OPTION", "NOSCRIPT"].includes(parent.tagName) || !parent.checkVisibility({ visibilityProperty: true })) continue;
  const range = document.createRange(), clip = clips(node)?.getBoundingClientRect();
  range.selectNodeContents(node);
  for (const box of range.getClientRects()) {
    let { left, right, top, bottom } = box;
    if (clip) { left = Math.max(left, clip.left); right = Math.min(right, clip.right); top = Math.max(top, clip.top); bottom = Math.min(bottom, clip.bottom); }
    if (right - left < 2 || bottom - top < 2) continue;
    const slack = (bottom - top) * 0.22; // a line's box is taller than its letters
    lines.push({ left: left + 1, right: right - 1, top: top + slack, bottom: bottom - slack, text: node.data.trim().slice(0, 60), node, clipped: Boolean(clip) });
  }
}
const bar = document.querySelector("nav.bar");
const bad = lines.filter((line) => line.right > document.documentElement.clientWidth + 1 && !line.clipped).map((line) => `leaves the page: ${line.text}`);
lines.sort((a, b) => a.top - b.top);
for (let i = 0; i < lines.length; i += 1) {
  for (let j = i + 1; j < lines.length && lines[j].top < lines[i].bottom; j += 1) {
    const a = lines[i], b = lines[j];
    if (a.node === b.node || bar.contains(a.node) !== bar.contains(b.node)) continue;
    if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) bad.push(`${a.text} | ${b.text}`);
  }
}
return bad;

// One tooltip for the page: it follows the pointer, or stands beside what has the keyboard's focus.

const tip = document.getElementById("tip");
let held = null; // the element that the tooltip belongs to, where focus opened it

function showTip(anchor, content, at) {
  tip.replaceChildren(...content);
  tip.hidden = false;
  held = at ? null : anchor;
  placeTip(anchor, at);
}
function placeTip(anchor, at) {
  const pointer = at && { left: at.clientX, right: at.clientX, top: at.clientY, bottom: at.clientY };
  const box = pointer || anchor.getBoundingClientRect(), { width, height } = tip.getBoundingClientRect();
  const left = Math.min(Math.max(4, box.left + 12), innerWidth - width - 4);
  const below = box.bottom + 12 + height < innerHeight;
  tip.style.left = `${left}px`;
  tip.style.top = `${Math.max(4, below ? box.bottom + 12 : box.top - height - 12)}px`;
}
function hideTip() {
  tip.hidden = true;
  held = null;
}
function tipped(node, content) {
  node.addEventListener("mousemove", (event) => showTip(node, content(), event));
  node.addEventListener("mouseleave", () => { if (!held) hideTip(); });
  node.addEventListener("focus", () => showTip(node, content()));
  node.addEventListener("blur", hideTip);
  return node;
}
document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
// focus scrolls its element into view: the tooltip moves along with it
document.addEventListener("scroll", () => (held ? placeTip(held) : hideTip()), { passive: true, capture: true });

// The sections of the page: each is declared once, and drawn again when a filter changes.

const main = document.getElementById("main"), sections = [];

// note: at most two lines, always visible; details and signature: the rest, one click away
function noteOf({ note, details, signature }, summary) {
  const lines = (texts, className) => [texts].flat().filter(Boolean).map((text) => el("p", { className }, text));
  const folded = [...lines(details, "note"), ...lines(signature, "signature")];
  const more = folded.length ? [el("details", { className: "more" }, el("summary", {}, summary), ...folded)] : [];
  return [...lines(note, "note"), ...more];
}
const tableNote = (table) => noteOf(table, "How these numbers were computed");

function section(id, title, texts, draw) {
  const body = el("div"), box = el("section", { id }, el("h2", {}, title), ...noteOf(texts, "Details"), body);
  main.append(box);
  const go = (event) => { event.preventDefault(); box.scrollIntoView(); }; // the address keeps what is selected
  document.getElementById("contents").append(el("a", { href: `#${id}`, onclick: go }, title));
  sections.push({ box, body, draw });
}
function drawSection({ box, body, draw }) {
  const content = draw(body), focused = body.contains(document.activeElement) && document.activeElement.id;
  body.replaceChildren(...content);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true }); // of a control that was drawn anew
  box.hidden = content.length === 0;
  document.querySelector(`#contents a[href="#${box.id}"]`).hidden = box.hidden;
}

// the first section is drawn at once, the others one by one in the pauses, so that typing is never delayed
let queue = [], turn = null;
function redraw() {
  hideTip();
  keepAddress();
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
function drawAll() {
  clearTimeout(turn);
  while (queue.length) drawNext();
}
function redrawOnly(id) {
  const { body, draw } = sections.find(({ box }) => box.id === id), focused = document.activeElement?.textContent;
  body.replaceChildren(...draw(body));
  for (const button of body.querySelectorAll("button")) if (focused && button.textContent === focused) button.focus();
}

// a section draws the first of many entries; this button draws all of them
function showMore(left) {
  if (left <= 0 || state.all) return null;
  const all = () => { state.all = true; redraw(); };
  return el("p", {}, el("button", { type: "button", onclick: all }, `show ${left} more`));
}

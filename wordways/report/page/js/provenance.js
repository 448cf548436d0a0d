// Where the numbers come from, and how to cite them: machines and versions, BibTeX, LaTeX, CSV.

section("provenance", "Provenance", {}, () => plainTable(D.provenance));

async function copyText(text, node) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // a page from a file may have no clipboard: the selection has one
    const range = document.createRange();
    range.selectNodeContents(node);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    document.execCommand("copy");
  }
}
function copyBox(title, text) {
  const source = el("pre", { tabIndex: 0 }, text);
  const button = el("button", { type: "button", onclick: async () => {
    await copyText(text, source);
    button.textContent = "copied";
    setTimeout(() => { button.textContent = `copy ${title}`; }, 1500);
  } }, `copy ${title}`);
  return el("details", { className: "cite" }, el("summary", {}, title), el("p", {}, button), source);
}
function asCsv() {
  const columns = headlineColumns();
  const quote = (value) => {
    const text = known(value) ? String(value) : "";
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = chosen().map((row) => columns.map((column) => quote(column.value(row))).join(","));
  return [columns.map((column) => quote(column.title)).join(","), ...lines].join("\n");
}

section("cite", "Citation", {}, () => {
  const notes = D.notes[state.task];
  return [copyBox("BibTeX", D.bibtex), notes ? copyBox("LaTeX table", notes.latex) : null, copyBox("CSV", asCsv())]
    .filter(Boolean);
});

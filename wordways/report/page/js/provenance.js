// Where the numbers come from, and how to cite them: machines and versions, BibTeX, LaTeX, CSV.

section("provenance", "Provenance", {}, () => plainTable(D.provenance));

function copyBox(title, text) {
  const source = el("pre", { tabIndex: 0 }, text), button = copyButton(`copy ${title}`, () => text);
  return el("details", { className: "cite" }, el("summary", {}, title), el("p", {}, button), source);
}
section("cite", "Citation", {}, () => {
  const notes = D.notes[state.task];
  return [copyBox("BibTeX", D.bibtex), notes ? copyBox("LaTeX table", notes.latex) : null]
    .filter(Boolean);
});

// Generated texts beside their prompts and references.

function sampleOf(item) {
  const given = [["prompt", item.prompt], ["suffix", item.suffix], ["reference", item.target]];
  const entries = given.filter(([, text]) => text).flatMap(([name, text]) =>
    [el("dt", { className: "of" }, name), el("dd", { className: "of" }, bdi(text))]);
  for (const [place, text] of item.of) {
    const row = D.rows[place];
    if (!chosen([row]).length) continue;
    const shown = text ? bdi(text) : el("i", {}, "empty");
    entries.push(el("dt", {}, dot(row.paradigm), bdi(row.label)), el("dd", {}, shown));
  }
  return el("div", { className: "sample" }, el("dl", {}, ...entries));
}

section("samples", "Samples", {
  note: "The samples are not selected by hand: they are the first test items in the task's order, decoded with the "
    + "first seed of each configuration.",
}, () => (D.samples[state.task] || []).map(sampleOf));

// Which columns of the headline table are shown.

function columnChooser(columns) {
  const boxes = columns.slice(1).map(({ title }) => {
    const shown = !state.hidden.includes(title), others = state.hidden.filter((one) => one !== title);
    const onchange = () => { state.hidden = shown ? [...others, title] : others; redraw(); };
    return el("label", {}, el("input", { type: "checkbox", id: `show ${title}`, checked: shown, onchange }), bdi(title));
  });
  const open = document.querySelector("#headline details.columns")?.open || false;
  const folded = el("details", { className: "more columns", open }, el("summary", {}, "Columns"));
  folded.append(el("div", { className: "controls" }, ...boxes));
  return folded;
}
const visible = (columns) => columns.filter(({ title }) => !state.hidden.includes(title));

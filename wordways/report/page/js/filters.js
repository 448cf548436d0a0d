// The filters above the sections.

function options(id, values) {
  const node = document.getElementById(id);
  if (values.length && !values.some(([value]) => value === state[id])) state[id] = values[0][0];
  node.replaceChildren(...values.map(([value, text]) => el("option", { value, selected: value === state[id] }, text)));
  node.addEventListener("change", () => {
    state[id] = node.value;
    state.all = false;
    player.call = Infinity;
    player.shown = null;
    redraw();
  });
  node.closest("label").hidden = values.length < 2;
}
const distinct = (values) => [...new Set(values)];
const batches = distinct(D.rows.flatMap((row) => Object.keys(row.rates))).sort((a, b) => a - b);
const devices = distinct(D.rows.map((row) => row.device));
options("task", [...D.tasks.map((task) => [task, titleOf(task)]), ...(D.tasks.length > 1 ? [["", "all"]] : [])]);
options("batch", batches.map((batch) => [batch, batch]));
options("device", [...(devices.length > 1 ? [["", "all"]] : []), ...devices.map((device) => [device, device])]);
const search = document.getElementById("search");
search.value = state.search;
search.addEventListener("input", () => {
  state.search = search.value;
  redraw();
});
addEventListener("hashchange", () => { // a link was opened on this page
  if (!location.hash.includes("=")) return;
  fromAddress();
  for (const id of ["task", "batch", "device", "search"]) document.getElementById(id).value = state[id];
  redraw();
});

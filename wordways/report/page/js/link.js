// The address of the page holds what the reader has selected, so that a link shows another reader the same.

const LINKED = ["task", "batch", "device", "search", "metric", "cost"], SEPARATOR = "|"; // in no heading's name
const first = Object.fromEntries(LINKED.map((name) => [name, state[name]]));

function toAddress() {
  const found = new URLSearchParams();
  for (const name of LINKED) if (state[name] !== first[name]) found.set(name, state[name]);
  if (state.sort) found.set("sort", `${state.sort.down ? "-" : ""}${state.sort.title}`);
  if (state.hidden.length) found.set("hidden", state.hidden.join(SEPARATOR));
  return found.size ? `#${found}` : "";
}
function fromAddress() {
  if (!location.hash.includes("=")) return; // the name of a section
  const found = new URLSearchParams(location.hash.slice(1)), sort = found.get("sort");
  for (const name of LINKED) state[name] = found.get(name) ?? first[name];
  if (!["", ...D.tasks].includes(state.task)) state.task = first.task;
  state.sort = sort ? { title: sort.replace(/^-/, ""), down: sort.startsWith("-") } : null;
  state.hidden = (found.get("hidden") || "").split(SEPARATOR).filter(Boolean);
}
// the address follows the selection; a page whose address is a section's name keeps it until something is selected
function keepAddress() {
  const wanted = toAddress();
  if (wanted || location.hash.includes("=")) history.replaceState(null, "", wanted || location.pathname);
}
fromAddress();

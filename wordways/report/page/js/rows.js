// Which configurations the filters select, and the numbers of each that tables and charts share.

const contains = (label) => label.toLowerCase().includes(state.search.toLowerCase());
const chosen = (rows = D.rows) => rows.filter((row) =>
  (!state.task || row.task === state.task) && (!state.device || row.device === state.device) && contains(row.label));
// trivial baselines: only the headline table shows them, whatever the device
const baselines = () => D.baselines.filter((row) => (!state.task || row.task === state.task) && contains(row.label));

// milliseconds per token at the selected batch size: value, low, high
function msPerToken(row) {
  if (state.batch === "1" && row.perToken) return row.perToken;
  const rate = row.rates[state.batch];
  return rate && rate[0] > 0 ? [1000 / rate[0], 1000 / rate[2], rate[1] > 0 ? 1000 / rate[1] : Infinity] : null;
}
const OVERALL_NAME = "overall"; // the first metric over all strata
const columnsOf = (task) => (task ? D.columns[task] : [{ name: OVERALL_NAME, unit: "", digits: 3, up: true }]);
const qualityOf = (row, name) => (name === OVERALL_NAME ? row.overall : row.q[name]) || null;

const settingsOf = (row) => D.settings.names
  .map((name, i) => [name, row.config[i] < 0 ? null : D.settings.values[i][row.config[i] || 0]])
  .filter(([, value]) => value !== null);
function configTip(row) {
  const lines = settingsOf(row).map(([name, value]) => el("div", {}, `${name} `, el("b", {}, bdi(value))));
  return [
    el("b", {}, bdi(row.label)),
    el("div", {}, bdi(titleOf(row.task)), `, ${row.device}, seeds ${row.seeds.join(", ")}`),
    el("div", { className: "config" }, ...lines),
  ];
}

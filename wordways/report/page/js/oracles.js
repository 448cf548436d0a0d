// Measurements beside analytic values: of a task all checks, of all tasks those that fail.

const OPEN = 30; // most lines that are shown without a click

section("oracles", "Analytic values and measurements", {}, () => {
  const { rows, tasks, holds, note, left } = D.oracles;
  if (!rows.length) return [];
  const places = rows.map((_, i) => i), failed = places.filter((i) => !holds[i]);
  const meant = state.task ? places.filter((i) => tasks[i] === state.task) : failed;
  const lines = meant.filter((i) => contains(rows[i][0]));
  const passed = lines.filter((i) => holds[i]).length;
  const ofTask = [" For ", bdi(titleOf(state.task)), `, ${passed} of ${lines.length} checks pass.`];
  const said = state.task ? ofTask : failed.length ? [" The failed checks are listed below."] : [];
  const head = el("p", {}, el("b", {}, note), ...said);
  if (!lines.length) return [head];
  const omitted = `${left} more checks, passed ones first, are omitted to limit the page size; oracles.csv has all.`;
  const table = plainTable({ ...D.oracles, rows: lines.map((i) => rows[i]), note: left ? omitted : "" });
  return [head, el("details", { open: lines.length <= OPEN }, el("summary", {}, `${lines.length} checks`), ...table)];
});

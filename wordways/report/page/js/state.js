"use strict";
// The payload of the page, what the reader has selected, and how much a section draws before it is asked for more.
// Text from records only ever becomes text nodes, never markup.

const D = JSON.parse(document.getElementById("data").textContent);
for (const row of [...D.rows, ...D.baselines]) row.device = D.devices[row.device];
const ROWS_SHOWN = 100, MAPS_SHOWN = 40, CURVES_SHOWN = 40, POINTS_SHOWN = 400;
const state = {
  task: largestTask(), batch: "1", device: "", search: "", metric: "", cost: "latency", sort: null, hidden: [],
  all: false,
};

function largestTask() {
  const size = (task) => D.rows.filter((row) => row.task === task).length;
  return D.tasks.reduce((best, task) => (size(task) > size(best) ? task : best), D.tasks[0] || "");
}
const titleOf = (task) => D.titles[task] || task;
const limited = (items, most) => (state.all ? items : items.slice(0, most));

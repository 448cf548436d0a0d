// Latency versus length, throughput versus batch size, and validation loss during training.

const CHART_WIDTH = 1000;
const logarithmic = { logX: true, logY: true, height: 320 };
function curveSection(id, heading, note, title, axes, seriesOf) {
  section(id, heading, { note }, (body) =>
    [lineChart(title, seriesOf(), { ...axes, width: roomIn(body, CHART_WIDTH) })].filter(Boolean));
}

curveSection("lengths", "Latency versus length",
  "The length of every text is fixed in advance, at batch size 1. Bands are 95 % confidence intervals of the median. "
  + "Both axes are logarithmic.",
  "End-to-end latency", { xLabel: "generated tokens", yLabel: "ms", ...logarithmic },
  () => chosen().map(({ label, paradigm, lengths }) => ({ label, paradigm, points: lengths })));

curveSection("batches", "Throughput versus batch size",
  "Throughput counts useful tokens of texts of natural length. Both axes are logarithmic.",
  "Throughput", { xLabel: "batch size", yLabel: "tok/s", ...logarithmic },
  () => chosen().map(({ label, paradigm, rates }) =>
    ({ label, paradigm, points: Object.entries(rates).map(([batch, rate]) => [Number(batch), ...rate]) })));

curveSection("losses", "Training curves",
  "Training objectives differ, so loss levels cannot be compared across paradigms.",
  "Validation loss", { xLabel: "training step", yLabel: "nats per supervised token", height: 300 },
  () => {
    const trainings = new Set(chosen().map((row) => row.training));
    return D.curves.filter((one) => trainings.has(one.training));
  });

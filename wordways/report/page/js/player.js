// The decoding of one example by several configurations: by forward passes with a slider, or at measured speed.

const PLAY_SECONDS = 8, COMPARED = 5; // how long a replay takes; how many configurations are shown at first
const player = { item: null, shown: null, call: Infinity, playing: null };
const total = (numbers) => numbers.reduce((a, b) => a + b, 0);

function stop() {
  if (player.playing) cancelAnimationFrame(player.playing);
  player.playing = null;
}
// one configuration of each paradigm, and then more in their order
function firstShown(every) {
  const seen = new Set();
  const firsts = every.filter((one) => !seen.has(one.paradigm) && seen.add(one.paradigm));
  const shown = new Set(firsts.map((one) => one.label));
  for (const one of every) if (shown.size < COMPARED) shown.add(one.label);
  return shown;
}
// how many forward passes a configuration has finished after so many milliseconds
function callsWithin(one, ms) {
  let left = ms + 1e-9, calls = 0;
  while (calls < one.ms.length && left >= one.ms[calls]) {
    left -= one.ms[calls];
    calls += 1;
  }
  return calls;
}
function controls(boxes) {
  const shown = boxes.map(({ one }) => one), most = Math.max(1, ...shown.map((one) => one.calls.length));
  const slowest = Math.max(1e-9, ...shown.map((one) => total(one.ms))), drawn = new Map(), say = el("output");
  player.call = Math.min(player.call, most);
  function at(callOf, words) {
    for (const { one, box, count } of boxes) {
      const call = Math.min(one.calls.length, callOf(one)), ms = [total(one.ms.slice(0, call)), total(one.ms)];
      if (drawn.get(one) !== call) drawTokens(one, call, box);
      drawn.set(one, call);
      count.textContent = `forward pass ${call} of ${one.calls.length}, ${round(ms[0])} of ${round(ms[1])} ms`;
    }
    say.textContent = words;
  }
  const atCall = () => at(() => player.call, `after forward pass ${player.call} of ${most}`);
  function pause() {
    stop();
    button.textContent = "play";
  }
  function play() {
    if (player.playing) return pause();
    const begun = performance.now(), slowed = round(1000 * PLAY_SECONDS / slowest);
    const step = (now) => {
      const ms = Math.min(1, (now - begun) / (1000 * PLAY_SECONDS)) * slowest;
      at((one) => callsWithin(one, ms), `${round(ms)} of ${round(slowest)} ms, slowed down ${slowed} times`);
      slider.value = player.call = Math.max(...shown.map((one) => callsWithin(one, ms)), 0);
      if (ms < slowest) player.playing = requestAnimationFrame(step);
      else pause();
    };
    button.textContent = "stop";
    player.playing = requestAnimationFrame(step);
  }
  const button = el("button", { type: "button", id: "play", onclick: play }, "play");
  const range = { type: "range", min: 0, max: most, step: 1, value: player.call, id: "calls" };
  const slider = el("input", { ...range, "aria-label": "forward passes", oninput: () => {
    pause();
    player.call = Number(slider.value);
    atCall();
  } });
  atCall();
  return [button, slider, say];
}
function toggle(one) {
  if (player.shown.has(one.label)) player.shown.delete(one.label);
  else player.shown.add(one.label);
  if (!player.shown.size) player.shown.add(one.label);
  redrawOnly("player");
}
function exampleSelect(plays, play) {
  const options = plays.map((one) => el("option", { value: one.item, selected: one === play }, one.item));
  return el("select", { id: "example", onchange: (event) => {
    player.item = event.target.value;
    player.call = Infinity;
    redrawOnly("player");
  } }, ...options);
}
function exampleTexts({ prompt, suffix, target }) {
  return [
    prompt ? el("p", {}, el("b", {}, "prompt "), bdi(prompt)) : null,
    suffix ? el("p", {}, el("b", {}, "suffix "), bdi(suffix)) : null,
    target ? el("details", {}, el("summary", {}, "reference"), el("p", {}, bdi(target))) : null,
  ].filter(Boolean);
}

section("player", "Decoding, step by step", {
  note: "All configurations decode the same example. The slider advances each by one forward pass; play replays them "
    + "at their measured relative speed. A deeper colour marks a token committed later; a frame marks the newest.",
  details: "A token that replaces an earlier one flashes. Hover over a token, or focus it with Tab, for the five most "
    + "probable tokens of that forward pass and their probabilities under the model's predictive distribution.",
}, () => {
  stop();
  const plays = (D.players[state.task] || []).filter((play) => play.of.length);
  if (!plays.length) return [];
  const play = plays.find((one) => one.item === player.item) || plays[0];
  const every = play.of.filter((one) => contains(one.label));
  if (!player.shown || !every.some((one) => player.shown.has(one.label))) player.shown = firstShown(every);
  const boxes = every.filter((one) => player.shown.has(one.label))
    .map((one) => ({ one, box: el("div", { className: "tokens" }), count: el("small") }));
  const chips = every.map((one) => el("button", {
    type: "button", "aria-pressed": String(player.shown.has(one.label)), onclick: () => toggle(one),
  }, dot(one.paradigm), bdi(one.label)));
  const omitted = `${play.left} more configurations are omitted to limit the page size; their records contain them.`;
  return [
    el("div", { className: "controls" }, el("label", {}, "example ", exampleSelect(plays, play)), ...controls(boxes)),
    el("div", { className: "chips" }, ...chips), ...exampleTexts(play),
    ...boxes.map(({ one, box, count }) => el("div", { className: "play" },
      el("div", { className: "who" }, dot(one.paradigm), bdi(one.label), count), box)),
    play.left ? el("p", { className: "note" }, omitted) : null,
  ].filter(Boolean);
});

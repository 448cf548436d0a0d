// What was found, in a few sentences, before anything else; of several tasks, one list each.

function shortOf(task) {
  const { sentences, setting } = D.short[task];
  return [
    ...(state.task ? [] : [el("h3", {}, bdi(titleOf(task)))]),
    el("ul", { className: "short" }, ...sentences.map((sentence) => el("li", {}, bdi(sentence)))),
    el("p", { className: "note" }, bdi(setting)),
  ];
}
section("short", "In short", {}, () => (state.task ? [state.task] : D.tasks).flatMap(shortOf));

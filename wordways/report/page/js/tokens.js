// The tokens of one text after a number of forward passes, each with its most probable alternatives.

function canvasAfter(one, call) {
  const words = one.start.slice(), written = words.map(() => 0), revised = new Set();
  one.calls.slice(0, call).forEach(([wrote, , moved = []], at) => {
    const before = written.slice(), came = new Map(moved), left = new Set(came.values());
    for (const [hole, word] of wrote) {
      const other = words[hole] !== null && words[hole] !== word && !came.has(hole) && !left.has(hole);
      if (at === call - 1 && other) revised.add(hole);
      words[hole] = word;
      written[hole] = at + 1;
    }
    for (const [hole, from] of moved) written[hole] = before[from]; // a token that moves is not generated anew
  });
  return { words, written, revised };
}
// the newest prediction for a position up to a forward pass
function likeliestAt(one, hole, call) {
  for (let at = call; at >= 1; at -= 1) {
    const found = one.calls[at - 1][1].find(([place]) => place === hole);
    if (found) return { at, guesses: found[1] };
  }
  return null;
}
function tokenTip(one, hole, call, open, written) {
  const filled = written ? `generated in forward pass ${written}` : "from the draft";
  const when = open ? `empty after forward pass ${call}` : filled;
  const head = el("b", {}, `position ${hole + 1}, ${when}`), newest = likeliestAt(one, hole, call);
  if (!newest) return [head, el("div", {}, "no prediction is recorded up to this forward pass")];
  const lines = newest.guesses.map(([guess, p]) => {
    const bar = el("span", { className: "bar", style: { width: `${Math.round(80 * p)}px` } });
    const cells = [bdi(guess === null ? "–" : guess), p.toFixed(3), bar];
    return el("tr", {}, ...cells.map((cell) => el("td", {}, cell)));
  });
  const title = el("div", {}, `most probable tokens in forward pass ${newest.at}`);
  return [head, title, el("table", {}, el("tbody", {}, ...lines))];
}
function drawTokens(one, call, box) {
  const { words, written, revised } = canvasAfter(one, call), total = one.calls.length;
  const made = words.map((word, hole) => {
    const open = word === null, ends = !open && word.trim() === "<eos>";
    const shown = open ? " · " : word.trim() === "" ? "␣" : ends ? " end" : word;
    const classes = ["token", open && "open", ends && "end", call && written[hole] === call && "new",
      revised.has(hole) && "revised"];
    const strength = written[hole] ? 0.12 + 0.5 * (written[hole] / total) : 0.05;
    const style = open ? {} : { background: faded(one.paradigm, strength) };
    const token = el("span", { className: classes.filter(Boolean).join(" "), tabIndex: 0, style }, bdi(shown));
    return tipped(token, () => tokenTip(one, hole, call, open, written[hole]));
  });
  box.replaceChildren(...made.flatMap((token) => [token, "\u200b"])); // a line may break between any two tokens
}

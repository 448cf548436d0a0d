// What the window asks for: light or dark colours, another width, paper. The first drawing starts here.

const PRINTED = 80; // most lines of a table that is unfolded on paper
const root = document.documentElement, darkWished = matchMedia("(prefers-color-scheme: dark)");

root.dataset.theme = darkWished.matches ? "dark" : "light";
function show(theme) {
  root.dataset.theme = theme;
  redraw();
}
darkWished.addEventListener("change", () => show(darkWished.matches ? "dark" : "light"));
const toggleTheme = () => show(root.dataset.theme === "dark" ? "light" : "dark");
document.getElementById("theme").addEventListener("click", toggleTheme);

let wait = null, lastWidth = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === lastWidth) return; // a phone's address bar changes the height alone
  lastWidth = innerWidth;
  clearTimeout(wait);
  wait = setTimeout(redraw, 120);
});
addEventListener("beforeprint", () => {
  drawAll();
  for (const node of document.querySelectorAll("details")) node.open = node.querySelectorAll("tr").length <= PRINTED;
});
redraw();

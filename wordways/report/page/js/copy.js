// Copies to the clipboard: a text, or a table as it is shown, in Markdown, LaTeX or CSV.

async function copyText(text, node) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // a page from a file may have no clipboard: a selection has one
    const source = node.appendChild(el("textarea", { value: text, className: "copied" }));
    source.select();
    document.execCommand("copy");
    source.remove();
  }
}
function copyButton(title, text) {
  const button = el("button", { type: "button", onclick: async () => {
    await copyText(text(), button.parentElement);
    button.textContent = "copied";
    setTimeout(() => { button.textContent = title; }, 1500);
  } }, title);
  return button;
}

const ESCAPES = {
  "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", "_": "\\_", "^": "\\textasciicircum{}", "~": "\\textasciitilde{}",
  "#": "\\#", "$": "\\$", "%": "\\%", "&": "\\&", "|": "\\textbar{}", "<": "\\textless{}", ">": "\\textgreater{}",
  "±": "$\\pm$", "–": "--", "✗": "$\\times$", "⇄": "$\\leftrightarrow$", "≈": "$\\approx$", "…": "\\ldots{}",
};
const inLatex = (text) => Array.from(text, (sign) => ESCAPES[sign] || sign).join("");
const FORMS = {
  Markdown: (lines) => {
    const rule = lines[0].map((_, i) => (i ? "---:" : "---"));
    return [lines[0], rule, ...lines.slice(1)]
      .map((cells) => `| ${cells.map((cell) => cell.replace(/([\\|*`<])/g, "\\$1")).join(" | ")} |`).join("\n");
  },
  LaTeX: (lines) => {
    const [head, ...body] = lines.map((cells) => `${cells.map(inLatex).join(" & ")} \\\\`);
    const begin = `\\begin{tabular}{l${"r".repeat(lines[0].length - 1)}}`;
    return [begin, "\\toprule", head, "\\midrule", ...body, "\\bottomrule", "\\end{tabular}"].join("\n");
  },
  CSV: (lines) => lines.map((cells) =>
    cells.map((cell) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(",")).join("\n"),
};
const linesOf = (table) => [...table.rows].map((line) => [...line.cells].map((cell) => cell.textContent.trim()));
function copyButtons(table) {
  const buttons = Object.entries(FORMS).map(([name, form]) => copyButton(name, () => form(linesOf(table))));
  return el("div", { className: "controls copies" }, el("span", { className: "note" }, "copy as"), ...buttons);
}

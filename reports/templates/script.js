// Of many checks, what a rule unfolds to is packed; it is unpacked where it is first opened.
async function unpack(rule) {
  const inside = rule.querySelector("[data-packed]");
  if (!inside) return;
  const bytes = Uint8Array.from(atob(inside.dataset.packed), (c) => c.charCodeAt(0));
  delete inside.dataset.packed;
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  inside.innerHTML = await new Response(unpacked).text();
}
// A link into a folded section opens it; of a page of few checks all else works without this script.
async function openTarget() {
  const id = decodeURIComponent(location.hash.slice(1));
  const group = id.split(":")[0]; // of a check's address, GROUP:CHECK
  const packed = id && document.querySelector(`[data-packed][data-names~="${CSS.escape(group)}"]`);
  if (packed) await unpack(packed.closest("details"));
  const target = id && document.getElementById(id);
  if (!target) return;
  for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  target.scrollIntoView();
}
document.querySelectorAll("details.rule").forEach((rule) => rule.addEventListener("toggle", () => rule.open && unpack(rule)));
// The scoreboard is sorted by its heads and filtered by words; without this script it is a table.
function sortable(board) {
  const body = board.tBodies[0];
  const value = (row, at) => row.cells[at].dataset.value ?? row.cells[at].textContent;
  const compare = (a, b) => (isNaN(a) || isNaN(b) ? String(a).localeCompare(b) : a - b);
  [...board.tHead.rows[0].cells].forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      [...board.tHead.rows[0].cells].forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].sort((a, b) => compare(value(a, at), value(b, at)) * (up ? 1 : -1));
      body.append(...rows);
    });
  });
  const filter = document.createElement("label");
  filter.className = "filter";
  filter.innerHTML = 'Only rows with <input type="search"> <span role="status"></span>';
  board.parentElement.before(filter);
  filter.querySelector("input").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(" ");
    const has = (row) => words.every((word) => row.textContent.toLowerCase().includes(word));
    for (const row of body.rows) row.hidden = !has(row);
    const shown = [...body.rows].filter((row) => !row.hidden).length;
    filter.querySelector("span").textContent = `${shown} of ${body.rows.length}`;
  });
}
document.querySelectorAll("table.board").forEach(sortable);
addEventListener("hashchange", openTarget);
addEventListener("beforeprint", () => document.querySelectorAll("details.rule").forEach((d) => (d.open = true)));
openTarget();

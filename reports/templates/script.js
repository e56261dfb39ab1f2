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
  const packed = id && document.querySelector(`[data-packed][data-names~="${CSS.escape(id)}"]`);
  if (packed) await unpack(packed.closest("details"));
  const target = id && document.getElementById(id);
  if (!target) return;
  for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  target.scrollIntoView();
}
document.querySelectorAll("details.rule").forEach((rule) => rule.addEventListener("toggle", () => rule.open && unpack(rule)));
addEventListener("hashchange", openTarget);
addEventListener("beforeprint", () => document.querySelectorAll("details.rule").forEach((d) => (d.open = true)));
openTarget();

"use strict";
document.documentElement.classList.add("js");
const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

/* Slide sheet: filter and show more */
const STEP = 48;
const cards = all("#cards > .card");
const more = one("#more");
let limit = STEP;

const matching = () => {
  const words = (one("#find")?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const boxes = all(".filter [name=state]");
  const states = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  return cards.filter(
    (card) =>
      (!boxes.length || states.has(card.dataset.state)) &&
      words.every((word) => card.dataset.words.includes(word)),
  );
};

const filter = () => {
  const found = matching();
  const shown = new Set(found.slice(0, limit));
  for (const card of cards) card.classList.toggle("out", !shown.has(card));
  const rest = found.length - shown.size;
  const output = one("#shown");
  if (output) {
    const among = found.length === cards.length ? "" : ` that match, of ${cards.length.toLocaleString("en")}`;
    output.textContent = rest
      ? `${shown.size.toLocaleString("en")} of ${found.length.toLocaleString("en")} slides${among}`
      : `${found.length.toLocaleString("en")} ${found.length === 1 ? "slide" : "slides"}${among}`;
  }
  if (more) {
    more.hidden = rest === 0;
    more.textContent = `Show ${Math.min(STEP * 2, rest).toLocaleString("en")} more of ${rest.toLocaleString("en")}`;
  }
};

if (cards.length) {
  const form = one(".filter");
  form?.addEventListener("submit", (event) => event.preventDefault());
  form?.addEventListener("input", () => {
    limit = STEP;
    filter();
  });
  more.addEventListener("click", () => {
    const first = matching()[limit];
    limit += STEP * 2;
    filter();
    one(".frame", first)?.focus();
  });
  filter();
}

/* Copying */
const copy = async (text, button) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea", { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = label), 1400);
};
document.addEventListener("click", (event) => {
  const button = event.target.closest(".copy, .copy-all");
  if (!button) return;
  const codes = button.matches(".copy-all")
    ? all(".remedy code", button.closest(".group"))
    : [one("code", button.parentElement)];
  copy(codes.map((code) => code.textContent).join("\n"), button);
});

/* Sorting the table of tiles */
for (const [column, button] of all("#tile-table thead button").entries()) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const up = head.getAttribute("aria-sort") === "ascending";
    for (const other of all("#tile-table thead th")) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", up ? "descending" : "ascending");
    const value = (row) => (column ? Number(row.cells[column].dataset.n) : row.cells[0].textContent);
    const order = (a, b) => (column ? value(a) - value(b) : value(a).localeCompare(value(b), "en", { numeric: true }));
    const rows = all("#tile-table tbody tr").sort((a, b) => (up ? order(b, a) : order(a, b)));
    one("#tile-table tbody").append(...rows);
  });
}

/* The enlarged slide or tile */
const viewer = one("#viewer");
const stage = one("#stage");
const layers = one("#layers");
const grids = JSON.parse(one("#grids").textContent);
let opener = null;

const layer = (name, hue, shown, toggle) => {
  const box = make("input", { type: "checkbox", checked: shown });
  box.addEventListener("change", () => toggle(box.checked));
  const label = make("label", { className: "choice" }, box, make("span", { className: `swatch ${hue}` }), name);
  layers.append(label);
};

const drawGrid = (svg, runs, hue) => {
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  let d = "";
  for (const [width, height, ...corners] of runs)
    for (let i = 0; i < corners.length; i += 2)
      d += `M${corners[i]} ${corners[i + 1]}h${width}v${height}h${-width}z`;
  path.setAttribute("d", d);
  path.setAttribute("class", `grid ${hue}`);
  path.style.display = "none";
  svg.append(path);
  return path;
};

const overlays = (card, glass) => {
  const outline = one(".outline", glass);
  if (outline) layer("Tissue outline", "tissue", true, (on) => (outline.style.display = on ? "" : "none"));
  const made = JSON.parse(card.dataset.tiles);
  const mine = grids[card.id.slice(1)] ?? {};
  let svg = one("svg", glass);
  for (const [index, scale] of Object.keys(made).entries()) {
    const runs = mine[scale];
    if (!runs) continue;
    if (!svg) {
      svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const tall = Number(getComputedStyle(one(".glass", card)).getPropertyValue("--ar"));
      svg.setAttribute("viewBox", tall >= 1 ? `0 0 2000 ${Math.round(2000 / tall)}` : `0 0 ${Math.round(2000 * tall)} 2000`);
      svg.setAttribute("preserveAspectRatio", "none");
      glass.append(svg);
    }
    const drawn = runs.reduce((sum, run) => sum + (run.length - 2) / 2, 0);
    const number = drawn < made[scale] ? `${drawn.toLocaleString("en")} of ${made[scale].toLocaleString("en")}` : drawn.toLocaleString("en");
    const path = drawGrid(svg, runs, `hue${index % 5}`);
    layer(`Tiles ${scale} (${number})`, `hue${index % 5}`, false, (on) => (path.style.display = on ? "" : "none"));
  }
};

const showSlide = (card) => {
  const glass = one(".glass", card).cloneNode(true);
  for (const path of all("[id]", glass)) path.removeAttribute("id");
  stage.replaceChildren(glass);
  one("#viewer-title").textContent = one("h3", card).textContent;
  const parts = all(".text > :not(h3)", card).map((part) => part.cloneNode(true));
  one("#about").replaceChildren(...parts);
  overlays(card, glass);
};

const showTile = (tile) => {
  const square = one(".square", tile).cloneNode(true);
  const { name, slide, caption, tissue, edge, scale } = tile.dataset;
  stage.replaceChildren(square);
  one("#viewer-title").textContent = caption || name;
  const facts = make("dl");
  for (const [label, value] of [["Slide", slide], ["Tile", name], ["Scale", scale], ["Edge", edge], ["Tissue", tissue]])
    facts.append(make("div", {}, make("dt", { textContent: label }), make("dd", { textContent: value })));
  one("#about").replaceChildren(facts);
};

const show = (button) => {
  opener = button;
  all(".choice", layers).forEach((choice) => choice.remove());
  const card = button.closest(".card");
  if (card) showSlide(card);
  else showTile(button);
  layers.hidden = !one(".choice", layers);
  if (!viewer.open) viewer.showModal();
};

const step = (by) => {
  const group = opener.closest("ul");
  const shown = all(".frame, .tile", group).filter((button) => button.offsetParent);
  const next = shown[shown.indexOf(opener) + by];
  if (next) show(next);
};

document.addEventListener("click", (event) => {
  const button = event.target.closest(".frame, .tile");
  if (button) show(button);
});
one("#close").addEventListener("click", () => viewer.close());
viewer.addEventListener("click", (event) => event.target === viewer && viewer.close());
viewer.addEventListener("close", () => opener?.focus());
viewer.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") step(1);
  if (event.key === "ArrowLeft") step(-1);
});

"use strict";
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// plotly looks here before it would fetch a map's geometry
window.PlotlyGeoAssets = { topojson: read("data-geometry") };

function themed(layout) {
  const axis = { gridcolor: colour("--grid"), zerolinecolor: colour("--ink"), linecolor: colour("--line") };
  const narrow = window.innerWidth < 600;
  return {
    ...layout,
    font: { color: colour("--ink"), size: narrow ? 10 : 12 },
    xaxis: { ...layout.xaxis, ...axis },
    yaxis: { ...layout.yaxis, ...axis },
    geo: { ...layout.geo, coastlinecolor: colour("--grey") },
  };
}

// the middle of a scale is the page's own neutral colour
function neutral(trace) {
  const middle = (scale) => scale && scale.map(([at, shade]) => [at, at === 0.5 ? colour("--zero") : shade]);
  const marker = trace.marker && trace.marker.colorscale ? { ...trace.marker, colorscale: middle(trace.marker.colorscale) } : trace.marker;
  // a key without a value makes plotly throw, and every plot after it stays empty
  return { ...trace, ...(marker ? { marker } : {}), ...(trace.colorscale ? { colorscale: middle(trace.colorscale) } : {}) };
}

const plots = read("data-plots");
function draw() {
  for (const [id, figure] of Object.entries(plots)) {
    const place = document.getElementById(id);
    if (!place || !place.offsetParent) continue; // a plot that is not shown has no width
    const { template, ...layout } = figure.layout;
    place.style.height = `${layout.height}px`; // which a later change of width keeps
    Plotly.react(place, figure.data.map(neutral), themed(layout), { responsive: true, displaylogo: false, displayModeBar: false })
      .then(() => Plotly.Plots.resize(place)); // a plot in a closed section has the width that the window had before
  }
}
draw();
document.querySelectorAll("details").forEach((each) => each.addEventListener("toggle", draw));
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
function show(tab) {
  for (const each of tab.parentElement.children) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", chosen);
    each.tabIndex = chosen ? 0 : -1;
    document.getElementById(each.getAttribute("aria-controls")).hidden = !chosen;
  }
  draw();
}
for (const tab of document.querySelectorAll("[role=tab]")) {
  tab.addEventListener("click", () => show(tab));
  tab.addEventListener("keydown", (event) => {
    const other = { ArrowRight: tab.nextElementSibling, ArrowLeft: tab.previousElementSibling }[event.key];
    if (other) { show(other); other.focus(); }
  });
}

// a closed section opens for whoever follows a link into it
function arrive() {
  const place = location.hash && document.getElementById(location.hash.slice(1));
  const fold = place && place.querySelector("details.section");
  if (fold) { fold.open = true; place.scrollIntoView(); }
}
window.addEventListener("hashchange", arrive);
document.querySelectorAll("nav a").forEach((each) => each.addEventListener("click", () => setTimeout(arrive)));
arrive();

// on a narrow screen a row is a block, and each cell says what it is
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.querySelectorAll("thead th")].map((each) => each.textContent);
  for (const row of table.querySelectorAll("tbody tr")) [...row.querySelectorAll("td")].forEach((cell) => { cell.dataset.label = heads[cell.cellIndex]; });
}
window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));

function element(kind, className, text) {
  const made = document.createElement(kind);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

const items = read("data-items");
const control = (name) => document.getElementById("item-" + name);
for (const name of ["model", "benchmark"]) {
  for (const value of ["all", ...new Set(items.map((item) => item[name]))]) control(name).append(element("option", "", value));
}

function optionRow(text, share) {
  const row = element("div", "option");
  const track = element("div", "track");
  const fill = element("div", "fill");
  fill.style.width = (100 * share).toFixed(1) + "%";
  track.append(fill);
  row.append(element("div", "text", text), track, element("div", "share", (100 * share).toFixed(0) + " %"));
  return row;
}

function levelBlock(name, counts, choices, right) {
  const total = Object.values(counts).reduce((sum, [answers]) => sum + answers, 0);
  const known = Object.values(counts).filter(([, , changed]) => changed !== null);
  const changed = known.reduce((sum, [answers, , share]) => sum + answers * share, 0) / known.reduce((sum, [answers]) => sum + answers, 0);
  const block = element("div", "level");
  block.append(element("strong", "", `${name} (${total} answers${known.length ? `, ${(100 * changed).toFixed(0)}% changed` : ""})`));
  choices.forEach((text, number) => block.append(optionRow((right.includes(number) ? "✓ " : "") + text, counts[number] ? counts[number][1] : 0)));
  if (counts[-1]) block.append(optionRow("unread", counts[-1][1]));
  return block;
}

const signed = (value) => (value === null ? "–" : (value > 0 ? "+" : "") + (100 * value).toFixed(1) + " points");
function itemBlock(item, attribute) {
  const block = element("article", "item");
  const moved = item.moved === null ? "" : `; ${(100 * item.moved).toFixed(0)}% of answers changed` + (item.by_chance === null ? "" : ` (${(100 * item.by_chance).toFixed(0)}% would by chance)`);
  block.append(element("div", "meta", `${item.model} · ${item.benchmark} · ${item.id}: Δ ${signed(item.effect)}${moved}`));
  block.append(element("div", "question", item.question));
  for (const group of ["baseline", attribute]) {
    for (const [level, counts] of Object.entries(item.groups[group] || {})) block.append(levelBlock(level, counts, item.choices, item.right));
  }
  return block;
}

const SHOWN = 30;
function showItems() {
  const words = control("search").value.toLowerCase();
  const attribute = control("attribute").value;
  const fits = (name, item) => control(name).value === "all" || item[name] === control(name).value;
  const found = items.filter((item) => fits("model", item) && fits("benchmark", item)
    && (item.question + " " + item.id + " " + item.choices.join(" ")).toLowerCase().includes(words));
  control("list").replaceChildren(...found.slice(0, SHOWN).map((item) => itemBlock(item, attribute)));
  control("count").textContent = items.length
    ? `${found.length} of ${items.length} items` + (found.length > SHOWN ? `, the first ${SHOWN} shown` : "")
    : "No item has answers to show.";
}
control("filters").addEventListener("input", showItems);
control("filters").addEventListener("submit", (event) => event.preventDefault());
showItems();

const search = document.getElementById("persona-search");
if (search) {
  search.form.addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", () => {
    for (const row of document.querySelectorAll("#persona-table tbody tr")) {
      row.hidden = !row.textContent.toLowerCase().includes(search.value.toLowerCase());
    }
  });
}
document.documentElement.dataset.ready = "yes";

"use strict";

const data = JSON.parse(document.getElementById("data").textContent);

function make(name, text, attributes = {}) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

// Sorting: a number where the cell begins with one, else text; the second click turns the order around.

function sortValue(row, column) {
  const cell = row.cells[column];
  const text = cell.dataset.value ?? cell.textContent.trim();
  const number = Number.parseFloat(text.replaceAll(",", ""));
  return Number.isNaN(number) ? text : number;
}

function compare(one, other) {
  if (typeof one === typeof other) return typeof one === "number" ? one - other : one.localeCompare(other);
  return typeof one === "number" ? -1 : 1;
}

function sortBy(head) {
  const table = head.closest("table");
  const column = head.cellIndex;
  const falling = head.getAttribute("aria-sort") === "ascending";
  for (const each of table.tHead.rows[0].cells) each.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  fold(table);
  const keyed = Array.from(table.tBodies[0].rows, (row) => [sortValue(row, column), row]);
  keyed.sort(([one], [other]) => (falling ? compare(other, one) : compare(one, other)));
  table.tBodies[0].append(...keyed.map(([, row]) => row));
}

// A cell unfolds below its row.

function pairs(values) {
  const list = make("dl");
  for (const [name, value] of Object.entries(values)) list.append(make("dt", name), make("dd", value));
  return list;
}

function numbers(values, digits) {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, value === null ? "not defined" : value.toFixed(digits)]),
  );
}

function curve(points) {
  const known = Object.entries(points).filter(([, score]) => score !== null).map(([epoch, score]) => [Number(epoch), score]);
  const scores = known.map(([, score]) => score);
  const low = Math.min(...scores);
  const high = Math.max(...scores);
  const first = known[0][0];
  const last = known.at(-1)[0];
  const place = ([epoch, score]) =>
    `${(150 * (epoch - first)) / (last - first || 1) + 5},${35 - (30 * (score - low)) / (high - low || 1)}`;
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.setAttribute("viewBox", "0 0 160 40");
  drawing.setAttribute("class", "curve");
  drawing.setAttribute("role", "img");
  drawing.setAttribute("aria-label", `scores over the epochs, from ${scores[0].toFixed(1)} to ${scores.at(-1).toFixed(1)}`);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", known.map(place).join(" "));
  drawing.append(line);
  return drawing;
}

function folding(title, content) {
  const details = make("details");
  details.append(make("summary", title), content);
  return details;
}

function seedArticle(result) {
  const article = make("article");
  article.append(make("h5", `Seed ${result.seed}`));
  for (const [split, scores] of Object.entries(result.metrics)) article.append(make("div", split), pairs(numbers(scores, 2)));
  if (Object.values(result.curve).filter((score) => score !== null).length > 1) article.append(curve(result.curve));
  if (Object.keys(result.ranks).length) article.append(folding("Ranks", pairs(result.ranks)));
  article.append(folding("Seconds", pairs(numbers(result.seconds, 1))));
  article.append(folding("Where and from what", pairs(result.facts)));
  article.append(folding("Settings", pairs(data.settings[result.configuration])));
  const again = make("p", "Again: ");
  again.append(make("code", result.repeat));
  article.append(again);
  return article;
}

function fold(table) {
  for (const open of table.querySelectorAll(".unfolded")) open.remove();
  for (const button of table.querySelectorAll("[aria-expanded=true]")) button.setAttribute("aria-expanded", "false");
}

function unfold(button) {
  const was = button.getAttribute("aria-expanded") === "true";
  const row = button.closest("tr");
  fold(button.closest("table"));
  if (was) return;
  button.setAttribute("aria-expanded", "true");
  const seeds = make("div", undefined, { class: "seeds" });
  seeds.append(...data.cells[button.dataset.cell].map(seedArticle));
  const cell = make("td", undefined, { colspan: row.cells.length });
  cell.append(seeds);
  const below = make("tr", undefined, { class: "unfolded" });
  below.append(cell);
  row.after(below);
}

// Filters: columns are tasks, rows are methods.

function choices(select, attribute) {
  const found = new Set(Array.from(document.querySelectorAll(`.scores [data-${attribute}]`), (each) => each.dataset[attribute]));
  for (const name of found) select.append(make("option", name, { value: name }));
}

function filter() {
  const task = document.getElementById("task").value;
  const method = document.getElementById("method").value;
  for (const table of document.querySelectorAll(".scores")) fold(table);
  for (const cell of document.querySelectorAll(".scores [data-task]")) cell.hidden = task !== "" && cell.dataset.task !== task;
  for (const row of document.querySelectorAll(".scores tr[data-method]")) row.hidden = method !== "" && row.dataset.method !== method;
  const chosen = [task, method].filter(Boolean);
  document.getElementById("shown").textContent = chosen.length ? `only ${chosen.join(", ")}` : "";
}

for (const [id, attribute] of [["task", "task"], ["method", "method"]]) {
  const select = document.getElementById(id);
  choices(select, attribute);
  select.addEventListener("change", filter);
}
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.cell) unfold(button);
  else if (button.closest("thead")) sortBy(button.closest("th"));
});
document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());

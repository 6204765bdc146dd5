"use strict";
// Plays the steps in #data on the SVG in #graph. A position is a moment: 0 before anything happened, then one per op
// of the forward pass, then one per contribution of the backward pass. What is shown depends on the level of detail,
// the frame and the position alone.
const graph = document.getElementById("graph");
const spoken = document.getElementById("status"), panel = document.getElementById("panel"), details = document.getElementById("details"), note = document.getElementById("note");
const SVG = "http://www.w3.org/2000/svg", MATH = "http://www.w3.org/1998/Math/MathML";
const still = matchMedia("(prefers-reduced-motion: reduce)");
let data, position = 0, shownLevel = 0, shownFrame = 0, chosen = null, timer = null;
let svg, byId, moments; // of the level that is shown
const level = () => data.levels[shownLevel], frame = () => data.frames[shownFrame], now = () => frame().levels[shownLevel];

const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
async function unpack() {
  const packed = new Blob([bytesOf(document.getElementById("data").textContent)]);
  data = JSON.parse(await new Response(packed.stream().pipeThrough(new DecompressionStream("deflate"))).text());
}
function element(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes)) k === "text" ? (e.textContent = v) : e.setAttribute(k, v);
  e.append(...children);
  return e;
}

// -- arrays -----------------------------------------------------------------------------------------
// An array of the page, ready to be shown: its numbers, or those of a corner, as `rows` times `columns`; statistics of
// all of it. Each is unpacked when it is first asked for.
const TYPED = { f4: Float32Array, f8: Float64Array, i4: Int32Array }, unpacked = [], ROW = 10, FEW = 16;
const size = (a) => a.shape.reduce((p, n) => p * n, 1);
function array(i) {
  if (unpacked[i]) return unpacked[i];
  const a = data.arrays[i];
  a.numbers = new TYPED[a.code](bytesOf(a.data).buffer);
  a.size = size(a);
  a.columns = a.corner ? a.corner[1] : a.shape.length ? a.shape[a.shape.length - 1] : 1;
  if (a.shape.length === 1 && a.numbers.length > FEW) a.columns = ROW; // a long line is broken
  a.rows = a.columns ? Math.ceil(a.numbers.length / a.columns) : 0;
  if (!a.corner) {
    let least = Infinity, greatest = -Infinity, sum = 0, count = 0;
    for (const v of a.numbers) if (Number.isFinite(v)) { least = Math.min(least, v); greatest = Math.max(greatest, v); sum += v; count++; }
    const stats = count ? { least, greatest, mean: sum / count } : { least: null, greatest: null, mean: null };
    Object.assign(a, stats, { odd: a.size - count });
  }
  a.most = 0; // of what is shown, so that the colours use the whole scale
  for (const v of a.numbers) if (Number.isFinite(v)) a.most = Math.max(a.most, Math.abs(v));
  return (unpacked[i] = a);
}
function short(x) {
  x = Number(x);
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf";
  if (x !== 0 && (Math.abs(x) < 1e-4 || Math.abs(x) >= 1e6)) return x.toExponential(3).replace(/\.?0+e/, "e");
  return String(Number(x.toPrecision(4)));
}
function exact(x, code) { // as few digits as tell it from its neighbours
  if (code !== "f4" || !Number.isFinite(x)) return Number.isFinite(x) ? String(x) : short(x);
  for (let digits = 1; digits < 9; digits++) if (Math.fround(x.toPrecision(digits)) === x) return String(Number(x.toPrecision(digits)));
  return String(Number(x.toPrecision(9)));
}
const brackets = (shape) => `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
const brief = (a) => (a.brief ??= inBrief(a));
function inBrief(a) {
  if (!a.corner && a.size === 1) return short(a.numbers[0]);
  if (!a.corner && a.size && a.size <= 8) {
    const text = [...a.numbers].map(short).join(", ");
    if (text.length <= 22) return `[${text}]`;
  }
  if (a.least !== null && a.least === a.greatest && !a.odd) return `all ${short(a.least)}`;
  return a.least === null ? (a.size ? "not finite" : "empty") : `${short(a.least)} … ${short(a.greatest)}`;
}
function shade(v, most) {
  v = Number(v);
  if (!Number.isFinite(v)) return "#d5b8e8";
  const zero = [250, 250, 250], end = v < 0 ? [91, 155, 213] : [232, 146, 60], t = most ? Math.min(Math.abs(v) / most, 1) : 0;
  return `rgb(${zero.map((z, i) => Math.round(z + (end[i] - z) * t)).join(",")})`;
}
function cell(v, most, code) {
  const td = element("td", { text: everyDigit.checked ? exact(v, code) : short(v), title: exact(v, code) });
  td.style.background = shade(v, most);
  return td;
}
function rowName(a, r) { // where in the array a row of the table begins, as an index of its leading axes
  if (a.shape.length < 2) return a.rows > 1 ? String(r * a.columns) : "";
  const index = [];
  for (let k = a.shape.length - 2; k >= 0; k--) { index.unshift(r % a.shape[k]); r = Math.floor(r / a.shape[k]); }
  return index.join(", ");
}
const columnName = (a, c) => (a.shape.length === 1 && a.rows > 1 ? `+${c}` : String(c));
const MANY = 800, LINE = 24, WIDE = [76, 172]; // cells that are all in the page; pixels of a cell beyond that
function arrayTable(i, told) {
  const a = array(i), all = document.createDocumentFragment();
  const span = a.least === null ? (a.size ? "no finite number" : "empty") : `least ${short(a.least)}, greatest ${short(a.greatest)}, mean ${short(a.mean)}`;
  const about = `${brackets(a.shape)} ${a.dtype}${a.size > 1 || a.odd ? `; ${span}` : ""}${a.odd ? `; ${a.odd} not finite` : ""}`;
  if (a.numbers.length) all.append(a.rows * a.columns > MANY ? windowed(a, told) : whole(a, told));
  all.append(element("p", { class: "stats", text: a.size > 1 && !a.corner ? `${about}; all ${a.size.toLocaleString("en")} numbers` : about }));
  if (a.corner) {
    const part = a.shape.length === 1 ? `the first ${a.numbers.length}` : `the first ${a.rows} rows and ${a.columns} columns`;
    const text = `Shown are ${part} of ${a.size.toLocaleString("en")} numbers: all of them would make the page too large.`;
    all.append(element("p", { class: "stats", text: a.grid.length ? `${text} The whole, as means over blocks:` : text }));
    if (a.grid.length) all.append(heatMap(a));
  }
  return all;
}
function scroller(a, told, ...children) {
  const box = element("div", { class: "scroller", role: "group", "aria-label": `${told}, ${brackets(a.shape)} array` }, ...children);
  if (a.rows * a.columns > 8) box.tabIndex = 0; // what can be scrolled is reached by keyboard
  return box;
}
function headed(a, columns) {
  const table = element("table", { class: "array" });
  if (a.size > 1) {
    const head = table.createTHead().insertRow();
    head.append(element("td"));
    for (const c of columns) head.append(element("th", { scope: "col", text: columnName(a, c) }));
  }
  return [table, table.createTBody()];
}
function line(body, a, r, columns) {
  const tr = body.insertRow();
  if (a.size > 1) tr.append(element("th", { scope: "row", text: rowName(a, r) }));
  for (const c of columns) if (r * a.columns + c < a.numbers.length) tr.append(cell(a.numbers[r * a.columns + c], a.most, a.code));
  return tr;
}
const range = (from, to) => Array.from({ length: Math.max(to - from, 0) }, (_, i) => from + i);
function whole(a, told) {
  const columns = range(0, a.columns), [table, body] = headed(a, columns);
  for (const r of range(0, a.rows)) line(body, a, r, columns);
  return scroller(a, told, table);
}
// Of a large array only the cells in view are in the page: the table stays where it is, and what it shows follows the scrolling.
function windowed(a, told) {
  const wide = WIDE[Number(everyDigit.checked)], inner = element("div", { class: "window" });
  const sizer = element("div", { class: "sizer" }, inner), box = scroller(a, told, sizer);
  sizer.style.width = `${(a.columns + 1) * wide}px`;
  sizer.style.height = `${(a.rows + 1) * LINE}px`;
  box.style.height = `${(Math.min(a.rows, 12) + 1.8) * LINE}px`;
  const show = () => {
    const rows = Math.min(Math.max(Math.floor((box.clientHeight || 300) / LINE) - 1, 1), a.rows);
    const fit = Math.min(Math.max(Math.floor((box.clientWidth || 400) / wide) - 1, 1), a.columns);
    const share = (at, whole, part) => (whole > part ? at / (whole - part) : 0);
    const top = Math.round(share(box.scrollTop, box.scrollHeight, box.clientHeight) * (a.rows - rows));
    const first = Math.round(share(box.scrollLeft, box.scrollWidth, box.clientWidth) * (a.columns - fit)), columns = range(first, first + fit);
    const [table, body] = headed(a, columns);
    table.setAttribute("aria-rowcount", a.rows + 1);
    table.setAttribute("aria-colcount", a.columns + 1);
    table.style.setProperty("--wide", `${wide}px`);
    for (const r of range(top, top + rows)) line(body, a, r, columns).setAttribute("aria-rowindex", r + 2);
    for (const tr of table.rows) [...tr.cells].slice(1).forEach((e, i) => e.setAttribute("aria-colindex", first + i + 2));
    inner.replaceChildren(table);
  };
  box.addEventListener("scroll", show);
  show();
  requestAnimationFrame(show); // once it is in the page its width is known
  return box;
}
function heatMap(a) {
  const table = element("table", { class: "heat", "aria-hidden": "true" });
  const most = Math.max(0, ...a.grid.flat().map(Math.abs));
  for (const row of a.grid) {
    const tr = table.insertRow();
    for (const v of row) tr.insertCell().style.background = shade(v ?? NaN, most);
  }
  return table;
}
const everyDigit = element("input", { type: "checkbox", id: "digits" });
everyDigit.addEventListener("change", () => { writePanel(); peek(chosen ?? peeked); });

// -- formulas as MathML ------------------------------------------------------------------------------
const TOKEN = /∂(?:sum\([^()]*\)|[^\s/()∂]+)\/∂[^\s()*+@,=→[\]²³ᵀ]+|\+=|\d+(?:\.\d+)?(?:e[+-]?\d+)?|[\p{L}_][\p{L}\p{N}_.'₀-₉]*|\s+|./gu;
const POWER = { "²": "2", "³": "3", "ᵀ": "T" }, SIGN = { "*": "·", "-": "−" };
function tag(name, ...children) {
  const e = document.createElementNS(MATH, name);
  e.append(...children);
  return e;
}
function name(text) {
  const m = /^(.*?)([₀-₉]+)$/u.exec(text);
  if (!m || !m[1]) return tag("mi", text);
  return tag("msub", tag("mi", m[1]), tag("mn", [...m[2]].map((d) => "₀₁₂₃₄₅₆₇₈₉".indexOf(d)).join("")));
}
function raised(base, power) { // with a subscript above which the power stands, not beside it
  const exponent = tag(power === "ᵀ" ? "mi" : "mn", POWER[power]);
  return base.localName === "msub" ? tag("msubsup", ...base.children, exponent) : tag("msup", base, exponent);
}
function math(text) {
  const row = tag("mrow");
  for (let t of text.replace(/(\p{L}[\p{L}\p{N}_₀-₉]*)ᵀ/gu, "$1\u0000ᵀ").match(TOKEN) || []) {
    if (/^\s+$/.test(t) || t === "\u0000") continue;
    if (t.startsWith("∂") && t.includes("/∂")) {
      const [above, below] = t.split("/∂");
      row.append(tag("mfrac", tag("mrow", tag("mo", "∂"), name(above.slice(1))), tag("mrow", tag("mo", "∂"), name(below))));
    } else if (POWER[t] && row.lastChild) {
      row.append(raised(row.lastChild, t));
    } else if (/^\d/.test(t)) row.append(tag("mn", t));
    else if (/^[\p{L}_]/u.test(t)) {
      const trailing = /^(.+?)([²³ᵀ])$/u.exec(t);
      row.append(trailing ? raised(name(trailing[1]), trailing[2]) : name(t));
    } else row.append(tag("mo", SIGN[t] || t));
  }
  const m = tag("math", row);
  m.setAttribute("display", "block");
  m.setAttribute("data-text", text);
  return m;
}

// -- the graph ----------------------------------------------------------------------------------------
const nodes = new Map(), edges = new Map();
let dragged = false; // whether the click that comes is the end of a movement
let picture, origin; // the viewBox of the drawing: left, top, width, height; where its own coordinates begin
function open(index) {
  shownLevel = index;
  byId = new Map(level().nodes.map((n, i) => [n.id, Object.assign(n, { index: i })]));
  moments = [null];
  level().steps.forEach((step, s) => {
    if (step.phase === "forward") moments.push({ s, c: null });
    else step.contributions.forEach((_, c) => moments.push({ s, c }));
  });
  svg = document.importNode(new DOMParser().parseFromString(level().picture, "image/svg+xml").documentElement, true);
  graph.replaceChildren(svg);
  svg.setAttribute("role", "group"); // what is inside an "img" can't be reached by a screen reader
  svg.setAttribute("aria-label", `Computation graph of ${data.title}`);
  nodes.clear();
  edges.clear();
  for (const n of level().nodes) prepare(n, svg.getElementById(n.id));
  for (const n of nodes.values()) n.g.parentNode.append(n.g); // to be gone through in the order of recording
  for (const step of level().steps) for (const id of step.edges) if (!edges.has(id)) edges.set(id, svg.getElementById(id));
  picture = svg.getAttribute("viewBox").split(/[\s,]+/).map(Number);
  origin = graph.querySelector("g.graph").transform.baseVal.consolidate().matrix;
  const boxes = level().nodes.filter((n) => n.holds);
  note.hidden = !boxes.length;
  note.textContent = boxes.length ? told(boxes.length) : "";
}
function told(boxes) {
  const many = `${data.ops.toLocaleString("en")} ops`, how = boxes === 1 ? "one box holds several of them and is" : `${boxes} boxes hold several of them and are each`;
  const other = data.levels.length > 1 ? "choose another level under “show”" : "";
  if (data.playable) return `Grouped: of ${many}, ${how} played as one step. To see inside, ${other}.`;
  return `Grouped: this graph has ${many}, too many to play one by one; ${how} played as one step. To see inside, ${other ? `${other}, ` : ""}draw with more layers open, mg.draw(…, depth=2), or draw an earlier tensor.`;
}
function prepare(n, g) {
  if (!g) return;
  const shape = g.querySelector("polygon, path, ellipse"), box = shape.getBBox(), x = box.x + box.width / 2;
  const write = (cls, y) => {
    const t = document.createElementNS(SVG, "text");
    t.setAttribute("class", cls);
    t.setAttribute("x", x);
    t.setAttribute("y", y);
    g.append(t);
    return t;
  };
  g.setAttribute("tabindex", "-1");
  g.setAttribute("role", "button");
  g.setAttribute("aria-pressed", "false");
  nodes.set(n.id, { g, box, value: write("value", box.y + box.height - 8), gradient: write("gradient", box.y + 14) });
  g.addEventListener("click", () => { if (!dragged) choose(n.id); });
  g.addEventListener("mouseenter", () => { if (!dragging()) peek(n.id); });
  g.addEventListener("mouseleave", () => { if (!dragging()) peek(chosen); });
  g.addEventListener("focus", () => { if (g.matches(":focus-visible")) { follow(n.id); peek(n.id); } });
  g.addEventListener("keydown", (e) => { if (e.key === "Enter") { choose(n.id); e.stopPropagation(); } });
}
// Of hundreds of nodes only one is a stop of the Tab key: the current op's; the arrows go on from there.
let stopAt = null;
function tabStop(id) {
  if (nodes.has(stopAt)) nodes.get(stopAt).g.setAttribute("tabindex", "-1");
  stopAt = id;
  if (nodes.has(id)) nodes.get(id).g.setAttribute("tabindex", "0");
}
graph.addEventListener("keydown", (e) => {
  if (e.key !== "ArrowDown" && e.key !== "ArrowUp") return;
  e.preventDefault();
  const ids = [...nodes.keys()], at = ids.indexOf(stopAt), on = nodes.get(stopAt)?.g === document.activeElement;
  tabStop(ids[Math.max(0, Math.min(ids.length - 1, on ? at + (e.key === "ArrowDown" ? 1 : -1) : Math.max(at, 0)))]);
  nodes.get(stopAt).g.focus({ focusVisible: true });
});

// What is known at a position: each node's value or none, its gradient so far or none, as numbers of arrays.
function state(at) {
  const values = new Map(), gradients = new Map(), counts = new Map(), moment = now();
  for (const n of level().nodes) if (n.op === null && !n.holds) values.set(n.id, moment.values[n.index]);
  for (let i = 1; i <= at; i++) {
    const { s, c } = moments[i], step = level().steps[s], numbers = moment.steps[s];
    if (c === null) values.set(step.node, moment.values[byId.get(step.node).index]);
    else {
      if (numbers.seed !== null) gradients.set(step.node, numbers.seed);
      const part = step.contributions[c];
      if (part.inside) continue; // to a tensor that its box does not show
      gradients.set(part.to, numbers.contributions[c].total);
      counts.set(part.to, [part.count, part.of]);
    }
  }
  return { values, gradients, counts };
}

// A page of hundreds of nodes is laid out again only where something differs.
function write(text, content) { if (text.textContent !== content) text.textContent = content; }
let known;
function render() {
  known = state(position);
  const moment = moments[position], step = moment && level().steps[moment.s];
  const part = step && moment.c !== null ? step.contributions[moment.c] : null;
  graph.className = step ? step.phase : "start";
  for (const [id, n] of nodes) {
    const v = known.values.get(id), g = known.gradients.get(id), count = known.counts.get(id);
    write(n.value, v === undefined ? "" : brief(array(v)));
    write(n.gradient, g === undefined ? "" : `∂ ${brief(array(g))}${count && count[0] < count[1] ? ` (${count[0]} of ${count[1]})` : ""}`);
    n.g.classList.toggle("unborn", v === undefined);
    n.g.classList.toggle("now", Boolean(step) && step.node === id);
    n.g.classList.toggle("receives", Boolean(part) && part.to === id);
    const text = label(id);
    if (n.g.getAttribute("aria-label") !== text) n.g.setAttribute("aria-label", text);
  }
  const flowing = part ? [part.edge] : step ? step.edges : [];
  for (const [id, e] of edges) if (e) e.classList.toggle("flow", flowing.includes(id));
  if (!graph.contains(document.activeElement) || document.activeElement === graph) tabStop(step ? step.node : level().nodes[0]?.id);
  slider.max = moments.length - 1;
  slider.value = position;
  slider.setAttribute("aria-valuetext", where());
  output.textContent = where();
  writePanel();
  peek(chosen);
}
function where() {
  const step = moments[position] && level().steps[moments[position].s];
  return `${position} / ${moments.length - 1} ${step ? step.phase : "start"}`;
}
function label(id) {
  const n = byId.get(id), v = known.values.get(id), g = known.gradients.get(id);
  const what = n.holds ? `${n.holds.ops} ops, giving ${n.formula}` : n.op ? n.formula : n.kind;
  return `${n.name}, ${what}; value ${v === undefined ? "not computed yet" : brief(array(v))}; gradient ${g === undefined ? "not arrived" : brief(array(g))}`;
}

function definition(list, term, content, cls) {
  const dd = element("dd", cls ? { class: cls } : {});
  dd.append(...[content].flat());
  list.append(element("dt", { text: term }), dd);
}
// A line of text and arrays: the small ones as matrices in it, the large ones as tables below each other.
const SMALL = { cells: 40, columns: 8 };
function numbers(pieces) {
  return pieces.map((p) => {
    if (typeof p === "string") return element("span", { class: "mono", text: p });
    const a = array(p);
    const small = !a.corner && a.size && a.size <= SMALL.cells && (a.shape.length > 1 ? a.columns : a.size) <= SMALL.columns;
    return small ? matrix(a) : element("div", { class: "operand" }, arrayTable(p, "in this step"));
  });
}
function matrix(a) {
  const columns = a.shape.length === 1 ? a.size : a.columns;
  const table = element("table", { class: "array matrix", "aria-label": `${brackets(a.shape)} array` }), body = table.createTBody();
  for (let i = 0; i < a.size; i += columns) body.insertRow().append(...[...a.numbers.slice(i, i + columns)].map((v) => cell(v, a.most, a.code)));
  return table;
}
function writePanel() {
  const moment = moments[position];
  if (!moment) {
    panel.className = "start";
    spoken.textContent = "Before the forward pass";
    panel.replaceChildren(element("h2", { text: "Before the forward pass" }), element("p", { text: "Parameters and inputs have values; nothing has been computed. Step on to compute, op by op." }));
    return;
  }
  const step = level().steps[moment.s], n = byId.get(step.node), shown = now().steps[moment.s], list = element("dl");
  const symbols = (text) => (n.holds ? element("span", { text }) : math(text));
  panel.className = step.phase;
  if (moment.c === null) {
    definition(list, "in symbols", symbols(step.symbols));
    definition(list, "in shapes", shown.shapes, "mono");
    definition(list, "in numbers", numbers(shown.numbers), "numbers");
    spoken.textContent = `Step ${where()}: ${step.symbols}`;
    panel.replaceChildren(element("h2", { text: `Forward: compute ${n.name}` }), list);
    return;
  }
  const part = step.contributions[moment.c], arrived = shown.contributions[moment.c], to = byId.get(part.to).name;
  definition(list, "chain rule, in symbols", symbols(part.symbols));
  if (part.derivative) definition(list, "because", math(part.derivative));
  definition(list, "in shapes", arrived.shapes, "mono");
  definition(list, "in numbers", numbers(arrived.numbers), "numbers");
  spoken.textContent = `Step ${where()}: ${part.symbols}${part.of > 1 ? `; contribution ${part.count} of ${part.of}` : ""}`;
  const through = n.holds ? n.name : `${n.name} = ${n.formula}`, target = part.inside ? `${part.inside} in ${to}` : to;
  panel.replaceChildren(element("h2", { text: `Backward: through ${through} to ${target}` }), list);
  if (part.note) panel.append(element("p", { text: `Broadcast on the way down, so on the way up: ${part.note}.` }));
  if (part.of > 1) {
    const done = part.count === part.of;
    const text = `Used ${part.of} times: contribution ${part.count} of ${part.of}. ${done ? "The gradient is complete:" : "The sum so far:"}`;
    panel.append(element("div", { class: "sum" }, element("p", { text }), arrayTable(arrived.total, done ? "gradient" : "sum so far")));
  }
}

let peeked = null;
function peek(id) {
  peeked = id;
  if (id === null || !byId.has(id)) {
    details.replaceChildren(element("h2", { text: "A node in detail" }), element("p", { class: "stats", text: "Point at a node, or choose it with Enter, for its array, statistics and source line." }));
    return;
  }
  const n = byId.get(id), v = known.values.get(id), g = known.gradients.get(id);
  const parts = [element("h2", { text: n.op ? `${n.name} = ${n.formula}` : `${n.name} (${n.holds ? `${n.holds.ops.toLocaleString("en")} ops` : n.kind})` })];
  if (n.site) parts.push(element("p", { class: "source", text: n.site }));
  if (n.stale) parts.push(element("p", { text: "Changed since it was recorded." }));
  if (n.doubt) parts.push(element("p", { text: n.doubt }));
  const list = element("dl");
  if (n.holds) inside(n, list);
  definition(list, n.holds ? `value of ${n.formula}` : "value", v === undefined ? "not computed yet" : arrayTable(v, `value of ${n.name}`));
  if (n.cotangent) definition(list, `gradient ${n.cotangent}`, g === undefined ? "has not arrived yet" : arrayTable(g, `gradient ${n.cotangent}`));
  details.replaceChildren(...parts, list, element("label", { class: "digits" }, everyDigit, "every digit"));
}
function inside(n, list) {
  const more = n.holds.ops - n.inside.length, items = n.inside.map((text) => element("li", { text }));
  if (more > 0) items.push(element("li", { text: `… and ${more.toLocaleString("en")} more` }));
  definition(list, n.holds.parameters ? `inside, with ${n.holds.parameters.toLocaleString("en")} numbers in parameters` : "inside", element("ul", { class: "mono" }, ...items));
}
function choose(id) {
  chosen = chosen === id ? null : id;
  for (const [k, n] of nodes) {
    n.g.classList.toggle("chosen", k === chosen);
    n.g.setAttribute("aria-pressed", String(k === chosen));
  }
  peek(chosen);
  if (chosen !== null) details.scrollIntoView({ block: "nearest", behavior: still.matches ? "auto" : "smooth" });
}

// -- controls --------------------------------------------------------------------------------------------
const controls = document.getElementById("controls");
function button(text, title, action) {
  const b = element("button", { type: "button", title, "aria-label": title, text });
  b.addEventListener("click", action);
  controls.append(b);
  return b;
}
function go(to) {
  position = Math.max(0, Math.min(moments.length - 1, to));
  render();
  if (position) follow(level().steps[moments[position].s].node);
}
function stop() { clearInterval(timer); timer = null; play.textContent = "play"; play.setAttribute("aria-label", "Play"); play.title = "Play"; }
function toggle() {
  if (timer !== null) return stop();
  if (position === moments.length - 1) go(0);
  play.textContent = "pause"; play.setAttribute("aria-label", "Pause"); play.title = "Pause";
  timer = setInterval(() => { go(position + 1); if (position === moments.length - 1) stop(); }, still.matches ? 1600 : 1100);
}
function sliderOf(id, text, max, onInput) {
  const input = element("input", { type: "range", id, min: 0, max, step: 1, value: 0 });
  input.addEventListener("input", () => onInput(Number(input.value)));
  controls.append(element("label", {}, text, input));
  return input;
}
button("|◀", "First step", () => { stop(); go(0); });
button("◀", "Step back", () => { stop(); go(position - 1); });
const play = button("play", "Play", toggle);
play.id = "play";
button("▶", "Step on", () => { stop(); go(position + 1); });
button("▶|", "Last step", () => { stop(); go(moments.length - 1); });
const slider = sliderOf("step", "step", 0, (v) => { stop(); go(v); });
const output = element("output", { for: "step", "aria-live": "off" });
controls.append(output);
function addChoices() {
  if (data.frames.length > 1) {
    const told = element("output", { for: "frame", "aria-live": "off", text: data.frames[0].label });
    sliderOf("frame", "training", data.frames.length - 1, (v) => { shownFrame = v; told.textContent = frame().label; render(); });
    controls.append(told);
  }
  if (data.levels.length > 1) {
    const select = element("select", { id: "level" }, ...data.levels.map((l, i) => element("option", { value: i, text: l.label })));
    select.value = data.shown;
    select.addEventListener("change", () => { stop(); regroup(Number(select.value)); });
    controls.append(element("label", { class: "level" }, "show", select));
  }
}
// Another level of detail, at the same moment: the first step there that goes as far.
function regroup(index) {
  const moment = moments[position], step = moment && level().steps[moment.s];
  open(index);
  const reached = ({ s }) => {
    const { phase, rank } = level().steps[s];
    return phase === step.phase && (phase === "forward" ? rank >= step.rank : rank <= step.rank);
  };
  position = step ? moments.findIndex((m) => m !== null && reached(m)) : 0;
  if (position < 0) position = moments.length - 1;
  chosen = null;
  render();
  start();
}

// -- pan and zoom ------------------------------------------------------------------------------------------
// By a transform of the whole picture: another viewBox would have each of its texts laid out again. What is looked at is
// the point `eye` of the drawing in the middle, `closer` times as large as the whole graph fits; an em is EM units there.
const EM = 9, LEGIBLE = 6, LARGEST = 150;
let eye, closer;
const middle = () => [picture[0] + picture[2] / 2, picture[1] + picture[3] / 2];
const fitting = () => Math.min(graph.clientWidth / picture[2], graph.clientHeight / picture[3]);
const pixels = () => fitting() * closer; // per unit of the drawing
function look() {
  const [x, y] = middle().map((m, i) => (m - eye[i]) * pixels());
  svg.style.transform = `translate(${x}px, ${y}px) scale(${closer})`;
}
function zoom(factor, at = eye) {
  const before = closer;
  closer = Math.max(Math.min(closer * factor, LARGEST / EM / fitting()), 0.25);
  eye = eye.map((v, i) => at[i] + ((v - at[i]) * before) / closer);
  look();
}
function home() {
  eye = middle();
  closer = 1;
  look();
}
function under(e) {
  const box = graph.getBoundingClientRect();
  return [eye[0] + (e.clientX - box.x - box.width / 2) / pixels(), eye[1] + (e.clientY - box.y - box.height / 2) / pixels()];
}
function follow(id) {
  const n = nodes.get(id);
  if (!n) return;
  const at = [n.box.x + n.box.width / 2 + origin.e, n.box.y + n.box.height / 2 + origin.f];
  const room = [graph.clientWidth / pixels() - n.box.width, graph.clientHeight / pixels() - n.box.height];
  if (at.every((v, i) => Math.abs(v - eye[i]) <= Math.max(room[i] / 2, 0))) return;
  eye = at;
  look();
}
graph.addEventListener("wheel", (e) => { e.preventDefault(); zoom(Math.exp(-e.deltaY / 500), under(e)); }, { passive: false });
let drag = null;
const dragging = () => drag !== null && dragged;
graph.addEventListener("pointerdown", (e) => { drag = [e.clientX, e.clientY, ...eye]; dragged = false; });
addEventListener("pointermove", (e) => {
  if (!drag) return;
  dragged ||= Math.hypot(e.clientX - drag[0], e.clientY - drag[1]) > 4;
  eye = [drag[2] - (e.clientX - drag[0]) / pixels(), drag[3] - (e.clientY - drag[1]) / pixels()];
  look();
});
addEventListener("pointerup", () => { drag = null; });
addEventListener("pointercancel", () => { drag = null; });
addEventListener("resize", look);
button("+", "Zoom in", () => zoom(1.25));
button("−", "Zoom out", () => zoom(0.8));
button("fit", "Whole graph", home);

const KEYS = {
  ArrowRight: () => { stop(); go(position + 1); }, ArrowLeft: () => { stop(); go(position - 1); }, " ": toggle,
  Home: () => { stop(); go(0); }, End: () => { stop(); go(moments.length - 1); },
  "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), 0: home,
};
addEventListener("keydown", (e) => {
  const target = e.target;
  if (e.ctrlKey || e.metaKey || e.altKey || !KEYS[e.key]) return;
  if (target.closest(".scroller, select, input[type=checkbox]")) return; // they have a use for these keys themselves
  if (e.key === " " ? target instanceof HTMLButtonElement : target instanceof HTMLInputElement) return;
  e.preventDefault();
  KEYS[e.key]();
});
function start() { // a graph too large to be read starts enlarged, at the current op or the first
  home();
  if (EM * pixels() >= LEGIBLE) return;
  zoom((LEGIBLE + 2) / (EM * pixels()));
  const step = level().steps[position ? moments[position].s : 0];
  if (step) follow(step.node);
}
unpack().then(() => {
  addChoices();
  open(data.shown);
  render();
  start();
  document.documentElement.dataset.ready = "";
}, (error) => panel.replaceChildren(element("p", { text: `This browser can't unpack the page: it needs one of 2023 or later. (${error})` })));

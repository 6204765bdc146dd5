"use strict";
// Plays the steps in #data on the SVG in #graph. A position is a moment: 0 before anything happened, then one per op
// of the forward pass, then one per contribution of the backward pass. What is shown depends on the position alone.
const data = JSON.parse(document.getElementById("data").textContent);
const graph = document.getElementById("graph"), svg = graph.querySelector("svg");
const panel = document.getElementById("panel"), details = document.getElementById("details");
const SVG = "http://www.w3.org/2000/svg", MATH = "http://www.w3.org/1998/Math/MathML";
const byId = new Map(data.nodes.map((n, i) => [n.id, Object.assign(n, { index: i })]));
const still = matchMedia("(prefers-reduced-motion: reduce)");

// -- moments ------------------------------------------------------------------------------------
const moments = [null];
data.steps.forEach((step, s) => {
  if (step.phase === "forward") moments.push({ s, c: null });
  else step.contributions.forEach((_, c) => moments.push({ s, c }));
});
let position = 0, shownFrame = 0, chosen = null, timer = null;
const frame = () => data.frames[shownFrame];

function element(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes)) k === "text" ? (e.textContent = v) : e.setAttribute(k, v);
  e.append(...children);
  return e;
}

// -- numbers --------------------------------------------------------------------------------------
function short(x) {
  x = Number(x);
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf";
  if (x !== 0 && (Math.abs(x) < 1e-4 || Math.abs(x) >= 1e6)) return x.toExponential(3).replace(/\.?0+e/, "e");
  return String(Number(x.toPrecision(4)));
}
const size = (a) => a.shape.reduce((p, n) => p * n, 1);
const brackets = (a) => `(${a.shape.join(", ")}${a.shape.length === 1 ? "," : ""})`;
function brief(a) {
  if (a.values && size(a) === 1) return short(a.values[0]);
  if (a.values && size(a) > 0) {
    const text = a.values.map(short).join(", ");
    if (text.length <= 22) return `[${text}]`;
  }
  if (a.least !== null && a.least === a.greatest && !a.odd) return `all ${short(a.least)}`;
  return a.least === null ? (size(a) ? "not finite" : "empty") : `${short(a.least)} … ${short(a.greatest)}`;
}
function shade(v, most) {
  v = Number(v);
  if (!Number.isFinite(v)) return "#d5b8e8";
  const zero = [250, 250, 250], end = v < 0 ? [91, 155, 213] : [232, 146, 60], t = most ? Math.min(Math.abs(v) / most, 1) : 0;
  return `rgb(${zero.map((z, i) => Math.round(z + (end[i] - z) * t)).join(",")})`;
}
function arrayTable(a) {
  const rows = a.values ? [] : a.grid || [];
  if (a.values) {
    const width = Math.max(a.shape.length ? a.shape[a.shape.length - 1] : 1, 1);
    for (let i = 0; i < a.values.length; i += width) rows.push(a.values.slice(i, i + width));
  }
  const most = Math.max(0, ...rows.flat().map((v) => Math.abs(Number(v))).filter(Number.isFinite)); // of what is shown
  const table = element("table", { class: "array" });
  for (const row of rows) {
    const tr = table.insertRow();
    for (const v of row) {
      const td = tr.insertCell();
      td.textContent = short(v);
      td.style.background = shade(v, most);
    }
  }
  const span = a.least === null ? "no finite number" : `from ${short(a.least)} to ${short(a.greatest)}, mean ${short(a.mean)}`;
  const note = `${brackets(a)} ${a.dtype}; ${span}${a.odd ? `; ${a.odd} not finite` : ""}${a.values ? "" : "; means over blocks"}`;
  const all = document.createDocumentFragment();
  all.append(table, element("p", { class: "stats", text: note }));
  return all;
}

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
function math(text) {
  const row = tag("mrow");
  for (let t of text.replace(/(\p{L}[\p{L}\p{N}_₀-₉]*)ᵀ/gu, "$1\u0000ᵀ").match(TOKEN) || []) {
    if (/^\s+$/.test(t) || t === "\u0000") continue;
    if (t.startsWith("∂") && t.includes("/∂")) {
      const [above, below] = t.split("/∂");
      row.append(tag("mfrac", tag("mrow", tag("mo", "∂"), name(above.slice(1))), tag("mrow", tag("mo", "∂"), name(below))));
    } else if (POWER[t] && row.lastChild) {
      const base = row.lastChild;
      row.append(tag("msup", base, t === "ᵀ" ? tag("mi", "T") : tag("mn", POWER[t])));
    } else if (/^\d/.test(t)) row.append(tag("mn", t));
    else if (/^[\p{L}_]/u.test(t)) {
      const trailing = /^(.+?)([²³ᵀ])$/u.exec(t);
      row.append(trailing ? tag("msup", name(trailing[1]), trailing[2] === "ᵀ" ? tag("mi", "T") : tag("mn", POWER[trailing[2]])) : name(t));
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
svg.setAttribute("role", "group"); // what is inside an "img" can't be reached by a screen reader
for (const n of data.nodes) {
  const g = svg.getElementById ? svg.getElementById(n.id) : document.getElementById(n.id);
  if (!g) continue;
  const shape = g.querySelector("polygon, path, ellipse"), box = shape.getBBox(), x = box.x + box.width / 2;
  const line = (cls, y) => {
    const t = document.createElementNS(SVG, "text");
    t.setAttribute("class", cls);
    t.setAttribute("x", x);
    t.setAttribute("y", y);
    g.append(t);
    return t;
  };
  g.setAttribute("tabindex", "0");
  g.setAttribute("role", "button");
  nodes.set(n.id, { g, box, value: line("value", box.y + box.height - 8), gradient: line("gradient", box.y + 14) });
  g.addEventListener("click", () => { if (!dragged) choose(n.id); });
  g.addEventListener("mouseenter", () => peek(n.id));
  g.addEventListener("mouseleave", () => peek(chosen));
  g.addEventListener("focus", () => { if (g.matches(":focus-visible")) follow(n.id); peek(n.id); });
  g.addEventListener("keydown", (e) => { if (e.key === "Enter") { choose(n.id); e.stopPropagation(); } });
}
for (const step of data.steps) for (const id of step.edges) if (!edges.has(id)) edges.set(id, document.getElementById(id));

// What is known at a position: each node's value or none, its gradient so far or none.
function state(at) {
  const values = new Map(), gradients = new Map(), counts = new Map();
  for (const n of data.nodes) if (n.op === null) values.set(n.id, frame().values[n.index]);
  for (let i = 1; i <= at; i++) {
    const { s, c } = moments[i], step = data.steps[s], now = frame().steps[s];
    if (c === null) values.set(step.node, frame().values[byId.get(step.node).index]);
    else {
      if (now.seed) gradients.set(step.node, now.seed);
      const part = step.contributions[c];
      gradients.set(part.to, now.contributions[c].total);
      counts.set(part.to, [part.count, part.of]);
    }
  }
  return { values, gradients, counts };
}

// A page of hundreds of nodes is laid out again only where something differs.
function write(text, content) { if (text.textContent !== content) text.textContent = content; }
let known = state(0);
function render() {
  known = state(position);
  const moment = moments[position], step = moment && data.steps[moment.s];
  const part = step && moment.c !== null ? step.contributions[moment.c] : null;
  graph.className = step ? step.phase : "start";
  for (const [id, n] of nodes) {
    const v = known.values.get(id), g = known.gradients.get(id), count = known.counts.get(id);
    write(n.value, v ? brief(v) : "");
    write(n.gradient, g ? `∂ ${brief(g)}${count && count[0] < count[1] ? ` (${count[0]} of ${count[1]})` : ""}` : "");
    n.g.classList.toggle("unborn", !v);
    n.g.classList.toggle("now", Boolean(step) && step.node === id);
    n.g.classList.toggle("receives", Boolean(part) && part.to === id);
    const told = label(id);
    if (n.g.getAttribute("aria-label") !== told) n.g.setAttribute("aria-label", told);
  }
  const flowing = part ? [part.edge] : step ? step.edges : [];
  for (const [id, e] of edges) if (e) e.classList.toggle("flow", flowing.includes(id));
  slider.value = position;
  slider.setAttribute("aria-valuetext", where());
  output.textContent = where();
  writePanel(moment, step, part);
  peek(chosen);
}
function where() {
  const step = moments[position] && data.steps[moments[position].s];
  return `${position} / ${moments.length - 1} ${step ? step.phase : "start"}`;
}
function label(id) {
  const n = byId.get(id), v = known.values.get(id), g = known.gradients.get(id);
  return `${n.name}, ${n.op ? n.formula : n.kind}; value ${v ? brief(v) : "not computed yet"}; gradient ${g ? brief(g) : "not arrived"}`;
}

function definition(list, term, content, cls) {
  const dd = element("dd", cls ? { class: cls } : {});
  dd.append(content);
  list.append(element("dt", { text: term }), dd);
}
function writePanel(moment, step, part) {
  panel.className = step ? step.phase : "start";
  if (!step) {
    panel.replaceChildren(element("h2", { text: "Before the forward pass" }), element("p", { text: "Parameters and inputs have values; nothing has been computed. Step on to compute, op by op." }));
    return;
  }
  const n = byId.get(step.node), now = frame().steps[moment.s], list = element("dl");
  if (!part) {
    definition(list, "in symbols", math(step.symbols));
    definition(list, "in shapes", now.shapes, "mono");
    definition(list, "in numbers", now.numbers, "mono");
    panel.replaceChildren(element("h2", { text: `Forward: compute ${n.name}` }), list);
    return;
  }
  const numbers = now.contributions[moment.c];
  definition(list, "chain rule, in symbols", math(part.symbols));
  if (part.derivative) definition(list, "because", math(part.derivative));
  definition(list, "in shapes", numbers.shapes, "mono");
  definition(list, "in numbers", numbers.numbers, "mono");
  const heading = element("h2", { text: `Backward: through ${n.name} = ${n.formula} to ${byId.get(part.to).name}` });
  panel.replaceChildren(heading, list);
  if (part.note) panel.append(element("p", { text: `Broadcast on the way down, so on the way up: ${part.note}.` }));
  if (part.of > 1) {
    const done = part.count === part.of;
    const text = `Used ${part.of} times: contribution ${part.count} of ${part.of}. ${done ? "The gradient is complete:" : "The sum so far:"}`;
    const sum = element("div", { class: "sum" }, element("p", { text }));
    sum.append(arrayTable(numbers.total));
    panel.append(sum);
  }
}

function peek(id) {
  if (id === null || !byId.has(id)) {
    details.replaceChildren(element("h2", { text: "A node in detail" }), element("p", { class: "stats", text: "Point at a node, or choose it with Enter, for its array, statistics and source line." }));
    return;
  }
  const n = byId.get(id), v = known.values.get(id), g = known.gradients.get(id);
  const parts = [element("h2", { text: n.op ? `${n.name} = ${n.formula}` : `${n.name} (${n.kind})` })];
  if (n.site) parts.push(element("p", { class: "source", text: n.site }));
  if (n.stale) parts.push(element("p", { text: "Changed since it was recorded." }));
  const list = element("dl");
  definition(list, "value", v ? arrayTable(v) : "not computed yet");
  if (n.cotangent) definition(list, `gradient ${n.cotangent}`, g ? arrayTable(g) : "has not arrived yet");
  details.replaceChildren(...parts, list);
}
function choose(id) {
  chosen = chosen === id ? null : id;
  for (const [k, n] of nodes) n.g.classList.toggle("chosen", k === chosen);
  peek(chosen);
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
  if (position) follow(data.steps[moments[position].s].node);
}
function stop() { clearInterval(timer); timer = null; play.textContent = "play"; play.setAttribute("aria-label", "Play"); play.title = "Play"; }
function toggle() {
  if (timer !== null) return stop();
  if (position === moments.length - 1) go(0);
  play.textContent = "pause"; play.setAttribute("aria-label", "Pause"); play.title = "Pause";
  timer = setInterval(() => { go(position + 1); if (position === moments.length - 1) stop(); }, still.matches ? 1600 : 1100);
}
function range(id, text, max, onInput) {
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
const slider = range("step", "step", moments.length - 1, (v) => { stop(); go(v); });
const output = element("output", { for: "step" });
controls.append(output);
if (data.frames.length > 1) {
  const told = element("output", { for: "frame", text: data.frames[0].label });
  range("frame", "training", data.frames.length - 1, (v) => { shownFrame = v; told.textContent = frame().label; render(); });
  controls.append(told);
}

// -- pan and zoom ------------------------------------------------------------------------------------------
// By a transform of the whole picture: another viewBox would have each of its texts laid out again. What is looked at is
// the point `eye` of the drawing in the middle, `closer` times as large as the whole graph fits; an em is EM units there.
const [left, above, width, height] = svg.getAttribute("viewBox").split(/[\s,]+/).map(Number), EM = 9, LEGIBLE = 6, LARGEST = 150;
const origin = graph.querySelector("g.graph").transform.baseVal.consolidate().matrix;
let eye, closer;
const fitting = () => Math.min(graph.clientWidth / width, graph.clientHeight / height);
const pixels = () => fitting() * closer; // per unit of the drawing
function look() {
  const x = (left + width / 2 - eye[0]) * pixels(), y = (above + height / 2 - eye[1]) * pixels();
  svg.style.transform = `translate(${x}px, ${y}px) scale(${closer})`;
}
function zoom(factor, at = eye) {
  const before = closer;
  closer = Math.max(Math.min(closer * factor, LARGEST / EM / fitting()), 0.25);
  eye = eye.map((v, i) => at[i] + ((v - at[i]) * before) / closer);
  look();
}
function home() {
  eye = [left + width / 2, above + height / 2];
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
  const target = e.target, typing = target instanceof HTMLInputElement;
  if (e.ctrlKey || e.metaKey || e.altKey || (typing && e.key !== " ") || !KEYS[e.key]) return;
  if (e.key === " " && target instanceof HTMLButtonElement) return;
  e.preventDefault();
  KEYS[e.key]();
});
render();
home();
if (EM * pixels() < LEGIBLE) { // a graph too large to be read starts enlarged, at its first op
  zoom((LEGIBLE + 2) / (EM * pixels()));
  follow(data.steps[0].node);
}

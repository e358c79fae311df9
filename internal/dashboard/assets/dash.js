// The live page: draws what /admin/stream sends each second, and what was before from /admin/history.
"use strict";
(() => {
const $ = (id) => document.getElementById(id);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const el = (tag, props, ...children) => {
  const e = Object.assign(document.createElement(tag), props);
  e.append(...children);
  return e;
};

// ---- how numbers are written
const num = (v) => v == null ? "–" : v >= 1e6 ? (v / 1e6).toFixed(2) + " M" : v >= 1e4 ? (v / 1e3).toFixed(1) + " k" : v >= 100 ? v.toFixed(0) : v >= 1 ? v.toFixed(Number.isInteger(v) ? 0 : 1) : v >= .001 ? v.toPrecision(2) : "0";
const time = (v) => v == null ? "–" : v >= 1 ? v.toFixed(2) + " s" : v >= 1e-3 ? (v * 1e3).toFixed(v >= .1 ? 0 : 1) + " ms" : v > 0 ? (v * 1e6).toFixed(0) + " µs" : "0";
const share = (v) => v == null ? "–" : (v * 100).toFixed(v > .995 && v < 1 ? 3 : 1) + " %";
const bytes = (v) => v == null ? "–" : v >= 1 << 30 ? (v / (1 << 30)).toFixed(2) + " GiB" : v >= 1 << 20 ? (v / (1 << 20)).toFixed(0) + " MiB" : (v / 1024).toFixed(0) + " KiB";
const money = (v) => v == null ? "–" : (v / 100).toLocaleString(undefined, { maximumFractionDigits: v < 1e4 ? 2 : 0 });
const dollars = (v) => v == null ? "–" : "$" + (v >= .01 ? v.toFixed(3) : v.toPrecision(2));

// ---- tiles: [figure, what it is, how it is written, when it is good, when it is bad]
const tiles = [
  ["http.rps", "requests/s", num],
  ["http.good_ratio", "good answers", share, (v) => v >= .9999, (v) => v < .999],
  ["http.p50_s", "p50", time],
  ["http.p95_s", "p95", time, (v) => v < .1, (v) => v > .5],
  ["http.p99_s", "p99", time, (v) => v < .3, (v) => v > 1],
  ["edge.hit_ratio", "edge hits", share, (v) => v > .8, (v) => v < .5],
  ["orders.per_min", "orders/min", num],
  ["revenue.per_min", "revenue/min", money],
  ["cost.per_order", "cost of 1,000 orders", (v) => dollars(v * 1000), (v) => v < .001, (v) => v > .01],
  ["db.p99_s", "query p99", time, (v) => v < .01, (v) => v > .1],
  ["replica.lag_s.max", "replica lag", time, (v) => v < .5, (v) => v > 5],
  ["queue.depth", "waiting in the queue", num, (v) => v < 1000, (v) => v > 1e5],
  ["waitroom.waiting", "in the waiting room", num],
  ["admission.limit", "admitted at once", num],
  ["shed.ratio", "shed", share, (v) => v === 0, (v) => v > .05],
  ["cpu.cores", "cores busy", num],
];
const drawTiles = (v) => {
  const box = $("tiles");
  for (const [name, what, write, good, bad] of tiles) {
    let t = box.querySelector(`[data-name="${name}"]`);
    if (!t) {
      t = el("div", { className: "tile" }, el("b"), el("span", { textContent: what }));
      t.dataset.name = name;
      box.append(t);
    }
    t.firstChild.textContent = v[name] == null ? "–" : write(v[name]);
    t.className = "tile" + (good && v[name] != null ? good(v[name]) ? " good" : bad(v[name]) ? " bad" : " warn" : "");
  }
};

// ---- charts: title, how values are written, [figure, label, colour]…
const charts = [
  ["Requests", num, ["http.rps", "requests/s", "--blue"], ["http.bad_rps", "bad/s", "--red"], ["limit.refused_rps", "limited/s", "--amber"]],
  ["Latency at the edge", time, ["http.p50_s", "p50", "--green"], ["http.p95_s", "p95", "--amber"], ["http.p99_s", "p99", "--red"]],
  ["Hits by tier", share, ["edge.hit_ratio", "edge", "--blue"], ["cache.l1.hit_ratio", "in process", "--teal"], ["cache.l2.hit_ratio", "Redis", "--violet"]],
  ["Orders", num, ["orders.per_min", "orders/min", "--teal"]],
  ["Databases", time, ["db.p50_s", "p50", "--green"], ["db.p99_s", "p99", "--red"]],
  ["Replica lag", time, ["replica.lag_s.max", "the furthest behind", "--violet"]],
  ["Reads of the catalogue", share, ["replica.read_share", "served by replicas", "--teal"]],
  ["Queries and loads", num, ["db.qps", "queries/s", "--blue"], ["cache.loads_rps", "cache loads/s", "--amber"]],
  ["Queue", num, ["queue.depth", "waiting", "--violet"], ["queue.dead", "dead letters", "--red"]],
  ["CPU", num, ["cpu.cores", "cores", "--amber"]],
  ["Memory", bytes, ["mem.bytes", "all processes", "--violet"], ["cache.l1.bytes", "L1", "--teal"], ["edge.bytes", "edge cache", "--blue"]],
  ["Admission", num, ["admission.limit", "limit", "--blue"], ["admission.in_flight", "in flight", "--teal"], ["waitroom.waiting", "waiting room", "--violet"]],
];
let minutes = 15, at = [], data = {}, drawn = [];
// What began or ended is a line in every chart, with its name; it stays when it is over.
const marks = new Map();
const mark = (time, label, colour) => {
  marks.set(label + Math.round(time), { time, label, colour });
  if (marks.size > 60) marks.delete(marks.keys().next().value);
};
const markPlugin = { hooks: { draw: (u) => {
  const { ctx, bbox } = u, size = 11 * devicePixelRatio;
  ctx.save();
  ctx.font = `${size}px system-ui, sans-serif`; ctx.textAlign = "left"; ctx.textBaseline = "alphabetic"; // axes leave theirs
  let row = 0;
  for (const m of [...marks.values()].sort((a, b) => a.time - b.time)) {
    const x = u.valToPos(m.time, "x", true), wide = ctx.measureText(m.label).width + 8;
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = css(m.colour); ctx.setLineDash([4, 4]); ctx.lineWidth = devicePixelRatio;
    ctx.beginPath(); ctx.moveTo(x, bbox.top); ctx.lineTo(x, bbox.top + bbox.height); ctx.stroke();
    const left = x + wide > bbox.left + bbox.width ? x - wide : x + 4, top = bbox.top + size * 1.25 * (row++ % 4);
    ctx.strokeStyle = css("--panel"); ctx.setLineDash([]); ctx.lineWidth = 4 * devicePixelRatio; // a halo, to be read over lines
    ctx.strokeText(m.label, left, top + size);
    ctx.fillStyle = css(m.colour);
    ctx.fillText(m.label, left, top + size);
  }
  ctx.restore();
} } };
const hour = (t, seconds) => new Date(t * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined, hourCycle: "h23" });
const makeCharts = () => {
  drawn.forEach((d) => d.u.destroy());
  drawn = [];
  $("charts").replaceChildren();
  for (const [title, write, ...lines] of charts) {
    const shown = lines.filter(([name]) => name in data);
    if (!shown.length) continue;
    const box = el("div", { className: "panel" }, el("h2", { textContent: title }));
    $("charts").append(box);
    const axis = { stroke: css("--soft"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line"), width: 1 } };
    const u = new uPlot({
      width: Math.max(box.clientWidth - 32, 200), height: 170, padding: [10, 8, 0, 0], cursor: { sync: { key: "stampede" } }, plugins: [markPlugin],
      scales: { y: { range: (_, lo, hi) => [0, hi > 0 ? hi * 1.1 : 1] } },
      axes: [{ ...axis, size: 30, space: 70, values: (_, all, __, ___, step) => all.map((t) => hour(t, step < 60)) }, { ...axis, size: 64, values: (_, all) => all.map(write) }],
      series: [{ label: "at", value: (_, t) => t == null ? "–" : hour(t, true) }, ...shown.map(([, label, colour]) => ({ label, stroke: css(colour), width: 1.5, spanGaps: true, points: { show: false }, value: (_, v) => write(v) }))],
    }, [at, ...shown.map(([name]) => data[name])], box);
    drawn.push({ u, box, names: shown.map(([name]) => name) });
  }
};
const load = async () => {
  const r = await fetch("/admin/history?minutes=" + minutes);
  if (!r.ok) return;
  const h = await r.json();
  data = h.values;
  if (!columns.length) columns.push(...(h.heat.columns ?? []));
  const n = Math.max(0, ...Object.values(data).map((l) => l.length));
  at = Array.from({ length: n }, (_, i) => h.from + i * h.step);
  makeCharts();
};
const append = (s) => {
  const t = Math.floor(Date.parse(s.time) / 1000);
  if (t <= at[at.length - 1]) return;
  at.push(t);
  const fresh = Object.keys(s.values).some((name) => !(name in data) && charts.some(([, , ...l]) => l.some(([n]) => n === name)));
  for (const name of new Set([...Object.keys(data), ...Object.keys(s.values)])) {
    (data[name] ??= new Array(at.length - 1).fill(null)).push(s.values[name] ?? null);
  }
  while (at.length && at[0] < t - minutes * 60) {
    at.shift();
    for (const list of Object.values(data)) list.shift();
  }
  if (fresh) return makeCharts();
  if (document.hidden) return;
  for (const { u, names } of drawn) {
    u.setData([at, ...names.map((name) => data[name])]);
    if (u.cursor.idx == null) u.setLegend({ idx: at.length - 1 }); // what is now, unless somebody points at what was
  }
};

// ---- the heat map: a column a second, newest right
const columns = [];
let bounds = null;
const addHeat = (heat) => {
  if (!heat.bounds) return;
  bounds = heat.bounds;
  columns.push(heat.counts);
  while (columns.length > 600) columns.shift();
  drawHeat();
};
const drawHeat = () => {
  const canvas = $("heat"), w = canvas.clientWidth, h = 220, ratio = devicePixelRatio;
  if (!bounds || document.hidden) return;
  canvas.width = w * ratio; canvas.height = h * ratio;
  const g = canvas.getContext("2d");
  g.scale(ratio, ratio);
  const left = 64, rows = bounds.length + 1, rowH = (h - 4) / rows, colW = Math.max((w - left) / 300, 2), rgb = css("--heat");
  const most = Math.log1p(Math.max(1, ...columns.flat()));
  const shown = columns.slice(-Math.floor((w - left) / colW));
  shown.forEach((col, i) => col.forEach((n, r) => {
    if (!n) return;
    g.fillStyle = `rgba(${rgb}, ${.12 + .88 * Math.log1p(n) / most})`;
    g.fillRect(w - (shown.length - i) * colW, h - 2 - (r + 1) * rowH, colW + .5, rowH - 1);
  }));
  g.fillStyle = css("--soft"); g.font = "11px system-ui"; g.textBaseline = "middle";
  bounds.forEach((b, r) => { if (r % 2 === 0) g.fillText("≤ " + time(b), 0, h - 2 - (r + .5) * rowH); });
};
$("heat").addEventListener("mousemove", (e) => {
  const w = e.target.clientWidth, colW = Math.max((w - 64) / 300, 2), back = Math.floor((w - e.offsetX) / colW) + 1, col = columns[columns.length - back];
  if (!col) return;
  const row = Math.floor((218 - e.offsetY) / (216 / col.length));
  $("heatnote").textContent = `${back - 1} s ago: ${num(col[row] ?? 0)} of ${num(col.reduce((a, b) => a + b, 0))} requests in this band`;
});

// ---- tables
const table = (id, head, rows) => {
  const line = (cells, tag) => el("tr", {}, ...cells.map((c) => {
    const [text, cls] = Array.isArray(c) ? c : [c, ""];
    return el(tag, { textContent: text, className: cls, ...(tag === "th" && { scope: "col" }) });
  }));
  $(id).replaceChildren(line(head, "th"), ...(rows.length ? rows.map((r) => line(r, "td")) : [el("tr", {}, el("td", { className: "soft", textContent: "nothing lately", colSpan: head.length }))]));
};
const rowCells = (r) => [r.name, num(r.rate), [num(r.bad_rate), r.bad_rate > 0 ? "bad" : ""], time(r.p50_s), time(r.p95_s), time(r.p99_s)];
const drawTables = (s, running) => {
  const head = (what) => [what, "per s", "bad/s", "p50", "p95", "p99"];
  table("routes", head("route"), (s.routes ?? []).map(rowCells));
  table("queries", head("statement"), (s.queries ?? []).map(rowCells));
  table("families", ["family", "lookups/s", "L1", "L2 of the rest", "loads/s"], (s.families ?? []).map((f) => [f.name, num(f.rate), share(f.l1), share(f.l2), num(f.loads)]));
  table("replicas", ["server", "state", "reads/s", "lag", "latency"], (s.replicas ?? []).filter((r) => !running.size || running.has(r.name)).map((r) => // others are names for what a failover may bring
    [(r.set > 1 ? r.set + "/" : "") + r.name, [r.healthy ? "serves" : "out", r.healthy ? "ok" : "bad"], num(r.rate), [time(r.lag_s), r.lag_s > 5 ? "bad" : ""], time(r.latency_s)]));
  table("queues", ["consumer", "waiting", "handled/s", "lag p95", "dead"], (s.queues ?? []).map((q) => [q.name, num(q.pending), num(q.rate), time(q.lag_p95_s), [num(q.dead), q.dead ? "bad" : ""]]));
  table("processes", ["process", "cores", "memory"], (s.processes ?? []).map((p) => [p.name, num(p.cores), bytes(p.bytes)]));
  const most = Math.max(1e-9, ...(s.shards ?? []).map((r) => r.rate));
  $("shards").replaceChildren(...(s.shards ?? []).map((r) => {
    const c = el("div", { className: "cell", title: `p50 ${time(r.p50_s)}, p95 ${time(r.p95_s)}` }, el("span", { className: "soft", textContent: r.name }), el("b", { textContent: num(r.rate) + "/s" }), `p99 ${time(r.p99_s)}`);
    c.style.background = `rgba(${css("--heat")}, ${.05 + .3 * r.rate / most})`;
    return c;
  }));
};

// ---- the stream
let heard = 0;
const show = (stats) => {
  const s = stats.figures;
  heard = Date.now();
  const p = stats.platform;
  if (p) {
    const down = p.processes.filter((x) => x.state !== "running").map((x) => x.name);
    $("health").textContent = p.healthy ? "healthy" : "not well: " + down.join(", ");
    $("health").className = "pill " + (p.healthy ? "good" : "bad");
  }
  if (!s || !s.values) return;
  $("clock").textContent = hour(Date.parse(s.time) / 1000, true);
  drawTiles(s.values); append(s); addHeat(s.heat); drawTables(s, new Set(p?.processes.map((x) => x.name)));
  document.dispatchEvent(new CustomEvent("snapshot", { detail: stats }));
};
const listen = () => {
  const source = new EventSource("/admin/stream");
  source.addEventListener("stats", (e) => show(JSON.parse(e.data)));
};
setInterval(() => {
  if (heard && Date.now() - heard > 4000) {
    $("health").textContent = "no figures for " + Math.round((Date.now() - heard) / 1000) + " s";
    $("health").className = "pill bad";
  }
}, 1000);
$("minutes").addEventListener("change", (e) => { minutes = +e.target.value; load(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", makeCharts);
addEventListener("resize", () => {
  drawn.forEach(({ u, box }) => u.setSize({ width: Math.max(box.clientWidth - 32, 200), height: 170 }));
  drawHeat();
});
window.stampede = { $, el, num, time, share, mark, hour };
load().then(listen);
})();

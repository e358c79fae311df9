// Alerts, advice, profiles, traces, and what an operator can do from the live page.
"use strict";
(() => {
const { $, el, time, marks } = window.stampede;
const ask = async (path, method = "GET", body) => {
  const r = await fetch(path, { method, headers: body ? { "Content-Type": "application/json" } : {}, body: body && JSON.stringify(body) });
  const text = await r.text();
  let answer = text;
  try { answer = JSON.parse(text); } catch { /* plain text */ }
  if (!r.ok) throw Object.assign(new Error(answer.detail ?? text), { status: r.status });
  return answer;
};
const said = (text) => { $("acted").textContent = text; };

// ---- alerts and advice
const gone = new Set(); // paths this platform does not have
const poll = async (path, draw) => {
  if (gone.has(path) || document.hidden) return;
  try { draw(await ask(path)); } catch (e) { if (e.status === 404) gone.add(path); }
};
const none = () => el("li", { className: "soft", textContent: "none" });
const drawAlerts = (got) => {
  const list = (got.alerts ?? got ?? []).filter((a) => a.state !== "inactive");
  marks.alerts = [];
  $("alerts").replaceChildren(...(list.length ? list.map((a) => {
    if (a.state === "firing") marks.alerts.push({ time: Date.parse(a.since) / 1000, colour: "--red" });
    const cls = a.state === "firing" ? { page: "critical", ticket: "warning" }[a.severity] ?? "" : a.state;
    const li = el("li", { className: cls }, el("b", { textContent: a.name }), ` ${a.state} since ${new Date(a.since).toLocaleTimeString()}${a.silenced ? ", silenced" : ""}. ${a.text} ${a.reason} `,
      el("code", { textContent: a.runbook }));
    return li;
  }) : [none()]));
};
const drawAdvice = (got) => {
  const list = got.advice ?? got ?? [];
  $("advice").replaceChildren(...(list.length ? list.map((a) => el("li", { className: "warning" }, el("b", { textContent: a.title }), ` ${a.text ?? a.evidence ?? ""} `, a.command ? el("code", { textContent: a.command }) : "")) : [none()]));
};
setInterval(() => { poll("/admin/alerts", drawAlerts); poll("/admin/advice", drawAdvice); }, 2000);

// ---- profile
document.addEventListener("snapshot", (e) => {
  const who = $("who");
  for (const { name } of e.detail.platform?.processes ?? []) {
    if (/^(api|worker|edge|analytics)/.test(name) && ![...who.options].some((o) => o.value === name)) who.append(new Option(name));
  }
});
const flame = (root) => {
  const box = $("flame"), total = root.value;
  box.replaceChildren();
  let deepest = 0;
  const draw = (n, left, depth) => {
    if (n.value / total < .002 || depth > 60) return;
    deepest = Math.max(deepest, depth);
    const d = el("div", { textContent: n.name, title: `${n.name}\n${(n.value / total * 100).toFixed(1)} %`, onclick: () => flame(n === root ? whole : n) });
    d.style.left = left * 100 + "%"; d.style.width = n.value / total * 100 + "%"; d.style.top = depth * 19 + "px";
    box.append(d);
    for (const c of n.children ?? []) { draw(c, left, depth + 1); left += c.value / total; }
  };
  draw(root, 0, 0);
  box.style.height = (deepest + 1) * 19 + "px";
};
let whole;
$("profile").addEventListener("submit", async (e) => {
  e.preventDefault();
  const button = e.target.querySelector("button");
  button.disabled = true;
  $("profilenote").textContent = "measuring…";
  try {
    whole = await ask(`/admin/flame?process=${$("who").value}&seconds=${$("seconds").value}`);
    $("profilenote").textContent = whole.value ? `${time(whole.value / 1e9)} of CPU; click a frame to look closer, the top one to go back` : "it used no CPU";
    if (whole.value) flame(whole);
  } catch (err) { $("profilenote").textContent = err.message; }
  button.disabled = false;
});

// ---- traces
$("find").addEventListener("submit", async (e) => {
  e.preventDefault();
  const id = $("trace").value.trim();
  if (!id) return;
  $("tracetitle").textContent = "Request " + id;
  try {
    const got = await ask("/admin/trace/" + encodeURIComponent(id)), spans = got.spans ?? [];
    const from = Math.min(...spans.map((s) => Date.parse(s.start))), end = Math.max(...spans.map((s) => Date.parse(s.start) + s.duration_s * 1000));
    $("spans").replaceChildren(...spans.map((s) => {
      const bar = el("b");
      bar.style.left = (Date.parse(s.start) - from) / (end - from) * 100 + "%"; bar.style.width = s.duration_s * 1000 / (end - from) * 100 + "%";
      return el("div", { className: "span", title: JSON.stringify(s.labels ?? {}) }, el("span", { textContent: `${s.process}: ${s.name}` }), el("i", {}, bar), el("span", { textContent: time(s.duration_s) }));
    }));
  } catch (err) { $("spans").textContent = err.message; }
  $("traced").showModal();
});

// ---- purge, warm, chaos
$("purge").addEventListener("submit", async (e) => {
  e.preventDefault();
  const what = $("tag").value.trim();
  try { await ask("/admin/cache/purge", "POST", { tags: [what], keys: [] }); said(`${what} is gone from every tier`); } catch (err) { said(err.message); }
});
$("warm").addEventListener("submit", async (e) => {
  e.preventDefault();
  try { await ask("/admin/cache/warm", "POST"); said("warming has begun"); } catch (err) { said(err.message); }
});
let faults = [];
const drawFault = () => {
  const f = faults.find((x) => x.name === $("fault").value);
  if (!f) return;
  $("faultabout").textContent = `${f.about} Reaches: ${f.blast_radius}.${f.available ? "" : " Not here: " + f.reason}`;
  $("inject").querySelector("button").disabled = !f.available;
  $("params").replaceChildren(...(f.params ?? []).map((p) => el("label", { className: "inline", title: p.about ?? "" }, p.name,
    Object.assign(el("input", { name: p.name, size: 12, placeholder: p.default ?? "" })))));
};
const drawActive = (list) => {
  marks.faults = list.map((i) => ({ time: Date.parse(i.since) / 1000, colour: "--violet" }));
  $("active").replaceChildren(...list.map((i) => {
    return el("li", { className: "critical" }, el("b", { textContent: i.fault }), ` ${i.target ?? ""} until ${new Date(i.until).toLocaleTimeString()} ${i.error ?? ""} `,
      el("button", { type: "button", className: "quiet", textContent: "Undo", onclick: () => act("DELETE", i.id) }));
  }));
};
const chaos = async () => {
  if (document.body.dataset.chaos !== "true" || document.hidden) return;
  const got = await ask("/admin/chaos").catch(() => null);
  if (!got) return;
  if (!faults.length) {
    faults = got.faults;
    $("fault").replaceChildren(...faults.map((f) => new Option(f.name)));
    $("chaos").hidden = false;
    drawFault();
  }
  drawActive(got.active ?? []);
};
const act = async (method, name, body) => {
  try { await ask("/admin/chaos/" + encodeURIComponent(name), method, body); said(name + (method === "DELETE" ? " undone" : " injected")); } catch (err) { said(err.message); }
  chaos();
};
$("fault").addEventListener("change", drawFault);
$("inject").addEventListener("submit", (e) => {
  e.preventDefault();
  const name = $("fault").value, params = {};
  for (const i of $("params").querySelectorAll("input")) if (i.value) params[i.name] = i.value;
  if (confirm(`Inject ${name} for ${$("long").value}?`)) act("POST", name, { params, for: $("long").value });
});
chaos();
setInterval(chaos, 2000);
})();

// Alerts, advice, profiles, traces, and what an operator can do from the live page.
"use strict";
(() => {
const { $, el, time, mark, hour } = window.stampede;
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
// A runbook is shown where it is needed. Of Markdown it has headings, paragraphs, steps and code.
const written = (text) => text.split(/`([^`]+)`/).map((part, i) => i % 2 ? el("code", { textContent: part }) : part);
const pages = (text) => {
  const out = [];
  for (const block of text.replace(/\n +/g, " ").split(/\n{2,}/)) {
    const [, depth, title] = block.match(/^(#+) (.*)/) ?? [], steps = block.split("\n").filter(Boolean);
    if (title) out.push(el(depth.length > 1 ? "h3" : "h2", { textContent: title }));
    else if (/^\d+\. /.test(block)) out.push(el("ol", {}, ...steps.map((s) => el("li", {}, ...written(s.replace(/^\d+\. /, ""))))));
    else out.push(el("p", {}, ...written(block)));
  }
  return out;
};
const runbook = (path) => el("button", { type: "button", className: "link", textContent: "What to do", title: path, onclick: async () => {
  try { $("steps").replaceChildren(...pages(await ask("/assets/" + path.split("/").pop()))); } catch (e) { $("steps").textContent = `${path}: ${e.message}`; }
  $("runbook").showModal();
} });
const at = (t) => hour(Date.parse(t) / 1000, true);
const none = () => el("li", { className: "soft", textContent: "none" });
const drawAlerts = (got) => {
  const list = got.alerts.filter((a) => a.state !== "inactive");
  $("alerts").replaceChildren(...(list.length ? list.map((a) => {
    if (a.state === "firing") mark(Date.parse(a.since) / 1000, a.name, "--red");
    const causes = (a.causes ?? []).map((c) => c.title).join("; ");
    const cls = a.state === "firing" ? { page: "critical", ticket: "warning" }[a.severity] ?? "" : a.state;
    return el("li", { className: cls }, el("b", { textContent: a.name }), ` ${a.state} since ${at(a.since)}${a.silenced ? ", silenced" : ""}. ${a.text} ${a.reason}${causes ? `. Probably because: ${causes}` : ""} `, runbook(a.runbook));
  }) : [none()]));
};
const drawAdvice = (got) => {
  const list = got.advice ?? [];
  const injected = got.injected ?? [];
  const item = (a) => el("li", { className: a.found ? "critical" : "warning" }, el("b", { textContent: a.title }),
    ` ${a.found ? `since ${at(a.since)}: ` : ""}${(a.evidence ?? []).join("; ")}. `, a.cause ? `Probably: ${a.cause}. ` : "", a.explanation ? `${a.explanation} ` : "",
    el("code", { textContent: a.command }), a.runbook ? " " : "", a.runbook ? runbook(a.runbook) : "");
  const planted = (i) => el("li", { className: "soft", textContent: `Somebody injected a fault: ${i.fault}${i.target ? `, ${i.target}` : ""}.` });
  const turned = (t) => el("li", { className: "soft", textContent: `Done at ${at(t.at)}: ${t.setting} ${t.from} → ${t.to}, ${t.reason}${t.error ? ` (failed: ${t.error})` : ""}.` });
  const rows = [...injected.map(planted), ...list.map(item), ...(got.acting?.turns ?? []).slice(-3).reverse().map(turned)];
  $("advice").replaceChildren(...(rows.length ? rows : [none()]));
};
setInterval(() => { poll("/admin/alerts", drawAlerts); poll("/admin/advice", drawAdvice); }, 2000);

// ---- profile
let names = [];
document.addEventListener("snapshot", (e) => {
  const who = $("who");
  names = (e.detail.platform?.processes ?? []).map((p) => p.name);
  for (const { name } of e.detail.platform?.processes ?? []) {
    if (/^(api|worker|edge|analytics)/.test(name) && ![...who.options].some((o) => o.value === name)) who.append(new Option(name));
  }
});
let whole, unit = "";
const amount = (v) => unit.startsWith("nanoseconds") ? time(v / 1e9) + " a second" : unit === "bytes" ? (v / 1048576).toFixed(1) + " MiB" : v;
// With something to compare with, red is what has grown and blue what has shrunk.
const colour = (n, total, before) => {
  if (!before) return "";
  const d = n.value / total - (n.base ?? 0) / before;
  return `color-mix(in srgb, var(${d > 0 ? "--red" : "--blue"}) ${Math.min(75, Math.round(Math.abs(d) * 400))}%, var(--bar))`;
};
const flame = (root) => {
  const box = $("flame"), total = root.value, before = whole.base ?? 0;
  box.replaceChildren();
  let deepest = 0;
  const draw = (n, left, depth) => {
    if (n.value / total < .002 || depth > 60) return;
    deepest = Math.max(deepest, depth);
    const d = el("div", { textContent: n.name.slice(n.name.lastIndexOf("/") + 1), title: `${n.name}\n${amount(n.value)}, ${(n.value / whole.value * 100).toFixed(1)} %${before ? `; before ${((n.base ?? 0) / before * 100).toFixed(1)} %` : ""}`,
      onclick: () => flame(n === root ? whole : n) });
    d.style.left = left * 100 + "%"; d.style.width = n.value / total * 100 + "%"; d.style.top = depth * 19 + "px"; d.style.background = colour(n, whole.value, before);
    box.append(d);
    for (const c of n.children ?? []) { draw(c, left, depth + 1); left += c.value / total; }
  };
  draw(root, 0, 0);
  box.style.height = (deepest + 1) * 19 + "px";
};
$("profile").addEventListener("submit", async (e) => {
  e.preventDefault();
  const span = +$("span").value;
  const base = $("base").checked ? `&base=-${2 * span}m` : "";
  try {
    const got = await ask(`/admin/profile?process=${$("who").value}&kind=${$("kind").value}&from=-${span}m${base}`);
    whole = got.root; unit = got.unit;
    $("profilenote").textContent = `${amount(whole.value)}; click a frame to look closer, the top one to go back`;
    if (whole.value) flame(whole);
  } catch (err) { $("profilenote").textContent = err.message; }
});

// ---- traces
$("find").addEventListener("submit", async (e) => {
  e.preventDefault();
  const id = $("trace").value.trim();
  if (!id) return;
  $("tracetitle").textContent = "Request " + id;
  try {
    const got = await ask("/admin/trace/" + encodeURIComponent(id)), all = Math.max(got.took_ns, 1);
    const rows = got.processes.flatMap((p) => [{ who: p.process, what: `${p.route.startsWith(p.method) ? "" : p.method + " "}${p.route} ${p.status}`, at: p.offset_ns, took: p.took_ns },
      ...(p.spans ?? []).map((s) => ({ who: p.process, what: `${s.kind === "header" ? "" : s.kind} ${s.name}${s.detail ? ": " + s.detail : ""} ${s.error ?? ""}`.trim(), at: p.offset_ns + Math.max(s.start_ns, 0), took: s.took_ns }))]);
    $("spans").replaceChildren(...rows.map((r) => {
      if (!r.took) return el("div", { className: "span" }, el("span", { textContent: r.who }), el("span", { className: "soft", textContent: r.what })); // a remark
      const bar = el("b");
      bar.style.left = Math.min(r.at / all * 100, 100) + "%"; bar.style.width = r.took / all * 100 + "%";
      return el("div", { className: "span" }, el("span", { textContent: `${r.who}: ${r.what}` }), el("i", {}, bar), el("span", { textContent: time(r.took / 1e9) }));
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
let faults = [], inForce = new Map();
// What a fault may be aimed at is suggested: processes and roles, links.
const listed = (input) => {
  if (input.name === "target") input.setAttribute("list", "names");
  if (input.name === "link") input.setAttribute("list", "links");
  return input;
};
const suggest = (id, values) => $(id).replaceChildren(...values.map((v) => new Option(v, v)));
const drawFault = () => {
  const f = faults.find((x) => x.name === $("fault").value);
  if (!f) return;
  $("faultabout").textContent = `${f.about[0].toUpperCase()}${f.about.slice(1)}. Reaches: ${f.blast_radius}.${f.available ? "" : " Not here: " + f.reason}`;
  $("inject").querySelector("button").disabled = !f.available;
  $("params").replaceChildren(...(f.params ?? []).map((p) => el("label", { className: "inline", title: p.about ?? "" }, p.required ? p.name + " *" : p.name,
    listed(el("input", { name: p.name, size: 16, placeholder: p.default || (p.about ?? ""), required: p.required ?? false })))));
};
const drawActive = (list) => {
  for (const i of list) mark(Date.parse(i.since) / 1000, i.fault, "--violet");
  for (const [id, fault] of inForce) if (!list.some((i) => i.id === id)) mark(Date.now() / 1000, fault + " is over", "--violet");
  inForce = new Map(list.map((i) => [i.id, i.fault]));
  $("active").replaceChildren(...list.map((i) => {
    return el("li", { className: "critical" }, el("b", { textContent: i.fault }), ` ${i.target ?? ""} until ${at(i.until)} ${i.error ?? ""} `,
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
    suggest("links", got.links ?? []);
    suggest("names", ["@primary", "@replica", ...names]);
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

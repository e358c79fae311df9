// What the pages gain with JavaScript; they work without it.
"use strict";

// It begins when the page is on the screen for the first time, or else after a while: a tab in the background is not drawn.
const whenDrawn = (begin) => {
  let begun = false;
  const once = () => { if (!begun) { begun = true; begin(); } };
  setTimeout(once, 500);
  new PerformanceObserver(once).observe({ type: "paint", buffered: true });
};
whenDrawn(() => {
// A picture that cannot be fetched gives way to the drawn one.
const standIn = (img) => {
  const src = img.dataset.fallback;
  if (src && img.getAttribute("src") !== src) img.src = src;
};
document.addEventListener("error", (e) => { if (e.target instanceof HTMLImageElement) standIn(e.target); }, true);
for (const img of document.images) if (img.complete && img.naturalWidth === 0) standIn(img);

// The stock line follows the stock while the page is looked at.
const product = document.querySelector("[data-product]");
const line = document.getElementById("stock");
if (product && line) {
  const look = async () => {
    if (document.hidden) return;
    try {
      const r = await fetch(`/products/${product.dataset.product}/stock`, { headers: { Accept: "application/json" } });
      if (!r.ok) return;
      const left = (await r.json()).available;
      const state = left <= 0 ? "sold_out" : left <= 10 ? "low_stock" : "in_stock";
      const text = left <= 0 ? "Sold out" : left <= 10 ? `Only ${left} left` : "In stock";
      if (line.textContent !== text) line.textContent = text;
      line.className = `stock ${state}`;
      const button = product.querySelector(".buy button");
      if (button) button.disabled = left <= 0;
    } catch { /* the line stays as it was */ }
  };
  look();
  setInterval(look, 10000);
}

// Times are told as they are where the shopper is.
const local = () => {
  for (const t of document.querySelectorAll("time:not([title])")) {
    t.title = t.textContent;
    t.textContent = new Date(t.dateTime).toLocaleString([], { dateStyle: "long", timeStyle: "short" });
  }
};
local();

// Filters, orders and pages of a list change in place; the address follows, and going back works.
const small = matchMedia("(max-width: 859px)");
const fold = () => { const d = document.querySelector(".narrow details"); if (d) d.open = !small.matches; };
fold();
small.addEventListener("change", fold);
const put = (html, url) => {
  const next = new DOMParser().parseFromString(html, "text/html"), main = next.getElementById("main");
  if (!main) return false;
  document.getElementById("main").replaceWith(main);
  document.title = next.title;
  if (url) history.pushState(null, "", url);
  fold();
  local();
  return true;
};
let skew = 0; // ms that the shop's clock is ahead of this one, as far as it is known
const visit = async (url, push, stay) => {
  try {
    const r = await fetch(url, { headers: { Accept: "text/html" } });
    if (stay) {
      if (r.status >= 500) return;
      const then = Date.parse(r.headers.get("Date")) + 1000 * (Number(r.headers.get("Age")) || 0);
      if (then) skew = then - Date.now();
    }
    if (put(await r.text(), push && r.url)) { if (!stay) scrollTo({ top: 0 }); return; }
  } catch { if (stay) return; /* the browser shall show what is wrong */ }
  location.href = url;
};
document.addEventListener("click", (e) => {
  const a = e.target.closest?.(".narrow a, .sorts a, .pager a");
  if (!a || e.ctrlKey || e.metaKey || e.shiftKey || e.button !== 0) return;
  e.preventDefault();
  visit(a.href, true);
});
addEventListener("popstate", () => { if (document.querySelector(".sorts")) visit(location.href, false); else location.reload(); });

// Campaigns count down. When one begins or ends, the page is fetched anew, by everybody a little apart; that also tells whether
// this clock is right.
let due = 0;
const left = (s) => {
  const two = (n) => String(n).padStart(2, "0"), days = Math.floor(s / 86400);
  return (days ? `${days} d ` : "") + `${two(Math.floor(s / 3600) % 24)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
};
const tick = () => {
  let over = false;
  for (const c of document.querySelectorAll("[data-until]")) {
    const s = Math.max(0, Math.ceil((Date.parse(c.dataset.until) - Date.now() - skew) / 1000)), clock = c.querySelector(".clock b");
    if (clock.textContent !== left(s)) clock.textContent = left(s);
    over ||= s === 0;
  }
  if (!over) due = 0;
  else if (!due) due = Date.now() + 500 + Math.random() * 1500;
  else if (Date.now() > due && !document.hidden) { due = Date.now() + 5000; visit(location.href, false, true); }
};
tick();
setInterval(tick, 1000);

// Forms of the bag are sent in place; what the shop answers is shown as it came.
const badge = document.querySelector('.me a[href="/bag"]');
const countBag = async () => {
  if (!badge || !localStorage.getItem("bag")) return; // who never put anything in is not asked about
  try {
    const r = await fetch("/cart", { headers: { Accept: "application/json" } });
    const n = r.ok ? (await r.json()).item_count : 0;
    badge.textContent = n ? `Bag (${n})` : "Bag";
    if (!n) localStorage.removeItem("bag");
  } catch { /* the link stays as it was */ }
};
document.addEventListener("submit", async (e) => {
  const form = e.target, path = new URL(form.action).pathname;
  if (path !== "/bag/add" && path !== "/bag/update") return;
  e.preventDefault();
  const button = e.submitter ?? form.querySelector("button");
  button.disabled = true;
  try {
    const r = await fetch(form.action, { method: "POST", headers: { Accept: "text/html" }, body: new URLSearchParams(new FormData(form)) });
    if (path === "/bag/add" && r.ok) {
      localStorage.setItem("bag", "1");
      const line = form.parentElement.querySelector(".added") ?? form.insertAdjacentElement("afterend", document.createElement("p"));
      line.className = "added notice";
      line.setAttribute("role", "status");
      line.textContent = "It is in your bag. ";
      line.append(Object.assign(document.createElement("a"), { href: "/bag", textContent: "Look at the bag" }));
      line.scrollIntoView({ block: "nearest" });
    } else if (!put(await r.text())) { form.submit(); return; }
  } catch { form.submit(); return; }
  button.disabled = false;
  countBag();
});
countBag();
// The place in the waiting room is looked at without loading the page again; the page would do so by itself, too.
const queue = document.querySelector("[data-queue]");
if (queue) {
  const about = (s) => s < 10 ? "a few seconds" : s < 90 ? `about ${Math.round(s / 10) * 10} seconds` : s < 5400 ? `about ${Math.round(s / 60)} minutes`
    : `about ${Math.round(s / 3600)} hours`;
  const again = Math.max(1, Number(queue.dataset.again) || 5);
  setInterval(async () => {
    try {
      const r = await fetch(queue.dataset.queue, { headers: { Accept: "application/json" } });
      if (!r.ok) return;
      const place = await r.json();
      if (place.admitted) location.replace(queue.dataset.next || "/");
      else if (place.hopeless) location.reload();
      else {
        queue.querySelector("[data-queue-position]").textContent = place.position.toLocaleString("en");
        queue.querySelector("[data-queue-estimate]").textContent = about(place.estimate_s);
      }
    } catch { /* the next look may do better */ }
  }, again * 1000);
}
document.documentElement.dataset.scripted = ""; // for who waits for it, as tests do
});

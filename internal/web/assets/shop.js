// What the pages gain with JavaScript; they work without it.
"use strict";

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
        queue.querySelector("[data-queue-position]").textContent = place.position;
        queue.querySelector("[data-queue-estimate]").textContent = about(place.estimate_s);
      }
    } catch { /* the next look may do better */ }
  }, again * 1000);
}

// The administrator's pages: products, campaigns, orders, dead letters.
"use strict";
(() => {
const $ = (id) => document.getElementById(id);
const el = (tag, props, ...children) => {
  const e = Object.assign(document.createElement(tag), props);
  e.append(...children);
  return e;
};
const said = (text) => { $("said").textContent = text; };
const ask = async (path, method = "GET", body, type = "application/json", headers = {}) => {
  const r = await fetch(path, { method, headers: body ? { "Content-Type": type, ...headers } : headers, body: body && JSON.stringify(body) });
  const text = await r.text();
  const answer = text ? JSON.parse(text) : null;
  if (!r.ok) throw new Error(answer?.detail ?? r.statusText);
  return { answer, etag: r.headers.get("ETag") };
};
const guarded = (f) => async (e) => {
  e?.preventDefault?.();
  try { await f(e); } catch (err) { said(err.message); }
};
const table = (head, rows, empty) => {
  const line = (cells, tag) => el("tr", {}, ...cells.map((c, i) => {
    const cell = el(tag, tag === "th" ? { scope: "col" } : {}, c);
    if (tag === "td" && cells.length > 1) cell.dataset.label = head[i]; // names the cell where a row is a card
    return cell;
  }));
  $("list").replaceChildren(line(head, "th"), ...(rows.length ? rows.map((r) => line(r, "td")) : [line([empty], "td")]));
};
const button = (text, act, cls = "quiet") => el("button", { type: "button", textContent: text, className: cls, onclick: guarded(act) });
const money = (v, currency) => (v / 100).toLocaleString(undefined, { style: "currency", currency: currency || "EUR" });
const when = (t) => new Date(t).toLocaleString([], { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const id = (text, shown = text) => el("code", { className: "id", title: text, textContent: shown }); // those of orders and shoppers begin with the time
const letter = (data) => data === undefined ? "" : el("details", {}, el("summary", { textContent: "the message" }), el("pre", { textContent: typeof data === "string" ? data : JSON.stringify(data, null, 1) }));

const pages = {
  products() {
    let current, etag;
    const open = async (id) => {
      ({ answer: current, etag } = await ask("/admin/shop/products/" + id));
      const stock = (await ask(`/admin/shop/products/${id}/stock`)).answer;
      $("editor").hidden = false;
      $("what").textContent = `${current.id} · ${current.sku}`;
      for (const f of ["name", "brand", "category", "price", "description"]) $(f).value = current[f] ?? "";
      $("available").value = stock.available;
      $("editor").scrollIntoView({ behavior: "smooth" });
    };
    const find = async () => {
      const q = $("q").value.trim();
      if (/^\d+$/.test(q)) return open(q);
      const { answer } = await ask("/admin/shop/products?limit=50" + (q ? "&q=" + encodeURIComponent(q) : ""));
      table(["number", "name", "price", "availability", ""], answer.map((p) => [p.id, p.name, money(p.price, p.currency), p.availability.replace("_", " "), button("Edit", () => open(p.id))]), "nothing found");
    };
    $("search").addEventListener("submit", guarded(find));
    $("edit").addEventListener("submit", guarded(async () => {
      const change = {};
      for (const f of ["name", "brand", "category", "description"]) if ($(f).value !== (current[f] ?? "")) change[f] = $(f).value;
      if (+$("price").value !== current.price) change.price = +$("price").value;
      if (!Object.keys(change).length) return said("nothing to save");
      ({ answer: current, etag } = await ask("/admin/shop/products/" + current.id, "PATCH", change, "application/merge-patch+json", etag ? { "If-Match": etag } : {}));
      said(`saved: every cache has version ${current.version}`);
    }));
    $("restock").addEventListener("submit", guarded(async () => {
      const { answer } = await ask(`/admin/shop/products/${current.id}/stock`, "PUT", { available: +$("available").value });
      said(`${answer.available} in stock`);
    }));
    guarded(find)();
  },
  campaigns() {
    const local = (t) => t ? new Date(new Date(t) - new Date().getTimezoneOffset() * 60000).toISOString().slice(0, 16) : "";
    const fields = ["slug", "name", "headline", "category"];
    const edit = (k) => {
      for (const f of fields) $(f).value = k[f] ?? "";
      $("start").value = local(k.start);
      $("end").value = local(k.end);
      $("products").value = (k.products ?? []).join(", ");
      $("slug").focus();
    };
    const find = async () => {
      const { answer } = await ask("/admin/shop/campaigns");
      table(["name", "address", "state", "start", "end", "shows", ""], answer.map((k) => [k.name, el("span", { className: "address", textContent: "/sale/" + k.slug }), new Date(k.start) <= Date.now() ? "on" : "to come", when(k.start), when(k.end),
        k.category || k.products.length + " products", el("span", { className: "row" }, button("Edit", () => edit(k)), button("Delete", async () => {
          if (!confirm(`Delete ${k.name}?`)) return;
          await ask("/admin/shop/campaigns/" + encodeURIComponent(k.slug), "DELETE");
          said(k.name + " is gone from every cache");
          await find();
        }, "danger"))]), "none: the front page shows what is popular");
    };
    $("edit").addEventListener("submit", guarded(async () => {
      const k = { name: $("name").value, start: new Date($("start").value).toISOString(), end: new Date($("end").value).toISOString() };
      for (const f of ["headline", "category"]) if ($(f).value.trim()) k[f] = $(f).value.trim();
      const ids = $("products").value.split(/[\s,]+/).filter(Boolean).map(Number);
      if (ids.length) k.products = ids;
      const { answer } = await ask("/admin/shop/campaigns/" + encodeURIComponent($("slug").value), "PUT", k);
      said(`saved: every cache knows ${answer.name}`);
      await find();
    }));
    guarded(find)();
  },
  orders() {
    const find = async () => {
      const { answer } = await ask("/admin/orders?limit=50&id=" + encodeURIComponent($("q").value.trim()));
      table(["order", "when", "shopper", "lines", "total", "state", ""], answer.orders.map((o) => [id(o.id), when(o.created_at), id(o.user_id, "…" + o.user_id.slice(-12)), el("span", { className: "text", textContent: o.items.map((i) => `${i.quantity} × ${i.name}`).join(", ") }),
        money(o.total, o.currency), o.status, o.status === "confirmed" ? button("Cancel", async () => {
          if (!confirm(`Cancel ${o.id} and put its goods back?`)) return;
          await ask(`/admin/orders/${o.id}/cancel`, "POST");
          said(o.id + " is cancelled");
          await find();
        }, "danger") : ""]), "no orders");
    };
    $("search").addEventListener("submit", guarded(find));
    guarded(find)();
  },
  dead() {
    const find = async () => {
      const { answer } = await ask("/admin/dead");
      table(["number", "died", "consumer", "topic", "key", "deliveries", "error", ""], answer.letters.map((l) => [l.id, when(l.died_at), l.consumer, l.topic, l.key, l.deliveries,
        el("div", { className: "text" }, l.error, letter(l.data)), button("Give back", async () => { await ask(`/admin/dead/${l.id}/replay`, "POST"); said(l.id + " was given back"); await find(); })]), "none: everything could be handled");
    };
    guarded(find)();
  },
};
pages[document.body.dataset.page]();
})();

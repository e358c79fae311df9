// Checks a page against what a program can see of WCAG 2.2 AA; returns what is wrong.
(() => {
  const wrong = [];
  const say = (rule, e) => wrong.push(`${rule}: ${e.outerHTML.slice(0, 120)}`);
  const shown = (e) => { const b = e.getBoundingClientRect(); return b.width > 0 && b.height > 0 && getComputedStyle(e).visibility !== "hidden"; };
  const name = (e) => (e.getAttribute("aria-label") || e.labels?.[0]?.textContent || e.textContent || e.title || e.querySelector("img")?.alt || "").trim();

  if (!document.documentElement.lang) wrong.push("3.1.1 the page has no language");
  if (!document.title.trim()) wrong.push("2.4.2 the page has no title");
  if (!document.querySelector("meta[name=viewport]") || /user-scalable=no|maximum-scale=1/.test(document.querySelector("meta[name=viewport]").content)) wrong.push("1.4.4 the page cannot be zoomed");
  if (document.querySelectorAll("main").length !== 1) wrong.push("1.3.1 the page has not one main part");
  if (document.querySelectorAll("h1").length !== 1) wrong.push("1.3.1 the page has not one h1");
  let level = 0;
  for (const h of document.querySelectorAll("h1,h2,h3,h4,h5,h6")) {
    if (+h.tagName[1] > level + 1) say("1.3.1 a level of headings is skipped", h);
    level = +h.tagName[1];
  }
  const ids = new Set();
  for (const e of document.querySelectorAll("[id]")) ids.has(e.id) ? say("4.1.2 an id is there twice", e) : ids.add(e.id);
  for (const e of document.querySelectorAll("img")) if (!e.hasAttribute("alt")) say("1.1.1 a picture has no alt", e);
  for (const e of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea")) {
    if (!shown(e) || e.closest("[aria-hidden=true]") || e.matches(".skip:not(:focus)")) continue; // what only the keyboard brings up is not a target
    if (!name(e)) say("4.1.2 a control has no name", e);
    const b = e.getBoundingClientRect();
    const inline = e.tagName === "A" && getComputedStyle(e).display === "inline";
    if (!inline && (b.width < 24 || b.height < 24)) say(`2.5.8 a target of ${Math.round(b.width)} × ${Math.round(b.height)}`, e);
    if (e.tabIndex < 0 && !e.closest("[aria-hidden=true]")) say("2.1.1 a control cannot be reached by keyboard", e);
  }
  for (const e of document.querySelectorAll("table")) if (!e.querySelector("th")) say("1.3.1 a table has no heads", e);
  if (document.documentElement.scrollWidth > innerWidth + 1) wrong.push(`1.4.10 the page is ${document.documentElement.scrollWidth} wide in a window of ${innerWidth}`);

  // Contrast, 1.4.3: of every text against the colours behind it. Text over a gradient or picture is not judged.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (c) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255]; };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }); return .2126 * r + .7152 * g + .0722 * b; };
  const behind = (e) => {
    const layers = [];
    for (; e; e = e.parentElement) {
      const s = getComputedStyle(e);
      if (s.backgroundImage !== "none") return null;
      const c = rgba(s.backgroundColor);
      if (c[3] > 0) layers.push(c);
      if (c[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || seen.has(e) || !shown(e) || /^(SCRIPT|STYLE|OPTION)$/.test(e.tagName) || e.closest("[aria-hidden=true], :disabled, .sr, .skip, .gone")) continue;
    seen.add(e);
    const s = getComputedStyle(e), below = behind(e);
    if (!below) continue;
    const a = light(over(rgba(s.color), below)), b = light(below), ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    const large = parseFloat(s.fontSize) >= 24 || parseFloat(s.fontSize) >= 18.66 && +s.fontWeight >= 700;
    if (ratio < (large ? 3 : 4.5)) say(`1.4.3 contrast of ${ratio.toFixed(2)}`, e);
  }
  return wrong;
})()

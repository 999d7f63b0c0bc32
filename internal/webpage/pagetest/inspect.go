package pagetest

import "github.com/chromedp/chromedp"

// faults lists what a page owes to those who do not see it, or use no mouse.
const faults = `(() => {
  const bad = [];
  const name = (e) => (e.getAttribute("aria-label") || e.innerText || e.textContent || "").trim();
  if (!document.documentElement.lang) bad.push("no language");
  if (document.querySelectorAll("h1").length !== 1) bad.push("not one h1");
  if (!document.querySelector("main")) bad.push("no main");
  let level = 1;
  for (const h of document.querySelectorAll("h1,h2,h3,h4")) {
    const n = Number(h.tagName[1]);
    if (n > level + 1) bad.push("h" + n + " below h" + level + ": " + name(h));
    level = n;
  }
  for (const s of document.querySelectorAll("section[aria-labelledby]"))
    if (!document.getElementById(s.getAttribute("aria-labelledby"))) bad.push("a section's title is missing: " + s.id);
  for (const t of document.querySelectorAll("table")) {
    if (!t.querySelector("thead th")) bad.push("a table without heads");
    for (const h of t.querySelectorAll("th")) if (!h.scope) bad.push("a head without scope: " + name(h));
    for (const r of t.querySelectorAll("tbody tr")) if (r.cells.length > 1 && !r.querySelector("th")) bad.push("a row without a head: " + name(r));
  }
  for (const e of document.querySelectorAll("button,a,summary")) if (!name(e)) bad.push("nameless: " + e.outerHTML);
  for (const e of document.querySelectorAll("svg")) if (e.getAttribute("aria-hidden") !== "true" && !e.getAttribute("aria-label")) bad.push("a drawing without words");
  for (const e of document.querySelectorAll("[style],style,script:not([src])")) bad.push("style or script in the page: " + e.outerHTML);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids)) if (ids.filter((i) => i === id).length > 1) bad.push("twice: " + id);
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) bad.push("wider than the window");
  return bad;
})()`

// Inspect holds the page to what every page must be, on a large and on a small screen.
func (b *Browser) Inspect() {
	b.t.Helper()
	for _, width := range []int64{1180, 390} {
		b.Do("resize", chromedp.EmulateViewport(width, 1000))
		for _, fault := range Eval[[]string](b, faults) {
			b.t.Errorf("%d wide: %s", width, fault)
		}
	}
	b.Do("resize", chromedp.EmulateViewport(1180, 1400))
}

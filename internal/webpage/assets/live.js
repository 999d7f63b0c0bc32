"use strict";

// Keeps the page up to date: it asks for the same page again and takes over what has
// changed, part by part (elements with data-live and an id). Without this script the
// page is reloaded by the browser.
(function () {
  const every = Number(document.body.dataset.every) || 5000;
  let asking = false;
  let pressing = false; // a button that is replaced under the pointer would not be pressed

  // take replaces the parts that differ, and leaves alone what somebody has opened.
  function take(fresh) {
    if (pressing) return;
    document.title = fresh.title;
    for (const old of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(old.id);
      if (!now) continue;
      const open = new Set([...old.querySelectorAll("details[open][id]")].map((d) => d.id));
      for (const d of now.querySelectorAll("details[id]")) if (open.has(d.id)) d.open = true;
      if (now.innerHTML === old.innerHTML && now.className === old.className) continue;
      const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
      old.className = now.className;
      old.replaceChildren(...now.childNodes);
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    }
    document.body.classList.remove("stale");
  }

  async function refresh() {
    if (asking) return;
    asking = true;
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      document.body.classList.add("stale");
    } finally {
      asking = false;
    }
  }

  // Buttons work without leaving the page.
  document.addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    try {
      await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, event.submitter)) });
    } catch {
      document.body.classList.add("stale");
    }
    for (const menu of form.querySelectorAll("details")) menu.open = false;
    await refresh();
  });

  for (const [event, now] of [["pointerdown", true], ["pointerup", false], ["pointercancel", false]])
    document.addEventListener(event, () => { pressing = now; }, { capture: true });

  setInterval(() => { if (!document.hidden) refresh(); }, every);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
})();

// Keeps a page as the server would draw it now. Without this script nothing is missing but that.
"use strict";
(() => {
  const root = document.documentElement.dataset.root;
  const parts = () => document.querySelectorAll("[data-live]");
  const shown = new Map();
  for (const part of parts()) shown.set(part.id, part.outerHTML);

  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const span = (seconds) => {
    const at = units.findIndex(([size]) => seconds >= size);
    if (at < 0) return "0 s";
    const [size, unit] = units[at];
    const rest = at < 2 ? Math.floor((seconds % size) / units[at + 1][0]) : 0;
    return `${Math.floor(seconds / size)} ${unit}` + (rest ? ` ${rest} ${units[at + 1][1]}` : "");
  };
  // The server's clock may run differently from ours (in the demo it runs faster).
  const drawn = { server: Date.parse(root === undefined ? 0 : document.documentElement.dataset.now), here: Date.now() };
  const speed = Number(document.documentElement.dataset.speed) || 1;
  const now = () => drawn.server + (Date.now() - drawn.here) * speed;
  const tell = () => {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const at = Date.parse(time.dateTime);
      if (!time.title) time.title = new Date(at).toLocaleString();
      if (!("ago" in time.dataset)) continue;
      const seconds = Math.floor((now() - at) / 1000);
      const text = seconds < 0 ? `in ${span(-seconds)}` : time.dataset.ago === "for" ? span(seconds) : `${span(seconds)} ago`;
      if (time.textContent !== text) time.textContent = text;
    }
  };

  const busy = (part) => {
    const active = document.activeElement;
    const typing = part.contains(active) && active.matches("input, select, textarea");
    return typing || part.querySelector("details.acts-more[open]") !== null;
  };
  const replace = (part, fresh) => {
    const active = document.activeElement;
    const held = part.contains(active) && active.getAttribute("href");
    part.replaceWith(fresh);
    if (held) fresh.querySelector(`a[href="${CSS.escape(held)}"]`)?.focus();
  };

  let working = false;
  let again = false;
  const refresh = async () => {
    if (working) { again = true; return; }
    working = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      drawn.server = Date.parse(page.documentElement.dataset.now);
      drawn.here = Date.now();
      if (document.title !== page.title) document.title = page.title;
      const said = document.getElementById("said");
      const words = page.getElementById("said");
      if (said && words && said.textContent !== words.textContent) said.textContent = words.textContent;
      for (const part of parts()) {
        const fresh = page.getElementById(part.id);
        if (!fresh || fresh.outerHTML === shown.get(part.id) || busy(part)) continue;
        shown.set(part.id, fresh.outerHTML);
        replace(part, document.adoptNode(fresh));
      }
      tell();
    } catch {
      document.body.classList.add("stale");
    } finally {
      working = false;
      if (again) { again = false; refresh(); }
    }
  };

  tell();
  setInterval(tell, 1000);
  if (!parts().length || !window.EventSource) return;
  const source = new EventSource(`${root}/events?shown=${document.documentElement.dataset.mark}`);
  source.onopen = () => document.body.classList.remove("stale");
  source.onerror = () => document.body.classList.add("stale");
  source.onmessage = refresh;
})();

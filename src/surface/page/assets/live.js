// Keeps the page up to date: on an event it fetches the same page again and takes over the parts marked
// data-live. Without it the page is whole as it came.
(() => {
  "use strict";
  const SILENCE = 40_000; // the stream gives a sign of life every 15 s
  const REST = 1_000; // at most one fetch a second
  const TICK = 60_000; // spans of time grow without any event
  const note = document.getElementById("live");
  let heard = Date.now();
  let stale = null;
  let timer = null;
  let busy = false;
  let again = false;
  let source = null;

  // Times as the clock on the wall shows them; what is printed or sent stays in UTC.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
  const days = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
  const years = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
  const clock = (time) => {
    const at = new Date(time);
    const now = new Date();
    if (at.toDateString() === now.toDateString()) return hours.format(at);
    const day = at.getFullYear() === now.getFullYear() ? days : years;
    return `${day.format(at)} ${hours.format(at)}`;
  };
  const localise = (part) => {
    for (const time of part.querySelectorAll("time[datetime]")) {
      time.title = time.textContent;
      time.textContent = clock(time.dateTime);
    }
  };

  const show = () => {
    note.dataset.stale = stale === null ? "no" : "yes";
    const text = stale === null ? `Live · ${zone.replaceAll("_", " ")} time` : `Stale since ${clock(stale)}; trying again`;
    if (note.textContent !== text) note.textContent = text;
  };

  const alive = () => {
    heard = Date.now();
    if (stale !== null) {
      stale = null;
      refresh();
    }
    show();
  };

  const lost = () => {
    if (stale === null) stale = heard;
    show();
  };

  // Puts the new content of one part in place; what was unfolded stays unfolded, and the keyboard where it was.
  const take = (old, fresh) => {
    if (old.innerHTML === fresh.innerHTML) return;
    // Nobody's typing is taken away.
    if (old.contains(document.activeElement) && document.activeElement.matches("input")) return;
    const open = new Set([...old.querySelectorAll("details[open]")].map((item) => item.dataset.key));
    for (const item of fresh.querySelectorAll("details")) item.open = open.has(item.dataset.key);
    const at = old.contains(document.activeElement) ? document.activeElement : null;
    const key = at && at.closest("details") ? at.closest("details").dataset.key : null;
    const link = at && at.getAttribute("href");
    const before = document.importNode(fresh, true);
    old.replaceWith(before);
    if (!at) return;
    const candidates = key
      ? before.querySelectorAll(`details[data-key="${CSS.escape(key)}"] :is(summary, a)`)
      : before.querySelectorAll("a");
    const target = [...candidates].find((item) => item.getAttribute("href") === link);
    if (target) target.focus({ preventScroll: true });
  };

  const refresh = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const answer = await fetch(location.pathname + location.search, { headers: { accept: "text/html" } });
      if (answer.redirected) return location.reload(); // signed out meanwhile
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        document.title = page.title;
        localise(page);
        for (const old of document.querySelectorAll("[data-live]")) {
          const fresh = page.getElementById(old.id);
          if (fresh) {
            take(old, fresh);
          }
        }
        const icon = document.querySelector("link[rel=icon]");
        const other = page.querySelector("link[rel=icon]");
        if (icon && other) icon.href = other.href;
      }
    } catch {
      lost();
    } finally {
      busy = false;
      if (again) {
        again = false;
        soon();
      }
    }
  };

  const soon = () => {
    if (timer === null) {
      timer = setTimeout(() => {
        timer = null;
        refresh();
      }, REST);
    }
  };

  const connect = () => {
    source = new EventSource("/api/v1/events");
    source.addEventListener("alive", alive);
    for (const name of ["verdict", "incident", "removed"]) {
      source.addEventListener(name, () => {
        alive();
        soon();
      });
    }
    source.onerror = lost;
  };

  localise(document);
  connect();
  setInterval(() => {
    if (Date.now() - heard > SILENCE) {
      lost();
      // A browser gives up for good on some errors, and never notices a line that is silently dead.
      source.close();
      heard = Date.now();
      connect();
    }
  }, 5_000);
  setInterval(() => {
    if (!document.hidden) soon();
  }, TICK);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) soon();
  });
})();

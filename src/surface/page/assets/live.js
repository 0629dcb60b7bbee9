// Keeps the page up to date: on an event it fetches the same page again and takes over the parts marked
// data-live. Without it the page is whole as it came. The stream is open only while the page is looked at: a browser
// gives one server six connections, and pages in other tabs or kept for the way back would hold them all.
(() => {
  "use strict";
  const SILENCE = 40_000; // the stream gives a sign of life every 15 s
  const REST = 1_000; // at most one fetch a second
  const TICK = 60_000; // spans of time grow without any event, and a hidden page's title still tells of trouble
  const PATIENCE = 10_000; // an answer that takes longer is none
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
    const typed = [];
    // Nobody's typing is taken away.
    if (old.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) return;
    for (const field of old.querySelectorAll("input[id]")) {
      const same = fresh.querySelector(`#${CSS.escape(field.id)}`);
      if (same && field.value !== field.defaultValue) typed.push([field.id, field.value]);
    }
    const open = new Set([...old.querySelectorAll("details[open]")].map((item) => item.dataset.key));
    for (const item of fresh.querySelectorAll("details")) item.open = open.has(item.dataset.key);
    const at = old.contains(document.activeElement) ? document.activeElement : null;
    const key = at && at.closest("details") ? at.closest("details").dataset.key : null;
    const link = at && at.getAttribute("href");
    const before = document.importNode(fresh, true);
    old.replaceWith(before);
    for (const [id, value] of typed) document.getElementById(id).value = value;
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
      const answer = await fetch(location.pathname + location.search, {
        headers: document.hidden ? { accept: "text/html", "x-mailflow-unseen": "1" } : { accept: "text/html" },
        signal: AbortSignal.timeout(PATIENCE),
      });
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

  const leave = () => {
    if (source !== null) source.close();
    source = null;
  };

  const connect = () => {
    leave();
    source = new EventSource("/api/v1/events");
    source.addEventListener("alive", alive);
    for (const name of ["verdict", "incident", "hands", "removed"]) {
      source.addEventListener(name, () => {
        alive();
        soon();
      });
    }
    source.onerror = lost;
  };

  const arrive = () => {
    connect();
    refresh();
  };

  // What takes long says so; the button is itself again when somebody comes back to the page.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.slow || !event.submitter) return;
    const button = event.submitter;
    const was = button.textContent;
    button.textContent = form.dataset.slow;
    addEventListener("pagehide", () => (button.textContent = was), { once: true });
  });

  localise(document);
  if (!document.hidden) connect();
  setInterval(() => {
    if (source !== null && Date.now() - heard > SILENCE) {
      lost();
      // A browser gives up for good on some errors, and never notices a line that is silently dead.
      heard = Date.now();
      connect();
    }
  }, 5_000);
  setInterval(soon, TICK);
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : arrive()));
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (event) => {
    if (event.persisted) arrive();
  });
})();

// Times by the clock on the wall, and the page anew every minute. Without it the page is whole as it came.
(() => {
  "use strict";
  const EVERY = 60_000;
  const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
  const days = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" });
  const localise = (part) => {
    for (const time of part.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      time.title = time.textContent;
      time.textContent = (at.toDateString() === new Date().toDateString() ? hours : days).format(at);
    }
  };
  const refresh = async () => {
    const stale = document.getElementById("stale");
    // A form may be half filled in: it stays as it is.
    if (document.hidden || stale === null) return;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      localise(page);
      document.title = page.title;
      document.getElementById("main").replaceWith(document.importNode(page.getElementById("main"), true));
    } catch {
      stale.textContent = "Nothing newer can be had at the moment; trying again.";
    }
  };
  localise(document);
  setInterval(refresh, EVERY);
  document.addEventListener("visibilitychange", refresh);
})();

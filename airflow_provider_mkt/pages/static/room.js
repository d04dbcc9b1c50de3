// Licensed under the Apache License, Version 2.0; see LICENSE.
// Everything works without this: it follows Airflow's colours and the reader's time zone, and refreshes what moves.
"use strict";

// Airflow keeps the reader's choice of colours in the browser; without one the system's is followed.
const followTheme = () => {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
};
followTheme();
addEventListener("storage", followTheme);

// The server writes all times in the zone that this cookie names.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const wanted = `mkt_zone=${encodeURIComponent(zone)}`;
if (zone && !document.cookie.split("; ").includes(wanted)) {
  document.cookie = `${wanted}; path=/; max-age=31536000; samesite=lax`;
  if (document.cookie.split("; ").includes(wanted) && !new URLSearchParams(location.search).has("zone")) location.reload();
}

// Airflow shows these pages in a frame that may not lead away. Links to Airflow and to vendors are opened by Airflow's page.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-outside]");
  if (!link || parent === window || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  const outside = parent.document.createElement("a");
  outside.href = link.href;
  if (link.dataset.outside === "new") Object.assign(outside, { target: "_blank", rel: "noopener noreferrer" });
  event.preventDefault();
  parent.document.body.append(outside);
  outside.click();
  outside.remove();
});

// What moves is asked for again while somebody looks at it.
const live = document.querySelector("[data-refresh]");
if (live) {
  setInterval(async () => {
    if (document.hidden || live.contains(document.activeElement)) return;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer || !answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-refresh]");
    if (fresh) live.replaceChildren(...fresh.childNodes);
  }, 1000 * Number(live.dataset.refresh));
}

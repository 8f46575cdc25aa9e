// Keeps a report page up to date: asks for its data again when the table was written anew, and hands them to `show` of app.js.
(() => {
  "use strict";
  const { events, data } = document.currentScript.dataset;
  let version = document.currentScript.dataset.version;
  const LEAST_MS = 1000; // between two refreshes; one that took long is followed by a longer pause
  const mark = document.createElement("p");
  mark.id = "live";
  mark.setAttribute("role", "status");
  mark.style.cssText = "position:fixed;right:12px;bottom:8px;margin:0;padding:2px 8px;font-size:13px;background:var(--surface,Canvas);color:var(--faint,GrayText);border:1px solid var(--line,GrayText)";
  document.body.append(mark);

  let running = false, wanted = false;
  async function refresh() {
    if (running) { wanted = true; return; }
    running = true;
    const started = performance.now();
    try {
      const answer = await fetch(data, { credentials: "same-origin" });
      if (!answer.ok) throw new Error(await answer.text());
      module_app.show(await answer.json());
    } catch (error) {
      mark.textContent = `not up to date: ${error.message}`;
    }
    const pause = Math.max(LEAST_MS, 4 * (performance.now() - started));
    setTimeout(() => { running = false; if (wanted) { wanted = false; refresh(); } }, pause);
  }

  const source = new EventSource(events);
  source.addEventListener("state", (event) => {
    const told = JSON.parse(event.data);
    const seen = told.overview;
    mark.textContent = seen.driver ? `live · ${told.workers.length} of ${seen.slots} workers busy · ${told.epochs.toLocaleString("en")} epochs` : seen.state;
    if (told.version !== version) { version = told.version; refresh(); }
  });
  source.addEventListener("error", (event) => { mark.textContent = event.data ? JSON.parse(event.data).error : "not connected; trying again"; });
})();

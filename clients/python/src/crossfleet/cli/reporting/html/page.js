// Draws the page, and listens to keys.
function redraw() {
  drawCases();
  drawFilters(wanted.length);
  if (state.view === "matrix") drawMatrix();
}

function showView(view) {
  state.view = view;
  for (const name of ["cases", "matrix", "sessions"]) byId(name).hidden = name !== view;
  if (view !== "cases") openCase(-1);
  redraw();
  if (view === "sessions") drawSessions();
  if (view === "cases") byId("cases").focus({ preventScroll: true });
}

function changeTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

function changeOrder() {
  state.slowest = !state.slowest;
  state.cursor = 0;
  byId("cases").scrollTop = 0;
  redraw();
}

const keys = {
  ArrowDown: () => moveCursor(state.cursor + 1),
  ArrowUp: () => moveCursor(state.cursor - 1),
  j: () => moveCursor(state.cursor + 1),
  k: () => moveCursor(state.cursor - 1),
  PageDown: () => moveCursor(state.cursor + Math.floor(byId("cases").clientHeight / ROW)),
  PageUp: () => moveCursor(state.cursor - Math.floor(byId("cases").clientHeight / ROW)),
  Home: () => moveCursor(0),
  End: () => moveCursor(wanted.length - 1),
  Enter: () => wanted.length && openCase(wanted[state.cursor]),
  Escape: () => openCase(-1),
  n: () => moveToFailure(1),
  p: () => moveToFailure(-1),
  s: changeOrder,
  t: changeTheme,
  "/": () => byId("search").focus(),
  1: () => showView("cases"),
  2: () => showView("matrix"),
  3: () => showView("sessions"),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target === byId("search");
  if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
  if (typing && event.key.length === 1) return;
  if (typing && (event.key === "Home" || event.key === "End")) return;
  if (typing && event.key === "Escape") return void byId("cases").focus();
  // A button or a summary in focus keeps its own Enter; inside the details arrows scroll.
  if (event.key === "Enter" && event.target.closest("button, summary")) return;
  if (state.view !== "cases" && !["1", "2", "3", "t", "/", "Escape"].includes(event.key)) return;
  event.preventDefault();
  keys[event.key]();
});

let waiting = 0;
byId("search").addEventListener("input", (event) => {
  state.text = event.target.value;
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => { state.cursor = 0; byId("cases").scrollTop = 0; redraw(); });
});
byId("cases").addEventListener("scroll", () => requestAnimationFrame(drawRows), { passive: true });
addEventListener("resize", drawRows);
byId("theme").addEventListener("click", changeTheme);
byId("sort").addEventListener("click", changeOrder);
byId("file").addEventListener("click", () => { state.file = -1; redraw(); });

drawHead();
if (columns.outcome.some((outcome) => bad.has(outcome))) for (const outcome of bad) if (columns.outcome.includes(outcome)) state.outcomes.add(outcome);
showView("cases");
const named = /^#case=(\d+)$/.exec(location.hash);
if (named && Number(named[1]) < total) {
  state.outcomes.clear();
  redraw();
  moveCursor(Number(named[1]));
  openCase(Number(named[1]));
}

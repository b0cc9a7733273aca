// The head of the page and the chips that choose.
function drawHead() {
  const run = data.run;
  byId("verdict").textContent = run.verdict === "unspecified" ? "unfinished" : run.verdict;
  byId("verdict").classList.add(run.verdict);
  byId("suite").textContent = run.suite || run.title;
  const facts = [`${total} cases`, spanText(run.seconds * 1000)];
  if (run.warnings) facts.push(`${run.warnings} warnings`);
  if (run.created) facts.push(new Date(run.created).toLocaleString());
  if (run.deadline) facts.push(run.deadline);
  if (run.commit) facts.push(run.commit.slice(0, 12));
  facts.push(run.id);
  byId("facts").textContent = facts.join("  ·  ");
  byId("facts").title = run.title;
  byId("proportions").append(shares(countOutcomes(allCases()), total));
  byId("proportions").setAttribute("aria-label", [...countOutcomes(allCases())].map(([outcome, count]) => `${count} ${readable(data.outcomes[outcome])}`).join(", "));
}

function chip(text, extra, on, click) {
  return element("button", { type: "button", class: `chip ${extra}${on ? " on" : ""}`, "aria-pressed": String(on), on: { click } }, text);
}

function drawFilters(shown) {
  const views = [["cases", "cases"], ["matrix", "files"]];
  if (data.sessions.length || data.artifacts.length || data.targets.some((target) => target.cause || target.comparison)) views.push(["sessions", "session"]);
  byId("views").replaceChildren(...views.map(([view, label]) =>
    element("button", { type: "button", role: "tab", class: `tab${state.view === view ? " on" : ""}`, "aria-selected": String(state.view === view), on: { click: () => showView(view) } }, label)));

  const counts = [...countOutcomes(allCases())].sort(([one], [other]) => bad.has(other) - bad.has(one) || one - other);
  byId("outcomes").replaceChildren(...counts.map(([outcome, count]) =>
    chip(`${count} ${readable(data.outcomes[outcome])}`, `fg ${data.outcomes[outcome]}`, state.outcomes.has(outcome), () => { toggled(state.outcomes, outcome); redraw(); })));

  byId("targets").replaceChildren(...(data.targets.length < 2 ? [] : data.targets.map((target, index) =>
    chip(target.name, target.cause && !target.unchanged ? "broken" : "", state.targets.has(index), () => { toggled(state.targets, index); redraw(); }))));

  byId("outcomes").hidden = byId("sort").hidden = byId("count").hidden = state.view !== "cases";
  byId("file").hidden = state.file < 0;
  byId("file").textContent = state.file < 0 ? "" : `${data.files[state.file]}  ×`;
  byId("sort").textContent = state.slowest ? "slowest first" : "in order";
  byId("count").textContent = shown === total ? "" : `${shown} of ${total}`;
}

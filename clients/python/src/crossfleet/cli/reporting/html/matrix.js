// Files as rows, targets as columns; and what the sessions said at their end.
function drawMatrix() {
  const cells = new Map();
  for (const index of wantedCases(true)) {
    const key = `${fileOf(index)} ${columns.target[index]}`;
    if (!cells.has(key)) cells.set(key, { counts: new Map(), ms: 0, sum: 0 });
    const cell = cells.get(key);
    cell.counts.set(columns.outcome[index], (cell.counts.get(columns.outcome[index]) ?? 0) + 1);
    cell.ms += columns.ms[index];
    cell.sum += 1;
  }
  const files = [...new Set([...cells.keys()].map((key) => Number(key.split(" ")[0])))];
  const troubles = (file) => data.targets.some((_, target) => [...(cells.get(`${file} ${target}`)?.counts.keys() ?? [])].some((outcome) => bad.has(outcome)));
  files.sort((one, other) => troubles(other) - troubles(one) || data.files[one].localeCompare(data.files[other]));
  const head = element("tr", {}, element("th", {}, `${files.length} files`), ...data.targets.map((target) => element("th", { scope: "col", title: target.cause }, target.name)));
  const body = files.map((file) => element("tr", {},
    element("th", { scope: "row" }, element("button", { type: "button", class: "plain", on: { click: () => showFile(file, -1) } }, data.files[file])),
    ...data.targets.map((_, target) => matrixCell(file, target, cells.get(`${file} ${target}`)))));
  byId("matrix").replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

function matrixCell(file, target, cell) {
  if (!cell) return element("td", { class: "none" }, "–");
  const others = [...cell.counts].filter(([outcome]) => data.outcomes[outcome] !== "passed").sort(([one], [other]) => bad.has(other) - bad.has(one));
  const texts = others.slice(0, 3).map(([outcome, count]) => element("span", { class: `fg ${data.outcomes[outcome]}` }, `${count} ${readable(data.outcomes[outcome])} `));
  const all = element("span", { class: "sum" }, String(cell.sum));
  return element("td", {}, element("button", { type: "button", class: "plain cell", title: spanText(cell.ms), on: { click: () => showFile(file, target) } },
    shares(cell.counts, cell.sum), element("span", { class: "numbers" }, all, ...texts)));
}

function showFile(file, target) {
  state.file = file;
  state.outcomes.clear();
  state.targets = new Set(target < 0 ? [] : [target]);
  showView("cases");
}

function drawSessions() {
  const parts = [];
  for (const target of data.targets) {
    if (target.cause) parts.push(element("h2", {}, `target ${target.name}: ${target.cause}`), target.details ? block("what it said", target.details, true) : null);
    if (target.comparison) parts.push(element("p", {}, `target ${target.name} ${target.comparison}`));
  }
  for (const [target, title, body] of data.sessions) parts.push(block(data.targets.length > 1 ? `${title} [${target}]` : title, body, true));
  if (data.artifacts.length) parts.push(element("h2", {}, "files that tests left"), artifactList(data.artifacts));
  byId("sessions").replaceChildren(...parts.filter(Boolean));
}

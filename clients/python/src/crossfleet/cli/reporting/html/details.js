// One case: where it ran and how long, its traceback, what it printed, how to see it again.
function openCase(index) {
  state.open = index;
  history.replaceState(null, "", index < 0 ? "#" : `#case=${index}`);
  const place = byId("details");
  place.hidden = index < 0;
  place.parentElement.classList.toggle("split", index >= 0);
  place.replaceChildren(...(index < 0 ? [] : detailsOf(index)));
  place.scrollTop = 0;
  drawRows();
}

function detailsOf(index) {
  const detail = data.details[index];
  const ran = data.workers[columns.worker[index]];
  const facts = [targetOf(index), ran ? `${ran}, slot ${columns.slot[index]}` : "", spanText(columns.ms[index]), detail?.place].filter(Boolean);
  const parts = [
    element("button", { class: "close", type: "button", title: "close (Esc)", "aria-label": "close", on: { click: () => openCase(-1) } }, "×"),
    element("h2", {}, element("span", { class: `outcome fg ${outcomeOf(index)}` }, readable(outcomeOf(index))), " ", idOf(index)),
    element("p", { class: "facts" }, facts.join("  ·  ")),
  ];
  if (data.messages[index]) parts.push(element("p", { class: "said" }, data.messages[index]));
  if (detail) {
    if (detail.phases.some((ms) => ms > 0)) parts.push(phases(detail.phases));
    if (detail.text) parts.push(block(isBad(index) ? "traceback" : "details", detail.text, true));
    for (const [title, content] of detail.sections) parts.push(block(title, content, content.length < 20_000));
    if (detail.properties.length) parts.push(properties(detail.properties));
  } else if (isBad(index)) {
    parts.push(element("p", { class: "facts" }, "Its traceback is not in this file: there are too many. The first command below shows it."));
  }
  return [...parts, ...filesOf(index), commands(index)];
}

function phases(spans) {
  const bar = element("div", { class: "phases" });
  const sum = spans.reduce((one, other) => one + other, 0);
  ["set-up", "call", "tear-down"].forEach((name, position) => {
    const part = element("span", { class: `phase phase-${position}`, title: `${name} ${spanText(spans[position])}` }, `${name} ${spanText(spans[position])}`);
    part.style.flexGrow = String(1 + (100 * spans[position]) / sum);
    bar.append(part);
  });
  return bar;
}

function block(title, content, open) {
  const pre = element("pre", {});
  for (const line of content.split("\n")) {
    const kind = /^E {2}/.test(line) ? "error" : /^>/.test(line) ? "here" : /^\S+:\d+: /.test(line) ? "place" : "";
    pre.append(kind ? element("span", { class: kind }, line) : line, "\n");
  }
  return element("details", { open }, element("summary", {}, title), pre);
}

function properties(pairs) {
  const list = element("dl", {});
  for (const [name, value] of pairs) list.append(element("dt", {}, name), element("dd", {}, value));
  return list;
}

function filesOf(index) {
  const target = targetOf(index), id = idOf(index);
  const left = data.artifacts.filter(([where, , , which]) => which === id && where === target);
  return left.length ? [element("h3", {}, "files that it left"), artifactList(left)] : [];
}

function artifactList(artifacts) {
  return element("ul", { class: "artifacts" }, ...artifacts.map(([target, name, bytes]) =>
    element("li", {}, copyButton(`${name}  [${target}]  ${bytes} bytes`, `crossfleet artifacts get ${data.run.id} --name ${quoted(name)} --into .`))));
}

const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`);

function commands(index) {
  const show = `crossfleet show ${data.run.id} --case ${quoted(idOf(index))}${data.targets.length > 1 ? ` --target ${quoted(targetOf(index))}` : ""}`;
  return element("div", { class: "commands" }, copyButton(show, show), copyButton(`pytest ${quoted(idOf(index))}`, `pytest ${quoted(idOf(index))}`));
}

// The list of cases. Only the rows in sight exist, so that it is as quick with a million as with ten.
const ROW = 32;
let wanted = [];
let longest = 1;

function drawCases() {
  wanted = wantedCases();
  longest = wanted.reduce((most, index) => Math.max(most, columns.ms[index]), 1);
  state.cursor = Math.max(0, Math.min(state.cursor, wanted.length - 1));
  byId("rows").style.height = `${wanted.length * ROW}px`;
  drawRows();
}

function drawRows() {
  const place = byId("cases");
  const first = Math.max(0, Math.floor(place.scrollTop / ROW) - 8);
  const last = Math.min(wanted.length, Math.ceil((place.scrollTop + place.clientHeight) / ROW) + 8);
  const rows = [];
  for (let position = first; position < last; position++) rows.push(row(position));
  if (!wanted.length) rows.push(element("p", { class: "nothing" }, "No case matches."));
  byId("rows").replaceChildren(...rows);
  place.setAttribute("aria-activedescendant", wanted.length ? `row-${state.cursor}` : "");
}

function row(position) {
  const index = wanted[position];
  const ms = columns.ms[index];
  const [, folder, file] = /^(.*\/)?(.*)$/s.exec(data.files[fileOf(index)]);
  const meter = element("span", { class: "meter" }, element("i"));
  // A square root, so that what is short can be told apart too.
  meter.firstChild.style.width = `${100 * Math.sqrt(ms / longest)}%`;
  const made = element("div", {
    id: `row-${position}`, role: "option", class: `row${position === state.cursor ? " cursor" : ""}${index === state.open ? " open" : ""}`,
    "aria-selected": String(position === state.cursor), "aria-posinset": String(position + 1), "aria-setsize": String(wanted.length),
    on: { click: () => { state.cursor = position; openCase(index); } },
  },
    element("span", { class: `outcome fg ${outcomeOf(index)}` }, readable(outcomeOf(index))),
    element("span", { class: "name", title: idOf(index) },
      element("span", { class: "folder" }, folder ?? ""), element("span", { class: "path" }, file + (nameOf(index) ? "::" : "")), element("b", {}, nameOf(index)),
      element("span", { class: "message" }, data.messages[index] ?? "")),
    data.targets.length > 1 ? element("span", { class: "target" }, targetOf(index)) : null,
    meter, element("span", { class: "time" }, spanText(ms)));
  made.style.top = `${position * ROW}px`;
  return made;
}

function moveCursor(position) {
  if (!wanted.length) return;
  state.cursor = Math.max(0, Math.min(position, wanted.length - 1));
  const place = byId("cases"), top = state.cursor * ROW;
  if (top < place.scrollTop) place.scrollTop = top;
  else if (top + ROW > place.scrollTop + place.clientHeight) place.scrollTop = top + ROW - place.clientHeight;
  if (state.open >= 0) openCase(wanted[state.cursor]);
  else drawRows();
}

function moveToFailure(step) {
  for (let position = state.cursor + step; position >= 0 && position < wanted.length; position += step) {
    if (isBad(wanted[position])) {
      moveCursor(position);
      return openCase(wanted[position]);
    }
  }
}

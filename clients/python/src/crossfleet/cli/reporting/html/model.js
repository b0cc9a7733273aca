"use strict";

// What the report holds, and which of its cases are wanted now.
const data = JSON.parse(document.getElementById("data").textContent);
const columns = data.cases;
const total = columns.name.length;
const bad = new Set(data.bad);
const state = { outcomes: new Set(), targets: new Set(), file: -1, text: "", slowest: false, view: "cases", open: -1, cursor: 0 };

const fileOf = (index) => data.names[columns.name[index]][0];
const nameOf = (index) => data.names[columns.name[index]][1];
const outcomeOf = (index) => data.outcomes[columns.outcome[index]];
const targetOf = (index) => data.targets[columns.target[index]].name;
const isBad = (index) => bad.has(columns.outcome[index]);

function idOf(index) {
  const name = nameOf(index);
  return name ? `${data.files[fileOf(index)]}::${name}` : data.files[fileOf(index)];
}

const searched = [];

function textOf(index) {
  searched[index] ??= `${idOf(index)}\n${data.messages[index] ?? ""}`.toLowerCase();
  return searched[index];
}

function wantedCases(ofAnyOutcome = false) {
  const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = [];
  for (let index = 0; index < total; index++) {
    if (!ofAnyOutcome && state.outcomes.size && !state.outcomes.has(columns.outcome[index])) continue;
    if (state.targets.size && !state.targets.has(columns.target[index])) continue;
    if (state.file >= 0 && fileOf(index) !== state.file) continue;
    if (words.length && !words.every((word) => textOf(index).includes(word))) continue;
    found.push(index);
  }
  return state.slowest ? found.sort((one, other) => columns.ms[other] - columns.ms[one]) : found;
}

function countOutcomes(indices) {
  const counts = new Map();
  for (const index of indices) counts.set(columns.outcome[index], (counts.get(columns.outcome[index]) ?? 0) + 1);
  return counts;
}

function* allCases() {
  for (let index = 0; index < total; index++) yield index;
}

function spanText(ms) {
  if (ms < 1) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(2)} s`;
  return `${Math.floor(ms / 60_000)} m ${String(Math.round(ms / 1000) % 60).padStart(2, "0")} s`;
}

// Elements are made of tags and texts; no markup is ever parsed.
function element(tag, properties, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (name === "class") made.className = value;
    else if (name === "on") for (const [event, handler] of Object.entries(value)) made.addEventListener(event, handler);
    else if (name.startsWith("aria-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const byId = (id) => document.getElementById(id);

const readable = (outcome) => outcome.replaceAll("_", " ");

function toggled(set, value) {
  if (!set.delete(value)) set.add(value);
}

function copyButton(label, text) {
  const button = element("button", { class: "copy", type: "button", title: "copy" }, label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.classList.add("done");
      setTimeout(() => button.classList.remove("done"), 900);
    } catch {
      getSelection().selectAllChildren(button);
    }
  });
  return button;
}

// A bar of outcomes, each as wide as its share.
function shares(counts, sum) {
  const bar = element("span", { class: "shares" });
  for (const [outcome, count] of [...counts].sort(([one], [other]) => one - other)) {
    const part = element("i", { class: `bg ${data.outcomes[outcome]}`, title: `${count} ${readable(data.outcomes[outcome])}` });
    part.style.flexGrow = String(count);
    part.style.flexBasis = count / sum < 0.02 ? "3px" : "0";
    bar.append(part);
  }
  return bar;
}

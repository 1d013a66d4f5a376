"use strict";
// What moves on the page. Without it everything is still there to read: all samples one below the other, words without
// their five likeliest, and the nearest words of the most frequent ones. Texts enter by textContent, never as HTML.

const byId = (id) => document.getElementById(id);
const data = (id) => JSON.parse(byId(id).textContent);

function element(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

// A word in a sentence of ours: isolated, so that its direction does not turn what stands around it.
function word(text) {
  const made = element("bdi", text, "text");
  made.translate = false;
  return made;
}

// --- samples: a slider over the validations ---

function samples() {
  const slider = byId("validation");
  if (!slider) return;
  const shown = [...document.querySelectorAll("#all-samples > .sample")];
  byId("slider").hidden = false;
  const show = () => {
    shown.forEach((sample, i) => { sample.classList.toggle("off", i !== slider.valueAsNumber - 1); });
    const title = shown[slider.valueAsNumber - 1].querySelector("h3").textContent;
    slider.setAttribute("aria-valuetext", title);
    byId("validation-name").textContent = title;
  };
  slider.addEventListener("input", show);
  show();
}

// --- surprise: what was expected in place of a word ---

function surprise() {
  if (!byId("expected")) return;
  const { words, rows } = data("expected");
  const text = byId("surprise-text"), tip = byId("tip"), spans = [...text.querySelectorAll("bdi")];
  spans.forEach((span, i) => { span.tabIndex = i ? -1 : 0; });

  function show(span) {
    const [bits, likely] = rows[spans.indexOf(span)];
    const list = element("ol");
    for (const [id, p] of likely) {
      const item = element("li");
      item.append(word(words[id]), ` ${(100 * p).toFixed(p < 0.1 ? 2 : 1)} %`);
      list.append(item);
    }
    const head = element("p");
    head.append(word(span.textContent), `: ${bits.toFixed(1)} bits, ${percent(bits)}`);
    tip.replaceChildren(head, element("p", "likeliest here:", "quiet"), list);
    tip.hidden = false;
    const box = span.getBoundingClientRect(), page = document.documentElement;
    const left = Math.min(box.left, page.clientWidth - tip.offsetWidth - 8);
    const below = box.bottom + tip.offsetHeight + 8 < page.clientHeight || box.top < tip.offsetHeight + 8;
    tip.style.left = `${Math.max(left, 4) + scrollX}px`;
    tip.style.top = `${(below ? box.bottom + 6 : box.top - tip.offsetHeight - 6) + scrollY}px`;
  }
  const hide = () => { tip.hidden = true; };
  const percent = (bits) => `probability ${bits < 10 ? (100 * 2 ** -bits).toPrecision(2) : (100 * 2 ** -bits).toExponential(1)} %`;

  text.addEventListener("mouseover", (event) => { if (event.target.matches("bdi")) show(event.target); });
  text.addEventListener("mouseleave", hide);
  text.addEventListener("click", (event) => { if (event.target.matches("bdi")) event.target.focus(); });
  text.addEventListener("focusin", (event) => {
    spans.forEach((span) => { span.tabIndex = span === event.target ? 0 : -1; });
    show(event.target);
  });
  text.addEventListener("focusout", hide);
  text.addEventListener("keydown", (event) => {
    const to = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const at = spans.indexOf(document.activeElement);
    if (event.key === "Escape") hide();
    if (at < 0 || !(to || event.key === "Home" || event.key === "End")) return;
    event.preventDefault();
    spans[event.key === "Home" ? 0 : event.key === "End" ? spans.length - 1 : Math.min(Math.max(at + to, 0), spans.length - 1)].focus();
  });
}

// --- nearest words: a search box ---

function nearest() {
  if (!byId("neighbours")) return;
  const { words, near } = data("neighbours");
  const box = byId("search"), found = byId("found"), result = byId("nearest-result");
  const folded = words.map((one) => one.toLowerCase());
  byId("search-form").hidden = false;

  function show(id) {
    const table = element("table"), head = element("tr"), caption = element("caption", "Nearest words of ");
    caption.append(word(words[id]));
    ["word", "cosine"].forEach((name) => { const th = element("th", name); th.scope = "col"; head.append(th); });
    table.append(caption, head);
    for (const [other, cosine] of near[id]) {
      const row = element("tr"), name = element("td"), number = element("td"), go = element("button");
      go.type = "button";
      go.append(word(words[other]));
      go.addEventListener("click", () => { box.value = words[other]; search(); });
      name.append(go);
      const bar = element("span", undefined, "bar");
      bar.style.width = `${Math.max(cosine, 0) / 20}em`;
      number.append(bar, ` ${(cosine / 100).toFixed(2)}`);
      row.append(name, number);
      table.append(row);
    }
    result.replaceChildren(table);
  }

  function search() {
    const text = box.value.trim().toLowerCase();
    const exact = words.indexOf(box.value.trim()), same = exact < 0 ? folded.indexOf(text) : exact;
    const ids = text ? [...folded.keys()].filter((i) => folded[i].startsWith(text)) : [];
    const buttons = ids.slice(0, 12).map((id) => {
      const made = element("button");
      made.type = "button";
      made.append(word(words[id]));
      made.addEventListener("click", () => { box.value = words[id]; search(); });
      return made;
    });
    found.replaceChildren(...buttons.flatMap((button) => [button, " "]));
    byId("found-number").textContent = !text ? "" : `${ids.length} ${ids.length === 1 ? "word begins" : "words begin"} so`;
    const chosen = same < 0 ? ids[0] : same;
    if (chosen === undefined) result.replaceChildren(element("p", text ? "No such word among those searched." : ""));
    else show(chosen);
  }

  box.addEventListener("input", search);
  byId("search-form").addEventListener("submit", (event) => { event.preventDefault(); search(); });
}

// On paper everything is open.
addEventListener("beforeprint", () => { document.querySelectorAll("details").forEach((one) => { one.open = true; }); });

samples();
surprise();
nearest();

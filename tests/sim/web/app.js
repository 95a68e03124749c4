// The inboxes, newest first.  What comes from an SMS reaches the page through textContent alone.
"use strict";

const POLL_MS = 2000;          // without server-sent events, and as a second chance beside them
const DIGITS = /\d{4,10}/;     // what looks like a PIN

const select = document.getElementById("number");
const list = document.getElementById("list");
const empty = document.getElementById("empty");
const status = document.getElementById("status");
const announce = document.getElementById("announce");
const form = document.getElementById("form");
const STATES = {
  ENROUTE: ["On its way", ""], DELIVRD: ["Delivered", "good"], UNDELIV: ["Not delivered", "bad"],
  REJECTD: ["Rejected", "bad"], EXPIRED: ["Expired", "bad"], DELETED: ["Cancelled", "bad"],
};
const seen = new Set();
let started = false;
let last = "";
let busy = false;
let again = false;

function make(tag, name, text) {
  const e = document.createElement(tag);
  if (name) e.className = name;
  if (text !== undefined) e.textContent = text;
  return e;
}

function shown(number) {
  return /^\d{7,}$/.test(number) ? "+" + number : number;
}

function copyButton(pin, id) {
  const button = make("button", "copy", "Copy");
  button.dataset.id = id;
  button.setAttribute("aria-label", "Copy " + pin);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(pin);
      button.textContent = "Copied";
      announce.textContent = pin + " copied";
    } catch {
      button.textContent = "Refused"; // a click on the digits selects them
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return button;
}

function textOf(message) {
  const line = make("div", "words");
  const p = make("p", "text");
  const found = DIGITS.exec(message.text);
  line.append(p);
  if (!found) {
    p.textContent = message.text;
    return line;
  }
  p.append(message.text.slice(0, found.index), make("span", "digits", found[0]),
           message.text.slice(found.index + found[0].length));
  if (navigator.clipboard) line.append(copyButton(found[0], message.id));
  return line;
}

function timeOf(at) {
  const date = new Date(at);
  const today = date.toDateString() === new Date().toDateString();
  const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };
  const time = make("time", "", (today ? "" : date.toLocaleDateString() + " ") + date.toLocaleTimeString([], options));
  time.dateTime = date.toISOString();
  return time;
}

function card(message) {
  const li = make("li", started && !seen.has(message.id) ? "new" : "");
  const top = make("div", "top");
  top.append(make("span", "from", message.from || "Unknown sender"), timeOf(message.at));
  const bottom = make("div", "bottom");
  const [word, tone] = STATES[message.state] || [message.state, ""];
  const parts = message.parts > 1 ? ` · ${message.have} of ${message.parts} parts` : "";
  bottom.append(make("span", "", "To " + shown(message.to)), make("span", tone, word + parts));
  li.append(top, textOf(message), bottom);
  return li;
}

function showMessages(messages) {
  messages.reverse();
  const fresh = messages.filter((m) => !seen.has(m.id));
  const at = list.contains(document.activeElement) ? document.activeElement.dataset.id : null;
  list.replaceChildren(...messages.map(card));
  for (const button of list.querySelectorAll("button"))
    if (button.dataset.id === at) button.focus();
  empty.hidden = messages.length > 0;
  if (started && fresh.length > 0)
    announce.textContent = `New message from ${fresh[0].from || "unknown sender"}: ${fresh[0].text}`;
  seen.clear();
  for (const m of messages) seen.add(m.id);
  started = true;
}

function showNumbers(numbers) {
  const chosen = select.value;
  const options = [new Option("All numbers", "")];
  for (const n of numbers) options.push(new Option(`${shown(n.to)} (${n.messages})`, n.to));
  if (chosen && !numbers.some((n) => n.to === chosen)) options.push(new Option(shown(chosen), chosen));
  select.replaceChildren(...options);
  select.value = chosen;
}

async function get(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(5000) });
  if (!answer.ok) throw new Error(answer.status);
  return answer.text();
}

function say(word, name) {
  if (status.textContent === word) return;
  status.textContent = word;
  status.className = "status " + name;
}

async function refresh() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  try {
    const query = select.value ? "?to=" + encodeURIComponent(select.value) : "";
    const [numbers, messages] = await Promise.all([get("/numbers"), get("/messages" + query)]);
    if (document.activeElement !== select) showNumbers(JSON.parse(numbers));
    if (messages !== last) showMessages(JSON.parse(messages)); // else a selection in the list would be lost
    last = messages;
    say("Live", "live");
  } catch {
    say("No connection", "lost");
  }
  busy = false;
  if (again) {
    again = false;
    refresh();
  }
}

select.addEventListener("change", () => {
  started = false;
  history.replaceState(null, "", select.value ? "#" + select.value : location.pathname);
  refresh();
});
select.addEventListener("blur", refresh);

const wanted = location.hash.slice(1);
if (wanted) {
  select.append(new Option(shown(wanted), wanted));
  select.value = wanted;
}
get("/form").then((text) => {
  const url = JSON.parse(text);
  form.hidden = !url;
  form.href = url;
}).catch(() => {});
new EventSource("/events").addEventListener("changed", refresh);
setInterval(refresh, POLL_MS);
refresh();

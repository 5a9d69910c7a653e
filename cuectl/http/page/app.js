"use strict";
(() => {
const $ = (q, at) => (at || document).querySelector(q), all = (q, at) => [...(at || document).querySelectorAll(q)];
const body = document.body, root = document.documentElement, up = body.dataset.up, place = $("#live");
const policy = window.trustedTypes ? trustedTypes.createPolicy("cuectl", {createHTML: s => s}) : {createHTML: s => s};
const make = (tag, text, more) => Object.assign(document.createElement(tag), {textContent: text}, more);
const keep = (name, value) => { try { if (value === undefined) return localStorage.getItem(name); localStorage.setItem(name, value); } catch { return null; } };

// Light, dark, or as the system has it.
const themes = ["auto", "light", "dark"];
const paint = name => { if (name === "auto") delete root.dataset.theme; else root.dataset.theme = name; };
let theme = themes.includes(keep("theme")) ? keep("theme") : "auto";
paint(theme);
const shade = make("button", "Theme: " + theme, {type: "button"});
shade.onclick = () => { theme = themes[(themes.indexOf(theme) + 1) % 3]; keep("theme", theme); paint(theme); shade.textContent = "Theme: " + theme; };

// Times stay right while the page is open.
const two = (n, unit, rest, smaller) => n + unit + (rest ? (smaller === "m" ? String(rest).padStart(2, "0") : rest) + smaller : "");
const span = s => {
  const m = Math.round(s / 60), h = Math.round(m / 60);
  if (s < 60) return s + "s";
  if (m < 60) return m + "m";
  if (m < 600) return two(m / 60 | 0, "h", m % 60, "m");
  return h < 24 ? h + "h" : h < 48 ? two(1, "d", h - 24, "h") : Math.round(h / 24) + "d";
};
const shown = Date.parse($("footer time")?.dateTime || "") || Date.now(), skew = Date.now() - shown;
const tick = () => all("main time").forEach(t => { const s = Math.trunc((Date.parse(t.dateTime) - Date.now() + skew) / 1000); t.textContent = s > 0 ? "in " + span(s) : span(-s) + " ago"; });

// Output: lines with numbers, appended as they come.
const out = $("#out");
let follow = true, open = null;
const line = () => { const b = make("b", "", {id: "L" + out.dataset.next++}); out.append(b); if (out.childNodes.length > 5000) out.firstChild.remove(); return b; };
const print = runs => runs.forEach(([kind, text]) => text.split("\n").forEach((part, n) => {
  if (n) open = null;
  if (!part) return;
  open = open || line();
  open.append(kind ? make("i", part, {className: kind}) : part);
}));
const end = () => { if (follow && out) out.scrollTop = out.scrollHeight; };
const followed = $("#follow");
if (followed) followed.onclick = () => { follow = !follow; followed.ariaPressed = follow; end(); };
if (out) { out.onwheel = e => { if (e.deltaY < 0 && follow && followed) followed.click(); }; end(); }
all(".wrap").forEach(b => b.onclick = () => b.ariaPressed = !b.closest("p").nextElementSibling.classList.toggle("nowrap"));
const errors = /\b(error|fail(ed|ure)?|traceback|exception|fatal|panic)\b/i;
const nextError = pre => {
  const lines = all("b", pre), from = lines.findIndex(b => b.classList.contains("hit"));
  const hit = lines.find((b, n) => n > from && errors.test(b.textContent)) || lines.find(b => errors.test(b.textContent));
  lines[from]?.classList.remove("hit");
  if (hit) { if (follow && followed) followed.click(); hit.classList.add("hit"); hit.scrollIntoView({block: "center"}); }
};
all(".next").forEach(b => b.onclick = () => nextError(b.closest("p").nextElementSibling));

// News: one stream, closed while nobody sees it.
let source = null, paused = false, fresh = 0, seen = body.dataset.live;
const tell = text => place.firstChild.textContent = text;
const stop = text => { source?.close(); source = null; tell(text); };
const failing = () => { const n = $("#summary")?.dataset.failing | 0; document.title = (n ? "(" + n + ") " : "") + document.title.replace(/^\(\d+\) /, ""); };
const put = ({id, html}) => {
  const old = document.getElementById(id);
  if (!old) { if (html) tell(++fresh + " new: reload"); return; }
  if (old.contains(document.activeElement)) return;
  const made = document.createElement("template");
  made.innerHTML = policy.createHTML(html);
  old.replaceWith(made.content);
  failing();
};
const on = (name, act) => source.addEventListener(name, e => {
  if (e.lastEventId) seen = seen.replace(/from=\d+/, "from=" + e.lastEventId);
  act(JSON.parse(e.data));
});
const start = () => {
  if (source || paused || document.hidden || !seen) return;
  source = new EventSource(up + "live?" + seen);
  source.onopen = () => tell("● live");
  source.onerror = () => { if (source?.readyState === 2) stop("not live: reload"); else tell("reconnecting"); };
  on("put", put);
  on("out", runs => { print(runs); end(); });
  on("skip", ({bytes}) => { open = null; print([["c7", "… " + bytes + " bytes left out: see Raw\n"]]); });
  on("end", () => { stop("ended"); if (!getSelection().toString()) location.reload(); });
  on("behind", () => stop("fell behind: reload"));
};
if (place) place.append("", shade);
if (seen && window.EventSource && place) {
  const hold = make("button", "Pause", {type: "button"});
  hold.onclick = () => { paused = !paused; hold.textContent = paused ? "Go on" : "Pause"; if (paused) stop("paused"); else start(); };
  shade.before(hold);
  document.addEventListener("visibilitychange", () => document.hidden ? stop("") : start());
  addEventListener("pagehide", () => stop(""));
  start();
}
if (!body.dataset.static) setInterval(tick, 10000);
failing();

// Keys: never needed, and switched off with one click.
const help = make("dialog", ""), keys = {c: "", r: "executions", w: "workflows", a: "alerts", s: "journal"};
let after = "", row = -1;
const off = make("button", "", {type: "button"}), label = () => off.textContent = keep("keys") === "off" ? "Switch keys on" : "Switch keys off";
off.onclick = () => { keep("keys", keep("keys") === "off" ? "on" : "off"); label(); };
label();
help.append(make("p", "/ filter · j k row · Enter open · g then c r w a s: page · f follow · e next error · ? this"), off, make("button", "Close", {type: "button", onclick: () => help.close()}));
body.append(help);
const question = make("button", "?", {type: "button", ariaLabel: "Keys"});
question.onclick = () => help.showModal();
place?.append(question);
addEventListener("keydown", e => {
  if (e.ctrlKey || e.metaKey || e.altKey || /INPUT|TEXTAREA|SELECT/.test(e.target.tagName)) return;
  const k = e.key;
  if (k === "?") return question.click();
  if (keep("keys") === "off") return;
  const rows = all("tbody tr").filter(r => $("a", r));
  if (after === "g" && k in keys && !body.dataset.static) location.href = up + (keys[k] || "./");
  else if (k === "/" && $("#filter")) { e.preventDefault(); $("#filter").focus(); }
  else if ((k === "j" || k === "k") && rows.length) { row = Math.max(0, Math.min(rows.length - 1, row + (k === "j" ? 1 : -1))); $("a", rows[row]).focus(); }
  else if (k === "f") followed?.click();
  else if (k === "e" && $(".out")) nextError($(".out"));
  after = k;
});
})();

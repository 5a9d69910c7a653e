"use strict";
// The rest of the executions: kept as data, put into the table when somebody asks for them.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const body = document.getElementById("rows"), more = document.getElementById("more");
  const filter = document.getElementById("filter"), count = document.getElementById("count");
  const classes = {succeeded: "good", running: "run", pending: "wait", queued: "wait", waiting: "wait",
    skipped: "none", cancelled: "none"};
  const STEP = 200;
  let found = data.rows, shown = body.rows.length;
  const text = (at) => at === null ? "" : new Date(at).toLocaleString("sv-SE",
    {timeZone: data.zone}).slice(0, 19);
  const words = (row) => [data.cues[row[1]], data.statuses[row[2]], data.outcomes[row[3]], row[0],
    row[6]].join(" ").toLowerCase();
  function line(row) {
    const status = data.statuses[row[2]], outcome = data.outcomes[row[3]];
    const tr = document.createElement("tr");
    const rejected = outcome === "verification_failed";
    const cells = [[text(row[4]), "t"], [data.cues[row[1]], "w"],
      [rejected ? "rejected" : status, rejected ? "bad" : classes[status] || "bad"],
      [outcome, "narrow"], [row[5] === null ? "" : row[5] + " s", "n"], [row[6], "w narrow"],
      [row[0], "id narrow"]];
    for (const [value, name] of cells) {
      const td = document.createElement("td");
      td.textContent = value; td.className = name; tr.append(td);
    }
    return tr;
  }
  function add(upTo) {
    const part = document.createDocumentFragment();
    for (; shown < Math.min(upTo, found.length); shown++) part.append(line(found[shown]));
    body.append(part);
    more.hidden = shown >= found.length;
    count.textContent = shown + " of " + found.length;
  }
  more.addEventListener("click", () => add(shown + STEP));
  filter.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase();
    found = wanted ? data.rows.filter((row) => words(row).includes(wanted)) : data.rows;
    body.replaceChildren(); shown = 0; add(STEP);
  });
  window.addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details")) one.open = true;
  });
  add(shown);
})();

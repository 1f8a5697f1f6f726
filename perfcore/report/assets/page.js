"use strict";
// The page shows; perfcore decides. Nothing of the law is computed here: filters look at words that are in the page,
// and the form sends its numbers to the engine behind `perfcore serve` and shows what it answers.
(() => {
  const byId = (id) => document.getElementById(id);
  document.documentElement.classList.add("scripted");

  // ---- filters of tables --------------------------------------------------------------------------------------------
  function filtered(table, text, state, which, count) {
    if (!table || !text) return;
    const rows = [...table.tBodies[0].rows];
    const apply = () => {
      const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const at = which ? Number(which.value) : 0;
        const own = row.dataset.states.split(" ")[at];
        const is = state.value === "contested" ? (row.dataset.contested || "")[at] === "1" : own === state.value;
        const fits = words.every((w) => row.dataset.words.includes(w)) && (!state.value || is);
        row.hidden = !fits;
        shown += fits;
      }
      count.textContent = `${shown} shown`;
    };
    for (const field of [text, state, which]) if (field) field.addEventListener("input", apply);
    apply();
  }
  filtered(byId("matrix"), byId("filter-text"), byId("filter-status"), byId("filter-version"), byId("matrix-count"));
  const filterClaims = () =>
    filtered(byId("claims-table"), byId("claims-text"), byId("claims-outcome"), null, byId("claims-count"));
  filterClaims();
  document.addEventListener("submit", (event) => event.preventDefault());

  // ---- the map of a rule version ------------------------------------------------------------------------------------
  const maps = [...document.querySelectorAll("figure.map")];
  const chooser = byId("map-version");
  const showMap = () => maps.forEach((map) => { map.hidden = map.dataset.version !== chooser.value; });
  if (chooser) {
    chooser.addEventListener("input", showMap);
    showMap();
  }

  // ---- a link to a box opens it -------------------------------------------------------------------------------------
  function openTarget() {
    const target = location.hash.length > 1 && byId(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") {
      target.open = true;
      target.scrollIntoView();
      target.querySelector("summary").focus({ preventScroll: true });
    }
  }
  addEventListener("hashchange", openTarget);
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a[href^='#']");
    if (link && link.getAttribute("href") === location.hash) openTarget();
  });
  openTarget();

  const form = byId("form");
  if (!form) return;

  // ---- the live page: sections that take seconds --------------------------------------------------------------------
  async function fill(place) {
    const answer = await fetch(`/section/${place.dataset.later}`, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(`perfcore answered ${answer.status}`);
    const made = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main section");
    if (made) place.replaceWith(made); else place.remove();
    filterClaims();
  }
  (async () => {
    for (const place of document.querySelectorAll("[data-later]")) {
      try { await fill(place); } catch (problem) { place.querySelector("p").textContent = `Not there: ${problem.message}.`; }
    }
  })();

  // ---- the design form ----------------------------------------------------------------------------------------------
  const words = JSON.parse(byId("words").textContent);
  const sliders = [...form.querySelectorAll("input[type=range]")];
  const start = byId("start");
  const status = byId("verdict-status");
  const more = byId("verdict-more");
  const field = (name) => byId(`field-${name}`);
  const rounded = (value) => String(Number(value.toPrecision(4)));

  // A slider stands on a logarithmic scale of its own; what it says aloud is the field's number with its unit.
  function speak(slider) {
    const text = field(slider.dataset.for).value.trim();
    slider.classList.toggle("unknown", !text);
    slider.setAttribute("aria-valuetext", text ? `${text} ${words.units[slider.dataset.for]}` : "unknown");
  }
  function fromSlider(slider) {
    const [low, high] = [Number(slider.dataset.low), Number(slider.dataset.high)];
    field(slider.dataset.for).value = rounded(10 ** (low + (high - low) * (slider.value / slider.max)));
    speak(slider);
  }
  function toSlider(slider) {
    const [low, high] = [Number(slider.dataset.low), Number(slider.dataset.high)];
    const ends = field(slider.dataset.for).value.split("..").map(Number);
    const middle = ends.reduce((sum, end) => sum + Math.log10(end), 0) / ends.length;
    if (Number.isFinite(middle)) slider.value = Math.round(((middle - low) / (high - low)) * slider.max);
    speak(slider);
  }
  function fillFrom(id) {
    const chip = words.chips[id];
    if (!chip) return;
    for (const slider of sliders) {
      const known = chip[slider.dataset.for];
      const ends = known && typeof known === "object";
      const open = ends && known.high === null;
      const place = field(slider.dataset.for);
      place.value = known === undefined || open ? "" : ends ? `${known.low}..${known.high}` : String(known);
      place.placeholder = open ? `${known.low} or more` : "";
      toSlider(slider);
    }
    const datacenter = chip.datacenter === null ? "" : String(chip.datacenter);
    form.querySelector(`input[name=datacenter][value="${datacenter}"]`).checked = true;
  }

  function changed() {
    start.value = "";
    for (const slider of sliders) field(slider.dataset.for).placeholder = "";
    ask();
  }

  // A chip of the catalogue is asked for by its name as long as nothing is changed: its file says more than the form.
  // Numbers go as they are written, so that perfcore reads the decimal and not what a browser makes of it.
  function question() {
    const { chip } = words.chips[start.value] || {};
    if (chip) return { on: field("on").value, chip };
    const facts = {};
    for (const slider of sliders) {
      const text = field(slider.dataset.for).value.trim();
      if (text) facts[slider.dataset.for] = text;
    }
    const datacenter = form.querySelector("input[name=datacenter]:checked").value;
    if (datacenter) facts.datacenter = datacenter;
    return { on: field("on").value, facts };
  }

  let waiting = false;
  let running = false;
  // One question at a time; while it is answered the form may change, and then the last state is asked for once more.
  async function ask() {
    if (running) { waiting = true; return; }
    running = true;
    byId("verdict").setAttribute("aria-busy", "true");
    try {
      const answer = await fetch("/api/check", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question()),
      });
      const document_ = await answer.json();
      if (answer.ok) show(document_.results[0]); else refuse(document_.error);
    } catch (problem) {
      refuse(`perfcore does not answer (${problem.message}); is perfcore serve running?`);
    }
    running = false;
    if (waiting) { waiting = false; ask(); } else byId("verdict").setAttribute("aria-busy", "false");
  }

  const node = (name, text, css) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (css) made.className = css;
    return made;
  };
  const said = (value) => {
    if (value === null || value === undefined) return "unknown";
    if (typeof value === "boolean") return value ? "yes" : "no";
    if (Array.isArray(value)) return value.join(" or ");
    if (typeof value === "object") return value.high === null ? `${said(value.low)} or more` : `${said(value.low)} to ${said(value.high)}`;
    return typeof value === "number" ? value.toLocaleString("en", { maximumSignificantDigits: 7 }) : String(value);
  };
  // What is not on a line is not shown as if it were.
  const beside = (value, line) => (
    typeof value === "number" && value !== line && said(value) === said(line)
      ? value.toLocaleString("en", { maximumSignificantDigits: 17 }) : said(value)
  );
  const percent = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "object") return `${percent(value.low) || "…"} to ${percent(value.high) || "…"}`;
    return `${value > 0 ? "+" : ""}${(value * 100).toFixed(Math.abs(value) < 0.1 ? 2 : 1)} %`;
  };
  const compared = { at_least: "≥", more_than: ">", below: "<", at_most: "≤", is: "=", one_of: "one of" };
  const label = (name) => words.labels[name] || name;

  function tableOf(caption, head, rows) {
    const table = node("table");
    table.append(node("caption", caption));
    const top = table.createTHead().insertRow();
    for (const cell of head) { const th = node("th", cell); th.scope = "col"; top.append(th); }
    const body = table.createTBody();
    for (const row of rows) {
      const tr = body.insertRow();
      row.forEach((cell, at) => {
        const made = node(at ? "td" : "th", cell, /^[-+\d.,]+( %)?$/.test(cell) ? "n" : undefined);
        if (!at) made.scope = "row";
        tr.append(made);
      });
    }
    const box = node("div", undefined, "wide");
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", caption);
    box.append(table);
    return box;
  }
  function testRows(result) {
    const rows = [];
    for (const finding of result.findings) {
      if (!result.rule_version || finding.rule !== result.rule_version.rule) continue;
      if (finding.tests.some((t) => t.metric === "dominant_function_processing")) continue;
      finding.tests.forEach((t) => rows.push([
        finding.paragraph, { true: "met", false: "not met", null: "open" }[finding.met],
        `${label(t.metric)} ${compared[t.test]} ${said(t.threshold)}`, beside(t.value, t.threshold),
        { true: "met", false: "not met", null: "open" }[t.met], percent(t.margin),
      ]));
    }
    return rows;
  }
  function lines(title, items) {
    if (!items.length) return;
    more.append(node("h3", title));
    const list = node("ul");
    for (const item of items) list.append(node("li", item));
    more.append(list);
  }
  const spelt = (name) => name.replaceAll("_", " ");

  function show(result) {
    const [name, sign] = words.statuses[result.status];
    const met = result.paragraphs.length ? `: ${result.paragraphs.join(", ")}` : "";
    const open = result.possible_paragraphs.filter((p) => p.startsWith("3A090"));
    status.className = `s ${result.status}`;
    status.dataset.status = result.status;
    status.dataset.paragraphs = result.paragraphs.join(";");
    status.textContent = `${sign} ${name}${met}${open.length ? `; open: ${open.join(", ")}` : ""}`;
    more.replaceChildren();
    const density = result.metrics.performance_density;
    const version = result.rule_version;
    more.append(node("p", `ECCN 3A090 on ${result.on}${version ? `, the version of ${version.effective} (${version.source.title})` : ": not yet in force"}. Performance density ${said(density)}.`));
    const rows = testRows(result);
    if (rows.length) more.append(tableOf("Paragraphs and margins", ["paragraph", "it is", "test", "value", "the test is", "margin"], rows));
    lines("What would flip it, one input at a time", result.flips.map((flip) => {
      const by = flip.change === null ? "" : ` (${percent(flip.change)})`;
      const to = flip.change === null ? said(flip.to) : `${{ more_than: "above ", below: "below " }[flip.test] ?? ""}${said(flip.to)}`;
      const then = flip.paragraphs.length ? `: ${flip.paragraphs.join(", ")}` : "";
      return `${label(flip.input)} from ${said(flip.from)} to ${to}${by} → ${words.statuses[flip.status][0]}${then}`;
    }));
    lines("What would settle it", result.settle.map((one) => {
      const parts = one.decides.map((d) => {
        const ends = Object.keys(compared).filter((k) => k in d).map((k) => `${compared[k]} ${said(d[k])}`).join(" and ");
        return `${"value" in d ? said(d.value) : ends || "any"}: ${words.statuses[d.status][0]}`;
      });
      return `${label(one.input)}${parts.length ? `: ${parts.join("; ")}` : ": cannot alone"}`;
    }));
    const beside = result.also.filter((o) => o.met !== null);
    const lawFirst = [...beside.filter((o) => o.layer !== "proposal"), ...beside.filter((o) => o.layer === "proposal")];
    lines("Contested readings that would change it", result.flags.map((flag) => {
      const then = flag.paragraphs.length ? `: ${flag.paragraphs.join(", ")}` : "";
      return `${spelt(flag.reading)} (${flag.says}) → ${words.statuses[flag.status][0]}${then}`;
    }));
    lines("Beside the classification", lawFirst.map((o) =>
      `${spelt(o.layer)}, ${o.paragraph}: ${o.met ? "met" : "not met"}${o.outcome ? ` – ${o.outcome}` : ""}`));
    const waits = result.also.filter((o) => o.met === null).map((o) => o.paragraph);
    if (waits.length) lines("Left open, other facts are needed", [waits.join("; ")]);
    place(result);
  }
  function refuse(line) {
    status.className = "wrong";
    status.dataset.status = "refused";
    status.textContent = line;
    more.replaceChildren();
  }

  // Where the design stands on the map of the version that perfcore says is in force.
  function place(result) {
    const one = (value) => (typeof value === "number" ? value : value && value.low > 0 && value.high ? Math.sqrt(value.low * value.high) : null);
    const [area, tpp] = [one(result.metrics.applicable_die_area_mm2), one(result.metrics.tpp)];
    const map = maps.find((m) => result.rule_version && m.dataset.effective === result.rule_version.effective);
    if (map && chooser.value !== map.dataset.version) { chooser.value = map.dataset.version; showMap(); }
    for (const svg of document.querySelectorAll("svg[data-frame]")) {
      const mark = svg.querySelector(".design");
      const [left, width, xLow, xHigh, top, height, yLow, yHigh] = svg.dataset.frame.split(" ").map(Number);
      if (!(area > 0) || !(tpp > 0)) { mark.setAttribute("hidden", ""); continue; }
      const within = (value) => Math.min(1, Math.max(0, value));
      const x = left + width * within((Math.log10(area) - xLow) / (xHigh - xLow));
      const y = top + height * (1 - within((Math.log10(tpp) - yLow) / (yHigh - yLow)));
      mark.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
      mark.removeAttribute("hidden");
      const box = svg.closest(".wide"); // of a narrow screen, wider than what is seen of it
      box.scrollLeft = (x * svg.clientWidth) / svg.viewBox.baseVal.width - box.clientWidth / 2;
    }
  }

  for (const slider of sliders) {
    slider.addEventListener("input", () => { fromSlider(slider); changed(); });
    field(slider.dataset.for).addEventListener("input", () => { toSlider(slider); changed(); });
  }
  start.addEventListener("input", () => { fillFrom(start.value); ask(); });
  for (const radio of form.querySelectorAll("input[name=datacenter]")) radio.addEventListener("input", changed);
  field("on").addEventListener("input", ask);
  for (const day of form.querySelectorAll(".day")) {
    day.addEventListener("click", () => { field("on").value = day.dataset.day; ask(); });
  }
  start.value = start.dataset.first;
  fillFrom(start.value);
  ask();
})();

"use strict";
(() => {
  // The columns in their order on the page: those that readers look at first come first.
  const LABELS = {
    name: "Name", presence: "Presence", last_heard_age: "Last heard", firmware_version: "Firmware",
    system_firmware_version: "Device OS", advisories: "Advisories", advisories_open: "Advisories unclear",
    network: "Network", role: "Role", state: "State", groups: "Groups", product: "Product", platform: "Platform",
    notes: "Notes", id: "Id", serial_number: "Serial number", mac: "MAC address", iccid: "SIM", imei: "IMEI",
    owner: "Owner", last_heard: "Last heard at",
  };
  const OTHER_LABELS = { silent: "Silent for", mobile_country_code: "Country" };
  const FACETS = [
    "platform", "product", "groups", "network", "role", "state", "firmware_version", "system_firmware_version",
    "presence", "silent", "owner", "advisories", "advisories_open",
  ];
  const NEVER = "never heard";
  const ON_SCREEN = ["last_heard"]; // on paper there is its age
  const DIGITS = ["id", "serial_number", "mac", "iccid", "imei"];
  const PRESENCE = {
    confirmed: "heard within 1 min", probable: "heard within 46 min", stale: "heard before that", offline: "not connected",
  };
  const STATES = { joined: "joined", pending: "pending", lost: "lost", wrong_network: "in another network" };
  const UNKNOWN = "–";
  const PAGE = 50;
  const MOST_CHOICES = 200;

  const data = JSON.parse(document.getElementById("data").textContent);
  // The ends of silences in days. A device is silent after the days that the user of the report has chosen.
  const SILENCES = [...new Set([1, 7, 30, data.silent_days])].sort((left, right) => left - right);
  const longer = (days) => `more than ${days} day${days === 1 ? "" : "s"}`;
  const at = Object.fromEntries(data.columns.map((name, index) => [name, index]));
  const order = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const id = (name) => document.getElementById(name);
  const isEmpty = (value) => value === null || value.length === 0;
  // Columns without any value are not shown.
  const hidden = Object.keys(LABELS).filter((name) => data.rows.length && data.rows.every((cells) => isEmpty(cells[at[name]])));
  const columns = Object.keys(LABELS).filter((name) => !hidden.includes(name));
  // The first column names the device of a row.
  if (hidden.includes("name")) columns.unshift(...columns.splice(columns.indexOf("id"), 1));

  // Text only ever becomes text: nothing in this file parses a string as HTML.
  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  function drawn(tag, attributes, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  function words(seconds) {
    if (seconds < 120) return `${seconds} s`;
    if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
    if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
    return `${Math.round(seconds / 86400)} days`;
  }

  const moment = (text) => text.replaceAll(/\b(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?Z\b/g, "$1 $2 UTC");

  const number = (list, word) => `${list.length} ${word}${list.length === 1 ? "" : "s"}`;

  function shown(name, value) {
    if (name === "last_heard_age" && value === null) return "never";
    if (isEmpty(value)) return null;
    if (name === "last_heard_age") return `${words(value)} ago`;
    if (name === "last_heard") return moment(value);
    return Array.isArray(value) ? value.join(", ") : String(value);
  }

  // A device that was never heard has been silent for any number of days.
  function silences(row) {
    const age = row.cells[at.last_heard_age];
    if (age === null) return [...SILENCES.map(longer), NEVER];
    return SILENCES.filter((days) => age > days * 86400).map(longer);
  }

  const values = (row, name) => {
    if (name === "silent") return silences(row);
    const value = row.cells[at[name]];
    if (Array.isArray(value)) return value.length ? value.map(String) : [UNKNOWN];
    return [value === null ? UNKNOWN : String(value)];
  };

  const rows = data.rows.map((cells) => ({
    cells,
    text: cells.filter((value) => value !== null).join("\n").toLowerCase(),
  }));

  // --- what is looked at ---

  const view = { words: [], chosen: {}, sort: columns[0], down: false, page: 0, sorted: rows, rows };

  function matches(row) {
    if (!view.words.every((word) => row.text.includes(word))) return false;
    return Object.entries(view.chosen).every(([name, wanted]) => {
      const found = values(row, name);
      return wanted.exact ? found.includes(wanted.text) : found.some((value) => value.toLowerCase().includes(wanted.text));
    });
  }

  function compare(left, right) {
    const [a, b] = [left.cells[at[view.sort]], right.cells[at[view.sort]]];
    const [none, other] = [isEmpty(a), isEmpty(b)];
    if (none || other) return none - other; // unknown values come last in both directions
    const up = typeof a === "number" && typeof b === "number" ? a - b : order.compare(String(a), String(b));
    return view.down ? -up : up;
  }

  function look() {
    view.rows = view.sorted.filter(matches);
    view.page = 0;
    show();
  }

  // What is chosen by a number of devices is chosen in the filter of that column, too.
  function choose(name, text) {
    const control = id("filters").querySelector(`[name="${name}"]`);
    if (text === null) delete view.chosen[name];
    else view.chosen[name] = { text, exact: true };
    if (control) control.value = text === null ? "" : `${control.tagName === "SELECT" ? "=" : ""}${text}`;
    look();
  }

  const isChosen = (name, text) => name in view.chosen && view.chosen[name].exact && view.chosen[name].text === text;

  function goToDevices() {
    id("controls").scrollIntoView({ block: "start" });
    document.querySelector(".scroll").focus({ preventScroll: true });
  }

  // Only when the order changes: ten thousand rows take longer to sort than to search.
  function arrange() {
    view.sorted = [...rows].sort(compare);
    look();
  }

  // --- the table ---

  // The page of the device in the console of the cloud, or null.
  function consolePage(product, device) {
    if (!data.console_url || (product === null && data.console_url.includes("{product}"))) return null;
    const parts = { "{product}": product, "{id}": device };
    return data.console_url.replaceAll(/\{(product|id)\}/g, (part) => encodeURIComponent(parts[part]));
  }

  function line(row) {
    const page = consolePage(row.cells[at.product], row.cells[at.id]);
    const linked = page && (row.cells[at.name] === null ? "id" : "name");
    return element("tr", null, ...columns.map((name, index) => {
      const text = shown(name, row.cells[at[name]]);
      const cell = element(index === 0 ? "th" : "td", index === 0 ? { scope: "row" } : null);
      if (text === null) {
        const why = row.cells[at[name]] === null ? "not reported" : "none";
        // A dash says nothing to those who do not see it.
        cell.append(element("span", { class: "none", title: why, "aria-hidden": "true" }, UNKNOWN), element("span", { class: "unseen" }, why));
      } else {
        const content = name === linked ? element("a", { href: page, rel: "noopener noreferrer" }, text) : text;
        cell.append(index === 0 ? element("div", null, content) : content);
        if ((name === "presence" && Object.hasOwn(PRESENCE, text)) || (name === "state" && Object.hasOwn(STATES, text))) cell.className = text;
        if (name === "last_heard_age" && silences(row).includes(longer(data.silent_days))) cell.className = "silent";
        if (DIGITS.includes(name)) cell.className = "digits";
        if (name === "notes") cell.className = "wide";
      }
      if (ON_SCREEN.includes(name)) cell.classList.add("on-screen");
      return cell;
    }));
  }

  function show(everything = false) {
    const begin = everything ? 0 : view.page * PAGE;
    const end = everything ? view.rows.length : Math.min(begin + PAGE, view.rows.length);
    id("rows").replaceChildren(...view.rows.slice(begin, end).map(line));
    const range = view.rows.length > PAGE ? `, ${begin + 1} to ${end} shown` : "";
    id("status").textContent = `${view.rows.length} of ${rows.length} devices${range}`;
    id("page").textContent = `Page ${view.page + 1} of ${Math.max(1, Math.ceil(view.rows.length / PAGE))}`;
    id("before").disabled = view.page === 0;
    id("after").disabled = end >= view.rows.length;
    id("pages").hidden = view.rows.length <= PAGE;
    for (const head of id("heads").children) {
      const way = view.down ? "descending" : "ascending";
      head.setAttribute("aria-sort", head.dataset.name === view.sort ? way : "none");
    }
    for (const [button, name, text] of toggles) button.setAttribute("aria-pressed", String(isChosen(name, text)));
  }

  // A button that leaves only the devices it counts, or all of them again.
  const toggles = [];
  function toggle(name, text, attributes, ...children) {
    const button = element("button", { type: "button", ...attributes }, ...children);
    button.addEventListener("click", () => choose(name, isChosen(name, text) ? null : text));
    toggles.push([button, name, text]);
    return button;
  }

  function turn(pages) {
    view.page += pages;
    show();
    document.querySelector(".scroll").focus({ preventScroll: true });
  }

  // --- search and filters ---

  function facet(name) {
    const found = new Set(rows.flatMap((row) => values(row, name)));
    if (found.size < (name === "silent" ? 1 : 2)) return null;
    const label = element("label", null, `${LABELS[name] || OTHER_LABELS[name]} `);
    const few = found.size <= MOST_CHOICES;
    const control = few ? element("select", { name }) : element("input", { name, type: "search", autocomplete: "off" });
    if (few) {
      control.append(element("option", { value: "" }, "all"));
      for (const value of [...found].sort(order.compare)) control.append(element("option", { value: `=${value}` }, value));
    }
    control.addEventListener("input", () => {
      const text = few ? control.value.slice(1) : control.value.trim().toLowerCase();
      if (control.value) view.chosen[name] = { text, exact: few };
      else delete view.chosen[name];
      look();
    });
    label.append(control);
    return label;
  }

  function count(many, label, says, column, text = label) {
    const inside = [element("strong", null, String(many)), label, element("small", null, says)];
    if (!column) return element("li", null, element("span", null, ...inside));
    const button = toggle(column, text, { class: label }, ...inside);
    button.disabled = !many;
    return element("li", null, button);
  }

  // --- networks ---

  const networks = new Map();
  for (const row of rows) {
    const name = row.cells[at.network];
    if (name === null) continue;
    if (!networks.has(name)) networks.set(name, []);
    networks.get(name).push(row);
  }

  const stateOf = (row) => (Object.hasOwn(STATES, row.cells[at.state]) ? row.cells[at.state] : "unknown");

  // How many members are in which state, in the order of the bar.
  function states(members) {
    const found = Object.fromEntries([...Object.keys(STATES), "unknown"].map((state) => [state, 0]));
    for (const row of members) found[stateOf(row)] += 1;
    return Object.entries(found).filter(([, many]) => many);
  }

  function entry(network, members) {
    let from = 0;
    const bar = states(members).map(([state, many]) => {
      const part = drawn("rect", { class: state, x: from, width: many, height: 1 });
      from += many;
      return part;
    });
    const joined = members.filter((row) => stateOf(row) === "joined").length;
    const button = element("button", { type: "button", "aria-pressed": "false" },
      element("span", null, network),
      element("small", null, `${joined} of ${members.length} joined`),
      drawn("svg", { viewBox: `0 0 ${members.length} 1`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...bar));
    button.addEventListener("click", () => picture(network));
    button.dataset.network = network;
    return element("li", null, button);
  }

  // --- the picture of a network ---

  function mark(row, x, y) {
    const [name, role] = [row.cells[at.name], row.cells[at.role]];
    const kind = stateOf(row);
    const [called, short] = [name || row.cells[at.id], name ? name.slice(0, 24) : `…${row.cells[at.id].slice(-6)}`];
    const shape = role === "gateway"
      ? drawn("rect", { class: kind, x: -8, y: -8, width: 16, height: 16, rx: 2 })
      : drawn("circle", { class: kind, r: 6 });
    const group = drawn("g", { transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`, "data-state": kind });
    group.append(drawn("title", {}, `${called}: ${role}, ${STATES[kind] || "not reported"}`), shape);
    if (kind === "lost" || kind === "wrong_network") group.append(drawn("path", { class: kind, d: "M-5-5 5 5M5-5-5 5" }));
    if (role === "gateway") group.append(drawn("text", { y: 20 }, short));
    return group;
  }

  // Gateways in the middle, nodes in rings around them: the cloud does not show which device hears which.
  function picture(network) {
    const all = networks.get(network);
    const gateways = all.filter((row) => row.cells[at.role] === "gateway");
    const nodes = all.filter((row) => row.cells[at.role] !== "gateway");
    const [marks, rings] = [[], []];
    const around = (members, radius) => {
      if (radius) rings.push(drawn("circle", { class: "ring", r: radius.toFixed(1) }));
      members.forEach((row, index) => {
        const angle = (2 * Math.PI * index) / members.length;
        marks.push(mark(row, radius * Math.sin(angle), -radius * Math.cos(angle)));
      });
    };
    let radius = gateways.length > 1 ? Math.max(34, (gateways.length * 58) / (2 * Math.PI)) : 0;
    around(gateways, radius);
    radius += gateways.length ? 40 : 0;
    for (let placed = 0; placed < nodes.length; radius += 22) {
      const ring = nodes.slice(placed, placed + Math.max(1, Math.floor((2 * Math.PI * radius) / 20)));
      around(ring, radius);
      placed += ring.length;
    }
    const parts = states(all).map(([state, many]) => `${many} ${STATES[state] || "not reported"}`);
    const summary = `${number(gateways, "gateway")}, ${number(nodes, "node")}: ${parts.join(", ")}`;
    const size = Math.max(radius - 8, 60);
    const svg = drawn("svg", {
      viewBox: `${-size} ${-size} ${2 * size} ${2 * size}`, "font-size": (size / 11).toFixed(1), role: "img", "aria-label": `Network ${network}: ${summary}`,
    }, ...rings, ...marks);
    for (const button of id("networks").querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.network === network));
    }
    id("mesh-summary").textContent = `${network}: ${summary.replaceAll(/(\d) /g, "$1\u00a0")}`;
    id("mesh-picture").replaceChildren(svg);
    id("mesh-members").onclick = () => {
      choose("network", network);
      goToDevices();
    };
  }

  // --- advisories ---

  function notice(found) {
    const linked = /^https?:\/\//.test(found.url || "");
    const name = linked ? element("a", { href: found.url, rel: "noopener noreferrer" }, found.id) : found.id;
    const parts = [];
    for (const [kind, column, says] of [["hit", "advisories", "affected"], ["cannot_tell", "advisories_open", "unclear"]]) {
      if (!found[kind] && kind !== "hit") continue;
      const button = toggle(column, found.id, { class: kind, "aria-label": `${found.id}: ${found[kind]} ${says}` }, `${found[kind]} ${says}`);
      button.disabled = !found[kind];
      parts.push(button);
    }
    const missing = Object.entries(found.missing).map(([field, many]) => `${LABELS[field] || OTHER_LABELS[field] || field} of ${many}`);
    return element("li", null, element("strong", null, name), ` ${found.title}`,
      element("p", null, ...parts, element("small", null, `of ${rows.length}${missing.length ? `; unknown: ${missing.join(", ")}` : ""}`)));
  }

  // --- tokens ---

  function token(kind, facts) {
    const whose = [facts.purpose, facts.account, facts.client].filter(Boolean).join(", ");
    return element("li", null, element("code", null, facts.fingerprint), ` ${kind}${whose ? ` (${whose})` : ""}: `, ...life(facts));
  }

  function life(facts) {
    const bad = (text) => element("strong", { class: "lost" }, text);
    if (facts.alive === false) return [bad("is not valid"), ", the cloud does not accept it"];
    if (!facts.expires_at) return ["has no known expiry"];
    const end = element("time", { datetime: facts.expires_at }, moment(facts.expires_at));
    const days = facts.days_left;
    if (days === null) return ["ends ", end];
    if (days < 0) return [bad("has expired"), ", ", end];
    return ["expires ", end, `, ${days ? `${days} day${days === 1 ? "" : "s"}` : "less than a day"} left`];
  }

  // --- beginning ---

  const countWith = (name, text) => rows.filter((row) => values(row, name).includes(text)).length;
  id("counts").append(count(rows.length, "devices", "in this report"));
  for (const [kind, says] of Object.entries(PRESENCE)) {
    id("counts").append(count(countWith("presence", kind), kind, says, "presence"));
  }
  const silent = longer(data.silent_days);
  const never = countWith("silent", NEVER);
  id("counts").append(count(countWith("silent", silent), "silent", never ? `${silent}, ${never} never` : silent, "silent", silent));
  const withoutMac = rows.filter((row) => isEmpty(row.cells[at.mac]));
  if (withoutMac.length) {
    id("mac").hidden = false;
    id("mac").prepend(`The cloud does not know the MAC address of ${number(withoutMac, "device")}. `);
  }
  const unseen = hidden.filter((name) => !name.startsWith("advisories"));
  id("hidden").hidden = !unseen.length;
  id("hidden").textContent = `Columns without a value are not shown: ${unseen.map((name) => LABELS[name]).join(", ")}.`;
  for (const name of columns) {
    const button = element("button", { type: "button" }, LABELS[name]);
    button.addEventListener("click", () => {
      view.down = view.sort === name && !view.down;
      view.sort = name;
      arrange();
    });
    const kind = ON_SCREEN.includes(name) ? { class: "on-screen" } : {};
    id("heads").append(element("th", { scope: "col", "data-name": name, "aria-sort": "none", ...kind }, button));
  }
  showRollouts({ data, element, moment, consolePage });
  id("filters").append(...FACETS.map(facet).filter(Boolean));
  if (networks.size) {
    id("mesh").hidden = false;
    const troubled = ([, members]) => -members.filter((row) => stateOf(row) !== "joined").length / members.length;
    const listed = [...networks].sort((left, right) => troubled(left) - troubled(right) || order.compare(left[0], right[0]));
    id("networks").append(...listed.map(([network, members]) => entry(network, members)));
    picture(listed[0][0]);
  }
  if (data.advisories.length) {
    id("advisories").hidden = false;
    id("notices").append(...data.advisories.map(notice));
  }
  if (data.token) id("tokens").append(token("in use for this report", data.token));
  id("tokens").append(...data.kept.map((facts) => token("kept", facts)));
  if (!id("tokens").childElementCount) id("tokens").append(element("li", null, "No tokens are known."));

  id("search").addEventListener("input", () => {
    view.words = id("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    look();
  });
  id("controls").addEventListener("submit", (event) => event.preventDefault());
  id("controls").addEventListener("reset", () => {
    view.words = [];
    view.chosen = {};
    look();
  });
  id("before").addEventListener("click", () => turn(-1));
  id("after").addEventListener("click", () => turn(1));
  window.addEventListener("beforeprint", () => show(true));
  window.addEventListener("afterprint", () => show());
  arrange();
})();

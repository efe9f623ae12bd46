"use strict";
(() => {
  const LABELS = {
    name: "Name", id: "Id", serial_number: "Serial number", mac: "MAC address", platform: "Platform",
    product: "Product", groups: "Groups", network: "Network", role: "Role", state: "State",
    firmware_version: "Firmware", system_firmware_version: "Device OS", presence: "Presence",
    last_heard: "Last heard", last_heard_age: "Heard before", owner: "Owner", iccid: "SIM", imei: "IMEI",
    notes: "Notes",
  };
  const FACETS = [
    "platform", "product", "groups", "network", "role", "state", "firmware_version", "system_firmware_version",
    "presence", "owner",
  ];
  const PRESENCE = ["confirmed", "probable", "stale", "offline"];
  const STATES = { joined: "joined", pending: "pending", lost: "lost", wrong_network: "in another network" };
  const NOBODY = "–";
  const PAGE = 50;
  const MOST_CHOICES = 200;

  const data = JSON.parse(document.getElementById("data").textContent);
  const at = Object.fromEntries(data.columns.map((name, index) => [name, index]));
  const order = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const id = (name) => document.getElementById(name);

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

  const number = (list, word) => `${list.length} ${word}${list.length === 1 ? "" : "s"}`;

  function shown(name, value) {
    if (value === null || (Array.isArray(value) && value.length === 0)) return null;
    if (name === "last_heard_age") return words(value);
    return Array.isArray(value) ? value.join(", ") : String(value);
  }

  const values = (row, name) => {
    const value = row.cells[at[name]];
    if (Array.isArray(value)) return value.length ? value.map(String) : [NOBODY];
    return [value === null ? NOBODY : String(value)];
  };

  const rows = data.rows.map((cells) => ({
    cells,
    text: cells.filter((value) => value !== null).join("\n").toLowerCase(),
  }));

  // --- what is looked at ---

  const view = { words: [], chosen: {}, sort: "name", down: false, page: 0, sorted: rows, rows };

  function matches(row) {
    if (!view.words.every((word) => row.text.includes(word))) return false;
    return Object.entries(view.chosen).every(([name, wanted]) => {
      const found = values(row, name);
      return wanted.exact ? found.includes(wanted.text) : found.some((value) => value.toLowerCase().includes(wanted.text));
    });
  }

  function compare(left, right) {
    const [a, b] = [left.cells[at[view.sort]], right.cells[at[view.sort]]];
    const [none, other] = [a === null || a.length === 0, b === null || b.length === 0];
    if (none || other) return none - other; // what nobody has told comes last, whichever way
    const up = typeof a === "number" && typeof b === "number" ? a - b : order.compare(String(a), String(b));
    return view.down ? -up : up;
  }

  function look() {
    view.rows = view.sorted.filter(matches);
    view.page = 0;
    show();
  }

  // Only when the order changes: ten thousand rows take longer to sort than to search.
  function arrange() {
    view.sorted = [...rows].sort(compare);
    look();
  }

  // --- the table ---

  function line(row) {
    return element("tr", null, ...data.columns.map((name, index) => {
      const text = shown(name, row.cells[index]);
      const cell = element(index === 0 ? "th" : "td", index === 0 ? { scope: "row" } : null);
      if (text === null) {
        cell.append(element("span", { class: "none", title: "not reported" }, NOBODY));
      } else {
        cell.textContent = text;
        if (name === "presence" && PRESENCE.includes(text)) cell.className = text;
        if (name === "notes") cell.className = "wide";
      }
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
  }

  function turn(pages) {
    view.page += pages;
    show();
    document.querySelector(".scroll").focus({ preventScroll: true });
  }

  // --- search and filters ---

  function facet(name) {
    const found = new Set(rows.flatMap((row) => values(row, name)));
    if (found.size < 2) return null;
    const label = element("label", null, `${LABELS[name]} `);
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

  function count(text, many, kind) {
    return element("li", kind ? { class: kind } : null, element("strong", null, String(many)), text);
  }

  // --- the picture of a network ---

  function members(network) {
    return rows.filter((row) => row.cells[at.network] === network);
  }

  function mark(row, x, y) {
    const [name, role, state] = ["name", "role", "state"].map((column) => row.cells[at[column]]);
    const kind = state in STATES ? state : "unknown";
    const called = name || row.cells[at.id];
    const shape = role === "gateway"
      ? drawn("rect", { class: kind, x: -8, y: -8, width: 16, height: 16 })
      : drawn("circle", { class: kind, r: 6 });
    const group = drawn("g", { transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`, "data-state": kind });
    group.append(drawn("title", {}, `${called}: ${role}, ${STATES[kind] || "not reported"}`), shape);
    if (kind === "lost" || kind === "wrong_network") group.append(drawn("path", { class: kind, d: "M-5-5 5 5M5-5-5 5" }));
    if (role === "gateway") group.append(drawn("text", { y: 20 }, called.slice(0, 24)));
    return group;
  }

  // Gateways in the middle, nodes in rings around them: who hears whom is not told by the cloud.
  function picture(network) {
    const all = members(network);
    const gateways = all.filter((row) => row.cells[at.role] === "gateway");
    const nodes = all.filter((row) => row.cells[at.role] !== "gateway");
    const inner = gateways.length > 1 ? Math.max(30, gateways.length * 14) : 0;
    const marks = gateways.map((row, index) => {
      const angle = (2 * Math.PI * index) / gateways.length;
      return mark(row, inner * Math.sin(angle), -inner * Math.cos(angle));
    });
    let radius = inner + 50;
    for (let placed = 0; placed < nodes.length; radius += 24) {
      const ring = nodes.slice(placed, placed + Math.floor((2 * Math.PI * radius) / 24));
      ring.forEach((row, index) => {
        const angle = (2 * Math.PI * index) / ring.length;
        marks.push(mark(row, radius * Math.sin(angle), -radius * Math.cos(angle)));
      });
      placed += ring.length;
    }
    const told = Object.entries(STATES).map(([state, text]) => [text, all.filter((row) => row.cells[at.state] === state).length]);
    const silent = all.length - told.reduce((sum, [, many]) => sum + many, 0);
    const parts = [...told, ["not reported", silent]].filter(([, many]) => many);
    const summary = `${number(gateways, "gateway")}, ${number(nodes, "node")}: ${parts.map(([state, many]) => `${many} ${state}`).join(", ")}`;
    const svg = drawn("svg", {
      viewBox: `${-radius} ${-radius} ${2 * radius} ${2 * radius}`, role: "img", "aria-label": `Network ${network}: ${summary}`,
    }, ...marks);
    id("mesh-summary").textContent = summary;
    id("mesh-picture").replaceChildren(svg);
  }

  // --- tokens ---

  function token(kind, facts) {
    const left = facts.days_left > 0 ? `${facts.days_left} days left` : "less than a day left";
    const ends = facts.expires_at ? `ends ${facts.expires_at}, ${left}` : "has no end that is known";
    const whose = [facts.purpose, facts.account, facts.client].filter(Boolean).join(", ");
    return element("li", null, element("code", null, facts.fingerprint), ` ${kind}${whose ? ` (${whose})` : ""}: ${ends}`);
  }

  // --- beginning ---

  id("counts").append(count("devices", rows.length));
  for (const kind of PRESENCE) {
    id("counts").append(count(kind, rows.filter((row) => row.cells[at.presence] === kind).length, kind));
  }
  for (const name of data.columns) {
    const button = element("button", { type: "button" }, LABELS[name] || name);
    button.addEventListener("click", () => {
      view.down = view.sort === name && !view.down;
      view.sort = name;
      arrange();
    });
    id("heads").append(element("th", { scope: "col", "data-name": name, "aria-sort": "none" }, button));
  }
  id("filters").append(...FACETS.map(facet).filter(Boolean));
  const networks = [...new Set(rows.map((row) => row.cells[at.network]))].filter((name) => name !== null);
  if (networks.length) {
    id("mesh").hidden = false;
    id("mesh-network").append(...networks.sort(order.compare).map((name) => element("option", { value: name }, name)));
    id("mesh-network").addEventListener("input", () => picture(id("mesh-network").value));
    picture(networks[0]);
  }
  if (data.token) id("tokens").append(token("in use for this report", data.token));
  id("tokens").append(...data.kept.map((facts) => token("kept", facts)));
  if (!id("tokens").childElementCount) id("tokens").append(element("li", null, "None is known."));

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

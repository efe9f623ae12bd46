"use strict";
// Draws the firmware rollouts of a report. The page hands over its data and its tools, among them `element`, which makes
// elements whose text is never parsed as HTML.
const showRollouts = ({ data, element, moment, consolePage }) => {
  const PROGRESS = {
    awaiting_approval: "awaiting approval", braked: "stopped by the brake", rolled_back: "rolled back",
  };
  // The kinds of states, in the order of the bars.
  const KINDS = ["updated", "updating", "pending", "failed", "gone", "waiting", "skipped"];
  const FIRST = 10;
  const number = new Intl.NumberFormat("en");

  const many = (count, word) => `${number.format(count)} ${word}${count === 1 ? "" : "s"}`;
  // "failed_refused" becomes "failed (refused)", and "came_back_old" becomes "came back old".
  const stateWords = (state) => state.replace(/^(pending|failed|skipped)_(.*)$/, "$1 ($2)").replaceAll("_", " ");
  const progressWords = (state) => PROGRESS[state] || state;
  const swatch = (kind) => element("span", { class: `swatch ${kind}`, "aria-hidden": "true" });
  const present = (kinds) => KINDS.filter((kind) => kinds[kind]);
  // The text with its times to the minute.
  const minutes = (text) => moment(text).replaceAll(/(?<=\d\d:\d\d):\d\d UTC/g, " UTC");

  function updated(kinds, total) {
    const others = present(kinds).filter((kind) => kind !== "updated").map((kind) => `${number.format(kinds[kind])} ${kind}`);
    return [`${number.format(kinds.updated || 0)} of ${number.format(total)} updated`, ...others].join(", ");
  }

  // The numbers stand beside each bar, so the bar itself is hidden from screen readers.
  function bar(kinds) {
    const parts = present(kinds).filter((kind) => kind !== "skipped").map((kind) => {
      const part = element("span", { class: kind, title: `${number.format(kinds[kind])} ${kind}` });
      part.style.flexGrow = kinds[kind];
      return part;
    });
    return element("div", { class: "bar", "aria-hidden": "true" }, ...parts);
  }

  function kindCount(rollout, kind) {
    const states = Object.entries(rollout.states[kind] || {});
    const exact = states.map(([state, count]) => {
      const word = stateWords(state).replace(/^\w+ \((.*)\)$/, "$1");
      return states.length === 1 ? word : `${number.format(count)} ${word}`;
    });
    return element("li", null, swatch(kind), element("strong", null, number.format(rollout.kinds[kind])), ` ${kind}`,
      ...(exact.length ? [" ", element("small", null, exact.join(", "))] : []));
  }

  function wave(facts) {
    const notes = [];
    if (facts.groups.length) notes.push(`${facts.groups.length === 1 ? "group" : "groups"} ${facts.groups.join(", ")}`);
    if (facts.began) notes.push(`began ${minutes(facts.began)}`);
    if (facts.decided) notes.push(`decided ${minutes(facts.decided)}`);
    if (facts.approved_at) notes.push(`approved ${facts.approved_by ? `by ${facts.approved_by}` : minutes(facts.approved_at)}`);
    return element("li", null,
      element("div", { class: "wave" }, element("strong", null, `Wave ${facts.number}`), " ", element("span", { class: `word ${facts.state}` }, facts.state)),
      bar(facts.kinds),
      element("div", null, updated(facts.kinds, facts.devices)),
      ...(notes.length ? [element("small", null, notes.join(", "))] : []));
  }

  // How near the brake is: the bar is full when the brake stops the rollout.
  function gauge(kind, bad, stopsAt, limit, brake) {
    const filled = element("span", { class: kind });
    filled.style.flexGrow = Math.min(bad, stopsAt);
    const left = element("span", { class: "waiting" });
    left.style.flexGrow = Math.max(0, stopsAt - bad);
    return element("li", null,
      element("div", null, element("strong", null, number.format(bad)), ` ${kind}, `,
        bad >= stopsAt ? element("strong", { class: "lost" }, `the limit is ${number.format(stopsAt)}`) : `the limit is ${number.format(stopsAt)}`),
      element("div", { class: "bar", "aria-hidden": "true" }, ...(bad ? [filled] : []), ...(bad < stopsAt ? [left] : [])),
      element("small", null, `${limit}${limit.includes("%") ? ` of ${many(brake.devices, "targeted device")}` : " devices"}, but at least ${brake.at_least}`));
  }

  function badDevice(rollout, facts) {
    const page = consolePage(rollout.product, facts.id);
    const name = facts.name || "without a name";
    return element("li", null,
      element("div", { class: "name" }, element("strong", null, page ? element("a", { href: page, rel: "noopener noreferrer" }, name) : name), " ", element("code", null, facts.id)),
      element("div", { class: "word" }, swatch(facts.kind), stateWords(facts.state), ...(facts.wave ? [element("small", null, ` wave ${facts.wave}`)] : [])),
      element("div", { class: "evidence" }, minutes(facts.evidence)));
  }

  function badDevices(rollout, title) {
    const items = rollout.bad.map((facts) => badDevice(rollout, facts));
    const list = (some) => element("ul", { class: "bad", "aria-labelledby": title }, ...some);
    const parts = [element("h3", { id: title }, "Failed and gone devices")];
    if (!items.length) return [...parts, element("p", { class: "note" }, "No device has failed, and none is gone.")];
    parts.push(list(items.slice(0, FIRST)));
    const rest = items.slice(FIRST);
    if (rest.length) parts.push(element("details", null, element("summary", null, `Show ${many(rest.length, "more device")}`), list(rest)));
    return parts;
  }

  function running(rollout, place) {
    const title = `rollout-${place}`;
    const { next, brake } = rollout;
    const head = element("div", { class: "head" },
      element("h2", { id: title }, `Rollout of version ${rollout.version}`, ...(rollout.product ? [" ", element("span", null, rollout.product)] : [])),
      element("strong", { class: `badge ${rollout.state}` }, progressWords(rollout.state)));
    const lead = element("p", null, ...(next ? [next.why, ...(next.when ? [` Run again at ${moment(next.when)}.`] : [])] : []));
    const done = rollout.kinds.updated || 0;
    return element("section", { class: "rollout", "aria-labelledby": title }, head, lead,
      element("p", { class: "sum" }, element("strong", null, number.format(done)), ` of ${many(rollout.total, "device")} updated`,
        element("small", null, `began ${minutes(rollout.began)}`)),
      bar(rollout.kinds),
      element("ul", { class: "states", "aria-label": "Devices by state" }, ...present(rollout.kinds).map((kind) => kindCount(rollout, kind))),
      element("div", { class: "parts" },
        element("div", null, element("h3", { id: `${title}-waves` }, "Waves"), element("ol", { class: "waves", "aria-labelledby": `${title}-waves` }, ...rollout.waves.map(wave))),
        element("div", null, element("h3", { id: `${title}-brake` }, "Brake"), element("ul", { class: "brake", "aria-labelledby": `${title}-brake` },
          gauge("failed", brake.failed, brake.failed_stops_at, brake.failed_limit, brake),
          gauge("gone", brake.offline, brake.offline_stops_at, brake.offline_limit, brake)))),
      ...badDevices(rollout, `${title}-bad`));
  }

  function line(rollout) {
    if (rollout.error) {
      return element("li", null, element("strong", null, rollout.product), " The rollout of this product could not be read. ", rollout.error.message);
    }
    return element("li", null, element("strong", null, rollout.product), ` Version ${rollout.version}: ${progressWords(rollout.state)}. `,
      `Began ${minutes(rollout.began)}, ${updated(rollout.kinds, rollout.total)}.`);
  }

  // Paper shows all failed devices.
  const opened = [];
  window.addEventListener("beforeprint", () => {
    opened.push(...place.querySelectorAll("details:not([open])"));
    for (const details of opened) details.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const details of opened.splice(0)) details.open = false;
  });

  const place = document.getElementById("rollouts");
  const isRunning = (rollout) => !rollout.error && !rollout.is_over;
  place.append(...data.rollouts.filter(isRunning).map(running));
  const lines = data.rollouts.filter((rollout) => !isRunning(rollout));
  if (lines.length) {
    place.append(element("section", { class: "ended", "aria-labelledby": "rollouts-title" },
      element("h2", { id: "rollouts-title" }, place.childElementCount ? "Other rollouts" : "Rollouts"), element("ul", { "aria-labelledby": "rollouts-title" }, ...lines.map(line))));
  }
};

// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
//
// Opens a report from disk in a real browser, uses it, and prints its observations as JSON. The tests check them.
//
//   node observe.mjs PAGE.html SEARCHED-FOR [SCREENSHOT.png]
//
// Further screenshots, SCREENSHOT-1400.png and SCREENSHOT-500.png, show the whole page in windows of these widths.
// SCREENSHOT-rollout.png shows the first rollout of the page, if there is one.
//
// The environment variable BROWSER names the folder into which npm has installed the browser.

import { pathToFileURL } from 'node:url';

import { launchBrowser } from './chromium.mjs';

const [file, searched, screenshot] = process.argv.slice(2);
const address = pathToFileURL(file).href;

const browser = await launchBrowser();
const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
const seen = { console: [], dialogs: [], requests: [] };
page.on('console', (message) => seen.console.push(`${message.type()}: ${message.text()}`));
page.on('pageerror', (error) => seen.console.push(`error: ${error.message}`));
page.on('dialog', async (dialog) => {
  seen.dialogs.push(dialog.message());
  await dialog.dismiss();
});
page.on('request', (request) => {
  if (request.url() !== address) {
    seen.requests.push(request.url());
  }
});

const status = () => page.getByRole('status').textContent();
const column = (name) => page.locator('#heads th').evaluateAll((heads, wanted) => heads.findIndex((head) => head.dataset.name === wanted) + 1, name);
const cells = async (name, most = 5) => {
  const place = await column(name);
  return (await page.locator(`#rows tr > :nth-child(${place})`).allTextContents()).slice(0, most);
};
const sortedBy = async (label) => {
  await page.getByRole('columnheader', { name: label, exact: true }).getByRole('button').click();
  const head = page.getByRole('columnheader', { name: label, exact: true });
  return { way: await head.getAttribute('aria-sort'), names: await cells('name') };
};
const states = () => page.locator('#mesh-picture svg g').evaluateAll((marks) => {
  const found = {};
  for (const mark of marks) {
    const kind = `${mark.querySelector('rect') ? 'gateway' : 'node'} ${mark.dataset.state}`;
    found[kind] = (found[kind] ?? 0) + 1;
  }
  return found;
});

await page.goto(address);
if (screenshot) {
  await page.screenshot({ path: screenshot });
}
const result = {
  title: await page.title(),
  status: await status(),
  heads: await page.locator('#heads th').allTextContents(),
  first: await cells('name'),
  tableAt: (await page.locator('#heads').boundingBox()).y,
  missing: await page.locator('#rows span.none').count(),
  counts: await page.locator('#counts li').allInnerTexts(),
  tokens: await page.locator('#tokens li').allTextContents(),
  silences: await page.locator('[name=silent] option').allTextContents(),
  notes: await page.locator('footer p').allInnerTexts(),
  pages: await page.locator('#rows a').evaluateAll((links) => links.map((link) => link.href)),
};

// The rollouts: the numbers of each section, and the kinds and widths in pixels of the parts of its bars.
result.rollouts = await page.locator('#rollouts .rollout').evaluateAll((sections) => sections.map((section) => {
  const texts = (selector) => [...section.querySelectorAll(selector)].map((part) => part.innerText.replaceAll(/\s+/g, ' ').trim());
  const bars = [...section.querySelectorAll('.waves .bar')].map((bar) => [...bar.children].map((part) => [part.className, part.offsetWidth]));
  return {
    title: texts('h2')[0], state: texts('.badge')[0], lead: texts('p')[0], sum: texts('.sum')[0], states: texts('.states li'), bars,
    waves: texts('.waves li'), brake: texts('.brake li'), open: texts(':scope > .bad li').length,
    bad: [...section.querySelectorAll('.bad li')].map((item) => [...item.children].map((part) => part.textContent).join(' ')), links: [...section.querySelectorAll('.bad a')].map((link) => link.href), more: texts('summary'), closed: [...section.querySelectorAll('details li')].filter((item) => !item.checkVisibility()).length,
  };
}));
result.otherRollouts = await page.locator('#rollouts .ended li').allInnerTexts();

// The first row, as a screen reader reads it.
result.cells = await page.locator('#rows tr').first().evaluate((row) => {
  const names = [...document.querySelectorAll('#heads th')].map((head) => head.dataset.name);
  const readCell = (cell) => [...cell.childNodes].filter((part) => part.ariaHidden !== 'true').map((part) => part.textContent).join('');
  return Object.fromEntries([...row.children].map((cell, place) => [names[place], readCell(cell)]));
});

// The elements that the Tab key visits.
result.stops = [];
for (let count = 0; count < 40; count += 1) {
  await page.keyboard.press('Tab');
  result.stops.push(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent.slice(0, 20)));
}

// The accessibility tree, which a screen reader uses.
result.tree = await page.locator('body').ariaSnapshot();

// Search letter by letter, and measure the CPU time of the page until its layout is complete. Other load on the
// machine does not change that time.
const search = page.getByRole('searchbox', { name: 'Search' });
await search.focus();
const inspector = await page.context().newCDPSession(page);
await inspector.send('Performance.enable', { timeDomain: 'threadTicks' });
const readTaskTime = async () => {
  const { metrics } = await inspector.send('Performance.getMetrics');
  return metrics.find((metric) => metric.name === 'TaskDuration').value * 1000;
};
result.milliseconds = [];
for (let length = 1; length <= searched.length; length += 1) {
  const before = await readTaskTime();
  await search.evaluate((input, text) => {
    input.value = text;
    input.dispatchEvent(new Event('input', { bubbles: true }));
    void document.body.offsetHeight;
  }, searched.slice(0, length));
  result.milliseconds.push(await readTaskTime() - before);
}
await inspector.detach();
result.found = { status: await status(), names: await cells('name'), ids: await cells('id') };
await page.getByRole('button', { name: 'Show all' }).click();
result.shownAgain = await status();

result.sorted = { down: await sortedBy('Name'), up: await sortedBy('Name') };
// The page leaves out a column without any value.
if (await column('last_heard_age')) {
  result.sorted.age = await sortedBy('Last heard');
}
await page.getByRole('columnheader', { name: 'Name', exact: true }).getByRole('button').press('Enter');
result.sorted.byKeyboard = { names: await cells('name') };

const role = page.getByRole('combobox', { name: 'Role' });
if (await role.count()) {
  await role.selectOption({ label: 'gateway' });
  result.filtered = { status: await status(), roles: [...new Set(await cells('role', 100))] };
  await page.getByRole('button', { name: 'Show all' }).click();
}

if (await page.getByRole('button', { name: 'Next', exact: true }).isVisible()) {
  await page.getByRole('button', { name: 'Next', exact: true }).click();
  result.secondPage = { status: await status(), names: await cells('name') };
}

// A button with a count shows its devices, and a second press shows all devices again.
const pressed = async (button) => {
  await button.click();
  const found = { status: await status(), pressed: await button.getAttribute('aria-pressed'), names: await cells('name') };
  found.marked = await page.locator('#rows td.silent').count();
  await button.click();
  return { ...found, again: await status() };
};
for (const kind of ['offline', 'silent']) {
  const button = page.locator(`#counts button.${kind}`);
  if (await button.isEnabled()) {
    result[kind] = await pressed(button);
  }
}

// Each advisory: its text, its links, and the devices of its counts.
result.notices = [];
for (const notice of await page.locator('#notices > li').all()) {
  const found = { text: await notice.innerText(), links: [] };
  for (const link of await notice.getByRole('link').all()) {
    found.links.push(await link.getAttribute('href'));
  }
  for (const kind of ['hit', 'cannot_tell']) {
    const button = notice.locator(`button.${kind}`);
    if ((await button.count()) && (await button.isEnabled())) {
      found[kind] = await pressed(button);
    }
  }
  result.notices.push(found);
}

// The networks, selected with the keyboard; the first five are enough.
result.networks = {};
for (const button of (await page.locator('#networks button').all()).slice(0, 5)) {
  await button.press('Enter');
  const picture = page.locator('#mesh-picture').getByRole('img');
  const found = { label: await picture.getAttribute('aria-label'), states: await states(), listed: await button.innerText() };
  found.gateways = await page.locator('#mesh-picture text').allTextContents();
  await page.getByRole('button', { name: 'Show its devices' }).press('Enter');
  result.networks[await button.getAttribute('data-network')] = { ...found, status: await status() };
  await page.getByRole('button', { name: 'Show all' }).click();
}

// At each width: how wide the page is, and which columns the reader sees without scrolling.
result.widths = {};
for (const width of [1400, 500]) {
  await page.setViewportSize({ width, height: 1000 });
  result.widths[width] = await page.evaluate(() => {
    const right = document.querySelector('.scroll').getBoundingClientRect().right;
    const heads = [...document.querySelectorAll('#heads th')].filter((head) => head.getBoundingClientRect().right <= right);
    return { page: document.documentElement.scrollWidth, columns: heads.map((head) => head.dataset.name) };
  });
  if (screenshot) {
    await page.screenshot({ path: screenshot.replace('.png', `-${width}.png`), fullPage: true });
  }
  if (screenshot && width === 1400 && result.rollouts.length) {
    await page.locator('#rollouts .rollout').first().screenshot({ path: screenshot.replace('.png', '-rollout.png') });
  }
}
await page.setViewportSize({ width: 1280, height: 1000 });

const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
result.light = await background();
await page.emulateMedia({ colorScheme: 'dark' });
result.dark = await background();
await page.setViewportSize({ width: 390, height: 844 });
result.narrow = await page.evaluate(() => document.documentElement.scrollWidth);
await page.emulateMedia({ colorScheme: 'light', media: 'print' });
await page.evaluate(() => window.dispatchEvent(new Event('beforeprint')));
result.printed = { rows: await page.locator('#rows tr').count(), controls: await page.locator('form').isVisible() };
result.printedDetails = await page.locator('#rollouts details li').evaluateAll((items) => items.filter((item) => item.checkVisibility()).length);

result.images = await page.locator('img').count();
result.scripts = await page.locator('script:not([type])').count();
await browser.close();
console.log(JSON.stringify({ ...result, ...seen }));

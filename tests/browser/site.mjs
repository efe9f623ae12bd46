// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
//
// Opens the pages of the documentation from disk in a real browser, and prints its observations as JSON.
//
//   node site.mjs FOLDER WORD...
//
// It searches the site for each word, and measures each page in windows as wide as a desktop and as a phone. If the
// environment variable SCREENSHOTS names a folder, it stores there what a reader sees first on each page.
//
// The environment variable BROWSER names the folder into which npm has installed the browser.

import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';

import { launchBrowser } from './chromium.mjs';

const WIDTHS = { 1280: 900, 390: 844 };
const [folder, ...words] = process.argv.slice(2);
const addressOf = (file) => pathToFileURL(join(folder, file)).href;

const browser = await launchBrowser();
const page = await browser.newPage();
// The test limits the time of the whole program, because a busy machine can be slow at any step.
page.setDefaultTimeout(0);
const seen = { console: [], requests: [], found: {}, wide: [], pages: 0 };
page.on('console', (message) => seen.console.push(`${page.url()}: ${message.type()}: ${message.text()}`));
page.on('pageerror', (error) => seen.console.push(`${page.url()}: error: ${error.message}`));
page.on('request', (request) => {
  if (!request.url().startsWith('file:')) {
    seen.requests.push(request.url());
  }
});
page.on('requestfailed', (request) => seen.requests.push(`failed: ${request.url()}`));

// A reader types each word into the search field of the first page.
for (const word of words) {
  await page.goto(addressOf('index.html'));
  const field = page.locator('input[name=q]').first();
  await field.fill(word);
  await field.press('Enter');
  await page.waitForURL(/search\.html/);
  // The summary is written after the last result.
  await page.locator('#search-results .search-summary').filter({ hasText: /\w/ }).waitFor();
  const links = await page.locator('#search-results li a').evaluateAll((results) => results.map((link) => link.href));
  seen.found[word] = links.map((link) => link.slice(addressOf('').length + 1));
}

const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.html') && !entry.parentPath.includes('_static'))
  .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
  .sort();
for (const file of files) {
  await page.goto(addressOf(file));
  for (const [width, height] of Object.entries(WIDTHS)) {
    await page.setViewportSize({ width: Number(width), height });
    const found = await page.evaluate(() => document.documentElement.scrollWidth);
    if (found > Number(width)) {
      seen.wide.push(`${file} is ${found} pixels wide in a window of ${width} pixels`);
    }
    if (process.env.SCREENSHOTS) {
      await page.screenshot({ path: join(process.env.SCREENSHOTS, `${file.replaceAll('/', '-')}-${width}.png`) });
    }
  }
}
seen.pages = files.length;
await browser.close();
console.log(JSON.stringify(seen));

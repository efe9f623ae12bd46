// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
//
// Starts the browser for the other programs of this folder. Run as a program, it only unpacks the browser:
//
//   node chromium.mjs
//
// Unpacking takes longer than most tests with a browser, so the files are kept in the folder of the installation.
//
// The environment variable BROWSER names the folder into which npm has installed the browser.

import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const FLAGS = ['--headless=shell', '--no-sandbox', '--no-zygote', '--disable-gpu', '--disable-background-networking'];

// The package unpacks the libraries of the browser only if this variable names a runtime that it supports.
process.env.AWS_EXECUTION_ENV = 'nodejs20.x';
const installed = createRequire(join(process.env.BROWSER, 'package.json'));
const { default: packed } = await import(pathToFileURL(installed.resolve('@sparticuz/chromium')).href);
const { chromium } = installed('playwright-core');

// The package unpacks its files into the folder for temporary files, if they are not there.
const unpacked = join(process.env.BROWSER, 'unpacked');
mkdirSync(unpacked, { recursive: true });
const temporary = process.env.TMPDIR ?? '/tmp';
process.env.TMPDIR = unpacked;
const executablePath = await packed.executablePath();
process.env.TMPDIR = temporary;

export const launchBrowser = () => chromium.launch({ executablePath, args: FLAGS });

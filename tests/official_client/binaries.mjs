// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
//
// A tool that uses Particle's own library for firmware files. `make FOLDER` reads a JSON list of files to make from the
// standard input: {name, options, assets?, variables?}. `read FILE...` reads files. Both print a JSON list that describes
// each file. tests/integration/test_binary_reader.py runs this tool.

import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';

const library = createRequire(join(process.env.OFFICIAL_CLIENT, 'package.json'))('binary-version-reader');

/** Make a binary or, if the file has assets, a bundle. */
async function makeFile({ options, assets, variables }) {
  const binary = library.firmwareTestHelper.createFirmwareBinary(options);
  if (!assets) {
    return binary;
  }
  const files = Object.entries(assets).map(([name, text]) => ({ name, data: Buffer.from(text) }));
  return library.createApplicationAndAssetBundle(binary, files, variables);
}

/** Return the binary in a file, and whether each asset in a bundle matches the binary. */
async function unpack(name, content) {
  if (!name.endsWith('.zip')) {
    return { binary: content, packed: [] };
  }
  const { application, assets } = await library.unpackApplicationAndAssetBundle(content);
  return { binary: application.data, packed: assets };
}

async function describeFile(name, content) {
  const { binary, packed } = await unpack(name, content);
  const parsed = await new library.HalModuleParser().parseBuffer({ fileBuffer: binary });
  const { crc, prefixInfo: prefix, suffixInfo: suffix, assets = [] } = parsed;
  return {
    crc_ok: crc.ok,
    function: prefix.moduleFunction,
    platform_id: prefix.platformID,
    needed_device_os: prefix.depModuleFunction === 4 ? prefix.depModuleVersion : null,
    product_id: suffix.productId,
    product_version: suffix.productVersion,
    app_hash: suffix.fwUniqueId,
    assets: assets.map(({ name: asset, hash }) => [asset, hash]),
    valid_assets: packed
      .filter(({ name: asset, data }) => library.isAssetValid(data, assets.find((info) => info.name === asset)))
      .map(({ name: asset }) => asset),
  };
}

const [command, ...names] = process.argv.slice(2);
let paths = names;

if (command === 'make') {
  const files = JSON.parse(readFileSync(0, 'utf8'));
  paths = files.map(({ name }) => join(names[0], name));
  for (const [number, file] of files.entries()) {
    writeFileSync(paths[number], await makeFile(file));
  }
}

const described = [];
for (const path of paths) {
  described.push(await describeFile(basename(path), readFileSync(path)));
}
console.log(JSON.stringify(described));

// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
//
// Starts the compatible cloud for a test: only on loopback, on free ports, with its data in the working directory, and
// with the OAuth client that the collection uses by default. The environment variable NODE_PATH names the folder into
// which npm has installed the server, and PORT_FILE the file to which this program writes the port of the API.
'use strict';

const fs = require('fs');
const http = require('http');
const net = require('net');

const FIXED_DEVICE_PORT = 5683;

process.env.NODE_PORT = process.env.NODE_PORT || '0';

// The server calls listen(port, callback), which would listen on all addresses.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function listenOnLoopback(port, callback) {
  const chosen = Number(port) === FIXED_DEVICE_PORT ? 0 : Number(port);
  if (this instanceof http.Server) {
    this.once('listening', () => announce(this.address().port));
  }
  return listen.call(this, { host: '127.0.0.1', port: chosen }, callback);
};

// Write the file in one step, so that a reader never finds a part of it.
function announce(port) {
  const file = process.env.PORT_FILE;
  if (file) {
    fs.writeFileSync(`${file}.part`, `${port}\n`);
    fs.renameSync(`${file}.part`, file);
  }
}

require('@brewskey/spark-server/dist/oauthClients.json').push({
  clientId: 'particle',
  clientSecret: 'particle',
  grants: ['password'],
});
require('@brewskey/spark-server/dist/main.js');

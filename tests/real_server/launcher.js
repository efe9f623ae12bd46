// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
//
// Starts the compatible cloud that nobody here wrote, so that a test can own it: on loopback only, on free
// ports, with its data in the working directory, and with the client that the collection uses by default.
// NODE_PATH says where npm put the server, PORT_FILE where to write the port of its API.
'use strict';

const fs = require('fs');
const http = require('http');
const net = require('net');

const FIXED_DEVICE_PORT = 5683;

process.env.NODE_PORT = process.env.NODE_PORT || '0';

// The server calls listen(port, callback) and would so be open to the whole network.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function listenOnLoopback(port, callback) {
  const chosen = Number(port) === FIXED_DEVICE_PORT ? 0 : Number(port);
  if (this instanceof http.Server) {
    this.once('listening', () => announce(this.address().port));
  }
  return listen.call(this, { host: '127.0.0.1', port: chosen }, callback);
};

// Whoever waits for the file never sees half of it.
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

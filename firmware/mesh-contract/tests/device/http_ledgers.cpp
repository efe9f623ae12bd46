// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

#include "http_ledgers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "files.h"
#include "mesh_contract/json_reader.h"

using mesh_contract::DeviceId;
using mesh_contract::JsonReader;
using mesh_contract::Report;
using mesh_contract::ReportState;

namespace {

constexpr int kTimeoutSeconds = 60;

std::string buildJson(const Report& report) {
    const bool has_left = report.state == ReportState::kLeft;
    char parent[DeviceId::kDigits + 1];
    report.parent.format(parent);
    const auto quote = [](const std::string& text) { return '"' + text + '"'; };
    return "{\"contract\":1,\"network\":" + (has_left ? "null" : quote(report.network)) +
           ",\"role\":" + (has_left ? "null" : quote(toText(report.role))) +
           ",\"state\":" + quote(toText(report.state)) +
           ",\"parent\":" + (report.has_parent ? quote(parent) : "null") +
           ",\"rssi\":" + (report.has_rssi ? std::to_string(report.rssi) : "null") + "}";
}

// Find a key of a JSON object. Return the text of its value, or an empty text.
std::string findValue(const std::string& json, const char* wanted) {
    JsonReader reader(json);
    reader.beginObject();
    std::string_view key, value;
    while (reader.nextKey(key) && reader.readValue(value)) {
        if (mesh_contract::equalsJson(key, wanted)) {
            return std::string(value);
        }
    }
    return "";
}

}  // namespace

HttpLedgers::HttpLedgers(uint16_t port, std::string device, std::string folder)
    : port_(port),
      device_(std::move(device)),
      instructions_file_(folder + "/instructions"),
      report_file_(folder + "/report"),
      report_(readFile(report_file_)),
      // Whether the last report has arrived is not stored, so it is sent once more.
      is_report_pending_(!report_.empty()) {
    const std::string copy = readFile(instructions_file_);
    const size_t end = copy.find('\n');
    if (end != std::string::npos) {
        updated_at_ = copy.substr(0, end);
        instructions_ = copy.substr(end + 1);
    }
}

bool HttpLedgers::synchronise() {
    upload();
    return download();
}

bool HttpLedgers::writeReport(const Report& report) {
    const std::string json = buildJson(report);
    if (json == report_) {
        return true;
    }
    if (!writeFile(report_file_, json)) {
        return false;
    }
    report_ = json;
    is_report_pending_ = true;
    upload();
    return true;
}

bool HttpLedgers::upload() {
    std::string answer;
    if (is_report_pending_ && request("PUT", "mesh-status", "{\"data\":" + report_ + "}", answer) == 200) {
        is_report_pending_ = false;
    }
    return !is_report_pending_;
}

bool HttpLedgers::download() {
    std::string answer;
    if (request("GET", "mesh", "", answer) != 200) {
        return false;
    }
    const std::string updated_at = findValue(answer, "updated_at");
    if (updated_at.empty() || updated_at == "null" || updated_at == updated_at_) {
        return false;
    }
    const std::string data = findValue(answer, "data");
    if (!writeFile(instructions_file_, updated_at + "\n" + data)) {
        return false;
    }
    updated_at_ = updated_at;
    instructions_ = data;
    return true;
}

// Send a request to the simulator. Return the status, or 0 if there is no complete response.
int HttpLedgers::request(const std::string& method, const std::string& ledger, const std::string& body,
                         std::string& answer) const {
    const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval timeout = {kTimeoutSeconds, 0};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string response;
    const std::string text = method + " /_simulator/devices/" + device_ + "/ledgers/" + ledger +
                             " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n" +
                             "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    if (connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
        send(connection, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size())) {
        char part[4096];
        ssize_t size = 0;
        while ((size = recv(connection, part, sizeof(part), 0)) > 0) {
            response.append(part, static_cast<size_t>(size));
        }
    }
    close(connection);
    const size_t head = response.find("\r\n\r\n");
    if (head == std::string::npos || response.size() < 12) {
        return 0;
    }
    answer = response.substr(head + 4);
    return std::atoi(response.c_str() + 9);
}

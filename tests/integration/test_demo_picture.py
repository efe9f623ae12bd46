# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that the picture in the guide shows the network that the demo forms."""

from __future__ import annotations

from xml.etree import ElementTree

import demo

from support.mesh_picture import Member, draw_picture, list_members
from support.paths import ROOT
from support.plays import TASK, cloud_environment, run_task
from support.simulator import running_simulator

PICTURE = ROOT / "docs" / "images" / "mesh.svg"
OUTDATED = "docs/images/mesh.svg does not show the network of the demo: draw it with `make pictures`, and check it"


def test_picture_in_the_guide_shows_the_network_of_the_demo() -> None:
    # Provision only the network of the picture, with the same manifest as in the demo.
    with running_simulator(*demo.FLAGS) as cloud:
        whole = demo.manifest_for(cloud)
        members = [device for device in whole["devices"] if device["mesh"]["network"] == demo.DRAWN]
        manifest = {**whole, "networks": {demo.DRAWN: whole["networks"][demo.DRAWN]}, "devices": members}
        options = {"manifest": manifest, "verify": "online"}
        result = run_task("fleet", options, cloud_environment(cloud.url)).succeeded().result(TASK)
        drawn = draw_picture(demo.DRAWN, list_members(cloud.state(), demo.DRAWN))
    assert result["networks"][demo.DRAWN]["joined"] == len(members) == demo.FLEET // demo.NETWORKS
    assert PICTURE.read_text(encoding="utf-8") == drawn, OUTDATED


def test_member_that_has_not_joined_has_another_colour() -> None:
    members = [
        Member("a <gateway>", "gateway", "joined", None, None),
        Member("near", "node", "joined", "a <gateway>", -50),
        Member("far", "node", "lost", None, None),
    ]
    picture = ElementTree.fromstring(draw_picture("barn", members))
    titles = [title.text for title in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == [
        "Network barn: 1 gateway, 2 nodes, 2 joined",
        "a <gateway>: joined",
        "near: joined through a <gateway>, -50 dBm",
        "far: lost",
    ]
    marks = [mark.get("fill") for mark in picture.iter() if mark.tag.endswith(("rect", "circle")) and len(mark)]
    assert len(marks) == 3
    assert marks[0] == marks[1] != marks[2]

# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test `make release`: it makes a commit, a tag and a tarball, or names the reason and changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from support.paths import ROOT

STEP_SECONDS = 280.0
VERSION = "0.2.0"
TARBALL = f"meshfleet-particle-{VERSION}.tar.gz"
MAINTAINER = "maintainer@example.com"

PASSING_IMPORTER = "@test -f dist/*.tar.gz && echo the importer has looked"
FAILING_IMPORTER = "@echo something is wrong; exit 1"


class Checkout:
    """A temporary checkout of the present files, with a replaced `make importer`."""

    def __init__(self, folder: Path, importer: str) -> None:
        self.folder = folder
        folder.mkdir()
        list_files = ["git", "ls-files", "-co", "--exclude-standard", "--deduplicate", "-z"]
        files = subprocess.run(list_files, cwd=ROOT, check=True, capture_output=True).stdout
        pack = ["tar", "-c", "--null", "-T", "-"]
        packed = subprocess.run(pack, cwd=ROOT, check=True, input=files, capture_output=True).stdout
        subprocess.run(["tar", "-x"], cwd=folder, check=True, input=packed)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        self.git("init", "--quiet", "--initial-branch", "main")
        (folder / ".git" / "info" / "exclude").write_text(".venv\n")
        self.replace_importer(importer)

    def replace_importer(self, recipe: str) -> None:
        """Replace the recipe of `make importer`, and commit that."""
        makefile = (ROOT / "Makefile").read_text()
        (self.folder / "Makefile").write_text(f"{makefile}\n.PHONY: importer\nimporter:\n\t{recipe}\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Another importer")

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with a git identity and without those of a surrounding make."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        roles = ("AUTHOR", "COMMITTER")
        return {**inherited, **{f"GIT_{role}_{field}": MAINTAINER for role in roles for field in ("NAME", "EMAIL")}}

    def git(self, *words: str) -> str:
        """Run git, and return its output."""
        command = ["git", *words]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def release(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `make release` with variables."""
        return subprocess.run(
            ["make", "--no-print-directory", "release", *(f"{name}={value}" for name, value in variables.items())],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=STEP_SECONDS,
            check=False,
        )

    def state(self) -> tuple[str, str, str]:
        """Return the commit, the uncommitted changes and the tags."""
        return self.git("rev-parse", "HEAD"), self.git("status", "--porcelain"), self.git("tag")


@contextmanager
def signing_key(home: Path) -> Iterator[str]:
    """Create a key without a passphrase in a GnuPG home, and yield its fingerprint."""
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    subprocess.run([*gpg, "--passphrase", "", "--quick-generate-key", MAINTAINER, "ed25519"], check=True)
    try:
        done = subprocess.run([*gpg, "--with-colons", "--list-keys"], check=True, capture_output=True, text=True)
        fingerprint, *_others = [line.split(":")[9] for line in done.stdout.splitlines() if line.startswith("fpr:")]
        yield fingerprint
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)


def test_invalid_version_and_unclean_checkout_are_refused(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", PASSING_IMPORTER)
    before = checkout.state()
    for variables, words in ({}, "no version is given"), ({"VERSION": "v1.0"}, "'v1.0' is not a version"):
        done = checkout.release(**variables)
        assert done.returncode != 0
        assert f"No release: {words}. Run make release VERSION=x.y.z with three numbers." in done.stderr
    assert checkout.state() == before

    (checkout.folder / "README.md").write_text("changed")
    done = checkout.release(VERSION=VERSION)
    assert done.returncode != 0
    assert "the checkout is not clean. Commit or stash these changes first:\n M README.md" in done.stderr
    assert (checkout.folder / "README.md").read_text() == "changed"


@pytest.mark.only_full
@pytest.mark.timeout(2 * STEP_SECONDS)
def test_release_makes_a_commit_a_tag_and_a_signed_tarball(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", PASSING_IMPORTER)
    home = tmp_path / "gnupg"
    with signing_key(home) as key:
        done = checkout.release(VERSION=VERSION, KEY=key, GNUPGHOME=str(home))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "the importer has looked" in done.stdout
        signed = checkout.folder / "dist" / TARBALL.removesuffix(".tar.gz")
        sign = str(ROOT / ".venv" / "bin" / "ansible-sign")
        subprocess.run([sign, "project", "gpg-verify", "--gnupg-home", str(home), str(signed)], check=True)

    # The release is complete, and the same version cannot be released again.
    assert checkout.git("log", "-1", "--format=%s") == f"Release {VERSION}"
    assert checkout.git("describe", "--exact-match") == VERSION
    assert checkout.git("status", "--porcelain") == ""
    assert yaml.safe_load((checkout.folder / "galaxy.yml").read_text())["version"] == VERSION
    simulator = checkout.folder / "simulator" / "particle_simulator" / "__init__.py"
    assert f'__version__ = "{VERSION}"' in simulator.read_text()
    assert list((checkout.folder / "changelogs" / "fragments").glob("*")) == []
    notes = (checkout.folder / "CHANGELOG.md").read_bytes()
    assert b'<a id="v0-2-0"></a>' in notes
    with tarfile.open(checkout.folder / "dist" / TARBALL) as tarball:
        packed = tarball.extractfile("CHANGELOG.md")
        assert packed is not None
        assert packed.read() == notes
    again = checkout.release(VERSION=VERSION)
    assert again.returncode != 0
    assert f"version {VERSION} is not later than {VERSION}, the last release" in again.stderr


@pytest.mark.only_full
@pytest.mark.timeout(3 * STEP_SECONDS)
def test_release_that_fails_at_any_step_changes_nothing(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", FAILING_IMPORTER)
    before = checkout.state()
    refused = checkout.release(VERSION=VERSION)
    assert refused.returncode != 0
    assert "something is wrong" in refused.stdout
    assert "No release: make importer failed, see above. Nothing is changed." in refused.stderr
    assert (checkout.state(), list((checkout.folder / "dist").iterdir())) == (before, [])

    checkout.replace_importer(PASSING_IMPORTER)
    before = checkout.state()

    # Signing fails because the key does not exist.
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    try:
        unsigned = checkout.release(VERSION=VERSION, KEY="0" * 40, GNUPGHOME=str(home))
    finally:  # looking for the key has started an agent
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    assert "No release: ansible-sign project gpg-sign" in unsigned.stderr
    assert (checkout.state(), list((checkout.folder / "dist").iterdir())) == (before, [])

    # Tagging fails after the commit because a hook refuses tags.
    hook = checkout.folder / ".git" / "hooks" / "reference-transaction"
    hook.write_text('#!/bin/sh\n[ "$1" = committed ] || ! grep refs/tags/ >/dev/null\n')
    hook.chmod(0o755)
    untagged = checkout.release(VERSION=VERSION)
    assert "No release: git tag" in untagged.stderr
    assert (checkout.state(), list((checkout.folder / "dist").iterdir())) == (before, [])


def test_key_without_a_signing_program_is_refused_without_any_change(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", PASSING_IMPORTER)
    before = checkout.state()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, missing in (("git", "gpg"), ("gpg", "ansible-sign")):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
        refused = subprocess.run(
            [sys.executable, ".ci/release.py", VERSION, "--key", "0" * 40],
            cwd=checkout.folder,
            env={**checkout.environment, "PATH": str(programs)},
            capture_output=True,
            text=True,
            timeout=STEP_SECONDS,
            check=False,
        )
        assert f"No release: a key is given, but {missing} is not installed." in refused.stderr
        assert checkout.state() == before

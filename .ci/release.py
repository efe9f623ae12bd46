# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Make a release: create a checked tarball, a commit and a tag from a clean checkout. Nothing is published.

`make release VERSION=x.y.z` runs this program. If a step fails, the checkout is restored.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
GALAXY = ROOT / "galaxy.yml"
CHANGES = ROOT / "changelogs" / "changelog.yaml"
FRAGMENTS = ROOT / "changelogs" / "fragments"

VERSIONED = {
    GALAXY: r"(?<=^version: ).*$",
    ROOT / "simulator" / "particle_simulator" / "__init__.py": r'(?<=^__version__ = ").*(?="$)',
}
"""The files that contain the version, with a regular expression that finds it.

The collection and the simulator have the same version.
"""

VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


class Refusal(Exception):
    """The error that a release cannot be made. The message gives the reason, and says what to do."""


def main() -> int:
    """Make the release that the command line names, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", nargs="?", default="", help="the new version, for example 1.2.3")
    parser.add_argument("--key", default="", help="fingerprint of the GPG key that signs the tarball")
    arguments = parser.parse_args()
    try:
        check(arguments.version, arguments.key)
        prepare(arguments.version, arguments.key)
    except Refusal as refusal:
        print(f"No release: {refusal}", file=sys.stderr)
        return 1
    print(
        f"\nRelease {arguments.version} exists only in this checkout. To publish it, run:\n"
        f"  git push --follow-tags\n"
        f"  ansible-galaxy collection publish {tarball(arguments.version)}"
    )
    return 0


def check(version: str, key: str) -> None:
    """Check that the release can be made. Nothing is changed.

    :param key: the fingerprint of the GPG key, or an empty string if the tarball is not signed.
    :raises Refusal: if the release cannot be made.
    """
    if not VERSION.fullmatch(version):
        given = f"{version!r} is not a version" if version else "no version is given"
        raise Refusal(f"{given}. Run make release VERSION=x.y.z with three numbers.")
    if changed := output("git", "status", "--porcelain"):
        raise Refusal(f"the checkout is not clean. Commit or stash these changes first:\n{changed}")
    last = max(released(), key=numbers, default=None)
    if last is not None and numbers(version) <= numbers(last):
        raise Refusal(f"version {version} is not later than {last}, the last release. Choose a later version.")
    if output("git", "tag", "--list", version):
        raise Refusal(f"the tag {version} already exists. Choose a later version.")
    if not any(FRAGMENTS.glob("*.yml")):
        raise Refusal("changelogs/fragments is empty. Add a fragment that describes the changes of this release.")
    for program, package in ("gpg", "GnuPG"), ("ansible-sign", "ansible-sign"):
        if key and shutil.which(program) is None:
            raise Refusal(f"a key is given, but {program} is not installed. Install {package} to sign the tarball.")


def prepare(version: str, key: str) -> None:
    """Run all steps of the release. If a step fails, restore the checkout.

    :raises Refusal: if a step fails.
    """
    start = output("git", "rev-parse", "HEAD")
    try:
        for file, pattern in VERSIONED.items():
            file.write_text(re.sub(pattern, version, file.read_text(encoding="utf-8"), flags=re.MULTILINE))
        run("antsibull-changelog", "release")
        run("make", "build")
        run("make", "importer")
        if key:
            sign(version, key)
        run("git", "add", "--all")
        run("git", "commit", "--quiet", "--message", f"Release {version}")
        run("git", "tag", "--annotate", version, "--message", f"Release {version}")
    except subprocess.CalledProcessError as failure:
        undo(start, version)
        step = " ".join(map(str, failure.cmd))
        raise Refusal(f"{step} failed, see above. Nothing is changed. Correct the error and try again.") from None
    except BaseException:  # for example a program that is not installed, or Ctrl-C
        undo(start, version)
        raise


def undo(start: str, version: str) -> None:
    """Restore the checkout to the commit `start`, and delete the tarball and its signature.

    There is no tag to delete, because the tag is created in the last step.
    """
    output("git", "reset", "--quiet", "--hard", start)
    output("git", "clean", "--quiet", "--force", "changelogs")
    tarball(version).unlink(missing_ok=True)
    shutil.rmtree(signed(version), ignore_errors=True)


def tarball(version: str) -> Path:
    """Return the path of the tarball that `make build` creates."""
    meta = yaml.safe_load(GALAXY.read_text(encoding="utf-8"))
    return ROOT / "dist" / f"{meta['namespace']}-{meta['name']}-{version}.tar.gz"


def signed(version: str) -> Path:
    """Return the folder for a copy of the tarball and its signature.

    `ansible-sign project gpg-verify` checks this folder.
    """
    artifact = tarball(version)
    return artifact.with_name(artifact.name.removesuffix(".tar.gz"))


def sign(version: str, key: str) -> None:
    """Copy the tarball to its own folder, and sign its checksum there."""
    folder = signed(version)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(tarball(version), folder)
    (folder / "MANIFEST.in").write_text("include *.tar.gz\n", encoding="utf-8")
    # If GPG_TTY is not set, ansible-sign determines the name of its terminal, and fails if there is no terminal.
    terminal = {} if sys.stdin.isatty() else {"GPG_TTY": ""}
    run("ansible-sign", "project", "gpg-sign", "--fingerprint", key, str(folder), **terminal)


def released() -> list[str]:
    """Return the versions that the changelog contains."""
    if not CHANGES.exists():
        return []
    return list(yaml.safe_load(CHANGES.read_text(encoding="utf-8"))["releases"])


def numbers(version: str) -> tuple[int, ...]:
    """Return the three numbers of a version, for comparisons."""
    return tuple(map(int, version.split(".")))


def run(*command: str, **environment: str) -> None:
    """Print and run the command of one step.

    :param environment: more environment variables.
    :raises subprocess.CalledProcessError: if the command fails.
    """
    print("+", *command, flush=True)
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, **environment})


def output(*command: str) -> str:
    """Run a command without printing it, and return its standard output.

    :raises subprocess.CalledProcessError: if the command fails.
    """
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.rstrip()


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What `make release VERSION=x.y.z` runs: from a clean checkout to a commit, a tag and a checked tarball.

Publishes nothing. When a step fails, the checkout is as it was.
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
"""Files that hold the version, with a pattern of it: the collection and the simulator have the same one."""

VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


class Refusal(Exception):
    """A sentence about why there is no release, and one about what to do."""


def main() -> int:
    """Release what the command line names; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", nargs="?", default="")
    parser.add_argument("--key", default="", help="fingerprint of the GPG key to sign with")
    arguments = parser.parse_args()
    try:
        check(arguments.version, arguments.key)
        prepare(arguments.version, arguments.key)
    except Refusal as refusal:
        print(f"No release: {refusal}", file=sys.stderr)
        return 1
    print(
        f"\nReleased {arguments.version} here, and nowhere else yet. To publish it:\n"
        f"  git push --follow-tags\n"
        f"  ansible-galaxy collection publish {tarball(arguments.version)}"
    )
    return 0


def check(version: str, key: str) -> None:
    """Refuse what cannot be released, before anything is changed. :raises Refusal: in words."""
    if not VERSION.fullmatch(version):
        given = f"{version!r} is no version" if version else "no version is given"
        raise Refusal(f"{given}. Say make release VERSION=x.y.z, three numbers.")
    if changed := output("git", "status", "--porcelain"):
        raise Refusal(f"the checkout is not clean. Commit or stash this first:\n{changed}")
    last = max(released(), key=numbers, default=None)
    if last is not None and numbers(version) <= numbers(last):
        raise Refusal(f"{version} does not come after {last}, which is released. Choose a later one.")
    if output("git", "tag", "--list", version):
        raise Refusal(f"there is a tag {version} already. Choose a later version.")
    if not any(FRAGMENTS.glob("*.yml")):
        raise Refusal("changelogs/fragments is empty. Say there what the release is about.")
    for program, package in ("gpg", "GnuPG"), ("ansible-sign", "ansible-sign"):
        if key and shutil.which(program) is None:
            raise Refusal(f"a key is given, and there is no {program} to sign with. Install {package}.")


def prepare(version: str, key: str) -> None:
    """Carry out all steps, or none. :raises Refusal: when one fails, after the checkout is as it was."""
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
        raise Refusal(f"{step} failed, see above. Nothing is changed; correct it and try again.") from None
    except BaseException:  # a program that is not there, or somebody who has changed their mind
        undo(start, version)
        raise


def undo(start: str, version: str) -> None:
    """Make the checkout what it was at the commit `start`. A tag is the last step: where one fails there is none."""
    output("git", "reset", "--quiet", "--hard", start)
    output("git", "clean", "--quiet", "--force", "changelogs")
    tarball(version).unlink(missing_ok=True)
    shutil.rmtree(signed(version), ignore_errors=True)


def tarball(version: str) -> Path:
    """Where `make build` puts the collection."""
    meta = yaml.safe_load(GALAXY.read_text(encoding="utf-8"))
    return ROOT / "dist" / f"{meta['namespace']}-{meta['name']}-{version}.tar.gz"


def signed(version: str) -> Path:
    """Where the tarball lies with its signature: a folder that `ansible-sign project gpg-verify` takes."""
    artifact = tarball(version)
    return artifact.with_name(artifact.name.removesuffix(".tar.gz"))


def sign(version: str, key: str) -> None:
    """Sign the hash of the tarball, in a folder of its own."""
    folder = signed(version)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(tarball(version), folder)
    (folder / "MANIFEST.in").write_text("include *.tar.gz\n", encoding="utf-8")
    # Without a terminal ansible-sign fails to find its name, unless it is told one.
    terminal = {} if sys.stdin.isatty() else {"GPG_TTY": ""}
    run("ansible-sign", "project", "gpg-sign", "--fingerprint", key, str(folder), **terminal)


def released() -> list[str]:
    """The versions that the changelog has."""
    if not CHANGES.exists():
        return []
    return list(yaml.safe_load(CHANGES.read_text(encoding="utf-8"))["releases"])


def numbers(version: str) -> tuple[int, ...]:
    """A version as it is compared."""
    return tuple(map(int, version.split(".")))


def run(*command: str, **environment: str) -> None:
    """Show and do one step. :raises subprocess.CalledProcessError: when it fails."""
    print("+", *command, flush=True)
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, **environment})


def output(*command: str) -> str:
    """What a command says that changes nothing, or undoes."""
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.rstrip()


if __name__ == "__main__":
    sys.exit(main())

# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a firmware version of a product to its declared state. Private to this collection.

The steps are: check the file, read the versions, compare the bytes, upload, release, change the settings, and read the
version again to check the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.creates import may_exist_already
from ansible_collections.meshfleet.particle.plugins.module_utils._api.firmware import (
    RELEASE_ROUTE,
    edit_firmware,
    get_release_impact,
    list_firmware,
    release_firmware,
    upload_firmware,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import ListOptions
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import list_product_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import NOT_READABLE
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import (
    ParticleError,
    build_difference_error,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.checks import refuse_wrong_file
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.comparison import refuse_other_bytes
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.device_groups import refuse_unknown_groups
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.file import FirmwareFile
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.outcome import Outcome
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import (
    RELEASE_PREFIX,
    Declared,
    Plan,
    Release,
    Row,
    find_ended_releases,
    plan_version,
    predict_row,
    read_release,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.progress import show_progress
from ansible_collections.meshfleet.particle.plugins.module_utils._http.multipart import FilePart

_LOST_WRITES = ("ambiguous_write", "bad_response")
"""Codes of errors after which a write may have taken effect."""
_REFUSED = 400
_RUN_IT_FIRST = (
    "Let a device of the product run this version first: flash it to a development device, or lock a device to it "
    "with firmware_lock. An online device gets the version of its lock when it starts its next session, for example "
    "after a restart. Wait until the device has connected with the version, and run again."
)


def reconcile_version(
    target: Target, declared: Declared, file: FirmwareFile | None, say: Callable[[str], None], *, check_mode: bool
) -> Outcome:
    """Bring a version to its declared state. In check mode, only read and predict.

    :param say: a function that shows the progress of the upload.
    :raises ParticleError: when an error occurs before the first write. The outcome contains any later error.
    """
    if file is not None:
        refuse_wrong_file(file, declared.version, target.required_product)
    run = _Run(target, declared, file, say)
    row = run.read()
    if file is None and row is None:
        hint = "Set file to upload this version, or correct the option version."
        raise build_missing_version(target, declared.version, run.known, hint)
    if file is not None and row is not None:
        refuse_other_bytes(target, declared.version, row, file)
    plan = run.plan(row)
    changes, is_changed = run.describe_changes(row, plan), row is None or bool(plan.changes)
    ended = find_ended_releases(run.known, declared.version, plan)
    outcome = Outcome(declared.version, row, changes, ended, changed=is_changed)
    run.refuse_unknown_groups(row, plan)
    if check_mode:
        run.predict(outcome, plan)
    elif outcome.changed:
        run.apply(outcome)
    return outcome


def build_missing_version(target: Target, version: int, known: Mapping[int, Row], hint: str) -> ParticleError:
    """Return the error about a version that does not exist, although there is no file to create it from.

    :param hint: how to create the version.
    """
    versions = [str(each) for each in sorted(known, reverse=True)]
    existing = f"It has {list_names(versions)}" if versions else "It has no firmware"
    message = f"Product {target.required_product.slug} does not have firmware version {version}. {existing}."
    return ParticleError("not_found", message, hint=hint)


class _Run:
    def __init__(
        self, target: Target, declared: Declared, file: FirmwareFile | None, say: Callable[[str], None]
    ) -> None:
        self._say = say
        self._target = target
        self._http = target.http
        self._warn = target.warn
        self._product = target.required_product
        self._declared = declared
        self._file = file
        self.known: Mapping[int, Row] = {}
        """The versions from the last reading of the list."""
        self._written = set[str]()
        """The parts of the version that were written: ``settings``, which includes the upload, and ``release``."""

    def read(self) -> Row | None:
        """Read the list of versions, and return the declared version, if it exists."""
        self.known = list_firmware(self._http, self._product.id)
        return self.known.get(self._declared.version)

    def plan(self, row: Row | None) -> Plan:
        """Return the changes of the version, except its upload."""
        return plan_version(row, self._declared)

    def describe_changes(self, row: Row | None, plan: Plan) -> dict[str, tuple[Any, Any]]:
        """Return all changes, including the upload."""
        if row is not None or self._file is None:
            return dict(plan.changes)
        created = {name: (None, value) for name, value in self._build_upload().items() if name != "version"}
        released = {name: pair for name, pair in plan.changes.items() if name.startswith(RELEASE_PREFIX)}
        return {"file": (None, self._file.name), **created, **released}

    def _build_upload(self) -> dict[str, Any]:
        """Return the fields of the upload. The cloud requires a title."""
        given = {name: value for name, value in self._declared.settings.items() if value != ""}
        return {"version": self._declared.version, "title": f"v{self._declared.version}", **given}

    def refuse_unknown_groups(self, row: Row | None, plan: Plan) -> None:
        """Refuse a new release to device groups that the product does not have.

        :raises ParticleError: ``not_found`` when a group does not exist.
        """
        known = set(read_release(row or {}).groups)
        added = [name for name in plan.release.groups if name not in known] if plan.release is not None else []
        refuse_unknown_groups(self._target, added, "release.groups")

    def predict(self, outcome: Outcome, plan: Plan) -> None:
        """Put the predicted version into the outcome, with the number of devices that a release would update."""
        before = outcome.row
        if before is None and self._file is not None:
            before = {
                **self._build_upload(),
                "name": self._file.name,
                "size": len(self._file.content),
                "device_count": 0,
            }
        if before is None:
            return
        is_new = outcome.row is None
        outcome.row = predict_row(before, plan)
        if plan.release is None:
            return
        if not is_new:
            if plan.release.has_target and self._has_never_run(before):
                self._warn(f"{self._describe_unrun()} The cloud may refuse to release it. {_RUN_IT_FIRST}")
            outcome.impact = self._read_impact(plan.release)
        elif not self._is_running():
            row = predict_row(before, replace(plan, release=None))
            outcome.end_with(self._build_release_refusal(""), row, is_released=False, has_settings=True)

    def _is_running(self) -> bool:
        """Return whether a device runs the version, although it is not uploaded yet: it may have been flashed by USB.

        If the devices cannot be listed, it is assumed that a device runs the version.
        """
        options = ListOptions(keep=frozenset({"id", "firmware_version"}))
        try:
            listing = list_product_devices(self._http, self._product.id, options=options)
        except ParticleError as error:
            if error.code not in NOT_READABLE:
                raise
            self._warn(f"It is not known whether the cloud would release the version: {error.message}")
            return True
        return any(row.get("firmware_version") == self._declared.version for row in listing.rows)

    def _read_impact(self, release: Release) -> Mapping[str, Any] | None:
        version = self._declared.version
        try:
            found: Mapping[str, Any] = get_release_impact(
                self._http, self._product.id, version, default=release.default, groups=release.groups
            )
        except ParticleError as error:
            if error.code not in (*NOT_READABLE, "cloud_error", "bad_response"):
                raise
            self._warn(f"It is not known how many devices the release would update: {error.message}")
            return None
        return {"total": found["total"], "by_version": found.get("by_version") or []}

    def apply(self, outcome: Outcome) -> None:
        """Write all changes, and check the result. An error after the first write is put into the outcome."""
        is_new = outcome.row is None
        try:
            if outcome.row is None and self._file is not None:
                outcome.row = self._upload(self._file)
            plan = self.plan(outcome.row)
            if is_new and not self._written:  # another run has uploaded the same bytes
                outcome.changes, outcome.changed = plan.changes, bool(plan.changes)
            if plan.changes:
                self._write_changes(plan, outcome.row or {})
                outcome.row = self.read()
            self._check_result(outcome.row)
        except ParticleError as error:
            if not self._written:
                raise
            is_released, has_settings = "release" in self._written, "settings" in self._written
            outcome.end_with(error, outcome.row, is_released=is_released, has_settings=has_settings)

    def _upload(self, file: FirmwareFile) -> Row:
        """Upload the file, and return the new version.

        If the response is lost, the list shows whether the version exists. The file is sent again only if it does not.
        """
        failure = self._try_upload(file)
        is_doubtful = failure is not None and failure.code == "ambiguous_write"
        row = self._read_after(failure)
        if row is None and is_doubtful:
            failure = self._try_upload(file)
            row = self._read_after(failure)
        if row is None:
            raise failure or build_difference_error(f"firmware version {self._declared.version}", "it does not exist")
        if failure is not None:
            refuse_other_bytes(self._target, self._declared.version, row, file)
        if is_doubtful:
            self._written.add("settings")
        return row

    def _try_upload(self, file: FirmwareFile) -> ParticleError | None:
        """Upload the file. If the upload fails, but the version may still exist, return the error."""
        part = FilePart(file.name, file.content, file.content_type, report=show_progress(file, self._say))
        try:
            upload_firmware(self._http, self._product.id, self._build_upload(), part)
        except ParticleError as error:
            if not may_exist_already(error):
                raise
            return error
        self._written.add("settings")
        return None

    def _read_after(self, failure: ParticleError | None) -> Row | None:
        """Read the version after a write. If it cannot be read, the failed write is the error to report."""
        try:
            return self.read()
        except ParticleError:
            if failure is None:
                raise
        raise failure

    def _write_changes(self, plan: Plan, row: Row) -> None:
        """Write the release and the settings of an existing version. A refused release leaves the settings alone."""
        product, version = self._product.id, self._declared.version
        if (release := plan.release) is not None:
            try:
                self._write(
                    "release",
                    lambda: release_firmware(self._http, product, version, release.as_body()),
                    lambda found: self.plan(found).release is None,
                )
            except ParticleError as error:
                raise self._explain_release(error, row) from None
        if plan.settings:
            self._write(
                "settings",
                lambda: edit_firmware(self._http, product, version, plan.settings),
                lambda found: not self.plan(found).settings,
            )

    def _write(self, part: str, send: Callable[[], None], is_done: Callable[[Row], bool]) -> None:
        """Send the write of a part of the version.

        If the result is not known, the version is read again to learn whether the write took effect.
        """
        try:
            send()
        except ParticleError as error:
            if error.code not in _LOST_WRITES:
                raise
            row = self._read_after(error)
            if row is None or not is_done(row):
                raise
        self._written.add(part)

    def _check_result(self, row: Row | None) -> None:
        left = ["it does not exist"] if row is None else list(self.plan(row).changes)
        if left:
            raise build_difference_error(f"firmware version {self._declared.version}", ", ".join(left))

    # --- releases that the cloud refuses ---

    def _has_never_run(self, row: Row) -> bool:
        return row.get("device_count") == 0 and not read_release(row).has_target

    def _describe_unrun(self) -> str:
        return f"No device of product {self._product.slug} runs firmware version {self._declared.version}."

    def _explain_release(self, error: ParticleError, row: Row) -> ParticleError:
        """Return a refused release in words, if the version runs on no device (endpoints.yml: firmware_release)."""
        # The cloud refuses a missing scope with the same status.
        is_refused = error.status == _REFUSED and error.route == RELEASE_ROUTE and error.code == "cloud_error"
        return self._build_release_refusal(error.quoted) if is_refused and self._has_never_run(row) else error

    def _build_release_refusal(self, quoted: str) -> ParticleError:
        answer = f" (HTTP {_REFUSED}{quoted})" if quoted else ""
        message = (
            f"Firmware version {self._declared.version} cannot be released yet: no device of product "
            f"{self._product.slug} runs it, and the cloud releases only what has run on a device{answer}."
        )
        return ParticleError("conflict", message, hint=_RUN_IT_FIRST, status=_REFUSED if quoted else None)

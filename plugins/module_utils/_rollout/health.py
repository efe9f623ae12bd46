# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Assess from the device list whether a device runs the new version, and whether it is healthy.

Private to this collection. The rules follow the facts about updates (firmware-and-events.md, section 4.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import format_time
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import show_text
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import Assessment, Device, Health, State
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import Restart, WaveRecord

UPDATE_SECONDS = 900.0
"""Seconds after which an update that has no result counts as failed. The slowest update that was recorded took about
three and a half minutes, and a transfer that breaks off ends after five minutes (firmware-and-events.md, section
4.3)."""

TRANSFER_SECONDS = 300.0
"""Seconds after which a device restarts by itself if the transfer of a file has stalled (firmware-and-events.md,
section 4.3).
"""

RESTART_SECONDS = 3600.0
"""Seconds after which a sleeping device no longer delays its wave, because it may interrupt every update
(firmware-and-events.md, section 4.3). A device that keeps beginning new sessions has failed after the sum of this time
and the time after which a silent device counts as gone.
"""

CLOCK_SECONDS = 60.0
"""Number of seconds by which a time must be later than now to count as a time in the future.

The clocks of the machines of a cloud differ by less.
"""

RECENT_SECONDS = 900.0
"""Maximum age, in seconds, of a session that can be a sign of repeated crashes."""

CRASHES = 2
"""Number of new sessions after its update with which a device counts as crashing."""


@dataclass(frozen=True)
class Assessor:
    """The facts by which the devices of a rollout are assessed.

    :param version: the version of the rollout.
    :param now: the time of the cloud, in seconds since 1970.
    :param failed: the states of devices that failed before the last devices of their wave were targeted.
    :param restarts: the devices that have begun new sessions after their update.
    :param device_os: the module version of the oldest Device OS that runs the version; ``None`` if unknown.
    """

    version: int
    health: Health
    now: float
    failed: Mapping[str, State]
    restarts: Mapping[str, Restart]
    device_os: int | None = None

    def assess(self, device: Device, wave: WaveRecord) -> Assessment:
        """Return the state of a targeted device.

        :param wave: the wave in which the device was targeted.
        """
        if device.in_development:
            return Assessment(State.SKIPPED_DEVELOPMENT, "is a development device, which gets no locks and no releases")
        device = _drop_future_times(device, self.now)
        heard = max((moment for moment in (device.heard, device.handshake) if moment is not None), default=None)
        if device.in_safe_mode and heard is not None and heard >= wave.targeted and _has_restarted(device, wave):
            return self._assess_safe_mode(device, wave)
        if device.version == self.version:
            return self._assess_updated(device, wave, heard)
        found = self._assess_old(device, wave, heard)
        known = self.failed.get(device.id)
        # Without a new session, a device that is online still has the failure that was found before.
        is_same = found.state is State.FAILED_REFUSED and known is not State.GONE
        if known is not None and (is_same or not found.state.is_bad) and not _has_restarted(device, wave):
            evidence = f"failed before other devices of its wave were targeted at {format_time(wave.targeted)}"
            return Assessment(known, evidence)
        return found

    def _assess_safe_mode(self, device: Device, wave: WaveRecord) -> Assessment:
        since = max(wave.targeted, device.handshake or 0.0)
        runs = f"runs Device OS {show_text(device.device_os)}" if device.device_os else "runs an unknown Device OS"
        needs = "" if self.device_os is None else f"needs Device OS module version {self.device_os}, "
        began = f"has been in safe mode since {format_time(since)}"
        evidence = f"{began}, in which its application cannot run: it {needs}{runs}"
        silence = self.health.get_silence(device)
        # A device that keeps beginning new sessions in safe mode does not leave safe mode by itself.
        is_endless = not wave.may_have_been_offline(device.id) and self.now - wave.written > silence + RESTART_SECONDS
        is_over = self.now - since > silence or is_endless
        return Assessment(State.SAFE_MODE if is_over else State.UPDATING, evidence)

    def _assess_updated(self, device: Device, wave: WaveRecord, heard: float | None) -> Assessment:
        """Assess a device that the cloud shows with the new version."""
        if device.handshake is None or heard is None:
            evidence = f"is shown with version {self.version}, but the cloud does not show when its session began"
            return Assessment(State.UNKNOWN, evidence)
        runs = f"has had version {self.version} since its session of {format_time(device.handshake)}"
        if device.handshake <= wave.began:
            return Assessment(State.UPDATED, f"{runs}, before it was targeted")
        restart = self.restarts.get(device.id)
        is_crashing = self.failed.get(device.id) is State.CRASHING or (restart is not None and restart.count >= CRASHES)
        if is_crashing and self.now - device.handshake < self.health.soak:
            evidence = f"came back with version {self.version}, and begins new sessions again and again"
            return Assessment(State.CRASHING, f"{evidence}, the last one at {format_time(device.handshake)}")
        is_in_soak = wave.decided is None or heard < wave.decided + self.health.soak
        if is_in_soak and self.now - heard > self.health.get_silence(device):
            evidence = f"came back with version {self.version}, and has been silent since {format_time(heard)}"
            return Assessment(State.GONE, evidence)
        return Assessment(State.UPDATED, runs)

    def _assess_old(self, device: Device, wave: WaveRecord, heard: float | None) -> Assessment:
        """Assess a device that the cloud shows with another version."""
        old = f"still has version {device.version}" if device.version else "runs no product firmware"
        if not device.accepts_updates:
            return Assessment(
                State.PENDING_DISABLED, "has updates switched off; force them, or wait until it allows them"
            )
        if heard is None or heard < wave.targeted:
            return self._assess_silent(device, wave, heard)
        is_late = wave.may_have_been_offline(device.id)
        if self.now - heard > self.health.get_silence(device):
            if is_late and not _has_restarted(device, wave):
                evidence = f"could not be updated when it was targeted, and was last heard at {format_time(heard)}"
                return Assessment(State.PENDING_OFFLINE, evidence)
            evidence = f"was heard after it was targeted, and has been silent since {format_time(heard)}"
            return Assessment(State.GONE, evidence)
        if _has_restarted(device, wave):
            return self._assess_returned(device, wave, old, is_late=is_late)
        if is_late:
            evidence = f"is online, and gets the version when its next session begins; {old}"
            return Assessment(State.PENDING_HANDSHAKE, evidence)
        # A device that is gone is shown as online for up to 46 minutes, so it must have been heard after the update.
        if min(self.now, heard if device.online else self.now) - wave.written < UPDATE_SECONDS:
            return Assessment(State.UPDATING, f"was targeted at {format_time(wave.targeted)}; {old}")
        if not device.online:
            return self._assess_asleep(wave, heard, old)
        evidence = f"is online, has not restarted since it was targeted at {format_time(wave.targeted)}, and {old}"
        return Assessment(State.FAILED_REFUSED, evidence)

    def _assess_asleep(self, wave: WaveRecord, heard: float, old: str) -> Assessment:
        """Assess a device that was heard since it was targeted, is offline, and has not restarted."""
        if heard - wave.written <= RESTART_SECONDS:
            evidence = f"was targeted at {format_time(wave.targeted)}, and is offline at present; {old}"
            return Assessment(State.UPDATING, evidence)
        evidence = f"is offline most of the time, was last heard at {format_time(heard)}, and {old}"
        return Assessment(State.PENDING_HANDSHAKE, f"{evidence}; it gets the version when its next session begins")

    def _assess_silent(self, device: Device, wave: WaveRecord, heard: float | None) -> Assessment:
        """Assess a device from which the cloud has not heard since it was targeted."""
        last = "was never heard" if heard is None else f"was last heard at {format_time(heard)}"
        silence = self.health.get_silence(device)
        is_over = self.now - wave.written > silence
        if heard is not None and heard >= wave.targeted - silence and not wave.may_have_been_offline(device.id):
            evidence = f"was online when it was targeted at {format_time(wave.targeted)}, and {last}"
            return Assessment(State.GONE if is_over else State.UPDATING, evidence)
        if device.online and not is_over and not wave.was_offline(device.id):
            return Assessment(State.UPDATING, f"is shown as online, and {last}")
        return Assessment(State.PENDING_OFFLINE, f"{last}, before it was targeted at {format_time(wave.targeted)}")

    def _assess_returned(self, device: Device, wave: WaveRecord, old: str, *, is_late: bool) -> Assessment:
        """Assess a device that has begun a session after it was targeted, with another version."""
        began = device.handshake or 0.0
        evidence = f"has begun a session at {format_time(began)}, after it was targeted, and {old}"
        # The cloud sends the version again in each new session. If the update fails each time, the device must count
        # for the brake, although each of its sessions is young. A device that slept after it was targeted begins its
        # first session within the time after which it is gone.
        is_endless = not is_late and began - wave.written > self.health.get_silence(device) + RESTART_SECONDS
        if self.now - began < UPDATE_SECONDS and not is_endless:
            return Assessment(State.UPDATING, evidence)
        if not is_late and TRANSFER_SECONDS <= began - wave.written <= RESTART_SECONDS:
            return Assessment(State.FAILED_TIMEOUT, f"{evidence}; so late because the transfer broke off")
        return Assessment(State.CAME_BACK_OLD, evidence)


def find_restarts(
    known: Mapping[str, Restart],
    targeted: Iterable[tuple[Device, WaveRecord]],
    version: int,
    health: Health,
    now: float,
) -> dict[str, Restart]:
    """Return the devices that have recently begun a new session, after their wave was decided.

    Two such sessions are a sign of crashes; one is not. A device that has kept its session for the soak time is healthy
    again, and is not returned. The entry of a device that is known to crash does not change. Otherwise, a rollout that
    the brake has stopped would write its record in each run.
    """
    recent = min(RECENT_SECONDS, health.soak)
    found = dict[str, Restart]()
    for device, wave in targeted:
        if device.version != version or device.handshake is None or device.handshake > now + CLOCK_SECONDS:
            continue
        began, is_recent = int(device.handshake), now - device.handshake < recent
        restart = known.get(device.id)
        if restart is not None and restart.count >= CRASHES:
            if now - device.handshake < health.soak:
                found[device.id] = restart
        elif restart is not None and began > restart.at:
            found[device.id] = Restart(began, restart.count + is_recent)
        elif restart is not None and now - restart.at < health.soak:
            found[device.id] = restart
        elif restart is None and is_recent and _is_decided(device, wave):
            # A device that was offline may get the version only now. This session is then its first one with the
            # version.
            found[device.id] = Restart(began, 0 if wave.may_have_been_offline(device.id) else 1)
    return found


def _is_decided(device: Device, wave: WaveRecord) -> bool:
    """Return whether the current session of a device began after the session in which it came back with the new
    version.
    """
    if device.handshake is None:
        return False
    if wave.decided is not None:
        return device.handshake > wave.decided
    return device.handshake > wave.written + UPDATE_SECONDS and not wave.may_have_been_offline(device.id)


def _drop_future_times(device: Device, now: float) -> Device:
    """Return a device without the times that are in the future, because no event can have happened then."""
    if max(device.heard or 0.0, device.handshake or 0.0) <= now + CLOCK_SECONDS:
        return device
    heard, handshake = (None if (at or 0.0) > now + CLOCK_SECONDS else at for at in (device.heard, device.handshake))
    return replace(device, heard=heard, handshake=handshake)


def _has_restarted(device: Device, wave: WaveRecord) -> bool:
    return device.handshake is not None and device.handshake > wave.targeted

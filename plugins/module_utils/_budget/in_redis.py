# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Store the times of requests on a Redis server that several machines share. Private to this collection."""

from __future__ import annotations

import re
import sys
import time
import urllib.parse
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import Window
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

_PREFIX = "meshfleet.particle:budget:"
_ANSWER_SECONDS = 3.0
_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.0, 1.0)  # seconds between attempts, together long enough for a restart of Redis

# The script runs on the Redis server. Therefore it is atomic, and all machines use the same clock.
#
# KEYS: the key of the ring buffer of each window.
# ARGV: the operation ("take", "look" or "used"), the time ("" means the clock of Redis), and then three values for each
# window: the number of requests that the cloud allows, the number of requests that may be sent, and the seconds.
#
# The content of a ring buffer is the number of all requests so far, followed by one slot for the time of each of the
# last requests. Each value is a double of eight bytes. A key expires when the last request no longer counts.
_SCRIPT = """
local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = time[1] + time[2] / 1000000
end

local function read(key, place)
  local bytes = redis.call('GETRANGE', key, 8 * place, 8 * place + 7)
  return #bytes == 8 and (struct.unpack('<d', bytes)) or 0
end

local function write(key, place, number)
  redis.call('SETRANGE', key, 8 * place, struct.pack('<d', number))
end

local function last(ring, number)
  return read(ring.key, 1 + (ring.given - number) % ring.size)
end

-- The clock was set back, or the value is damaged: what seems to lie ahead, or is not a number, counts as now.
local function set_back(ring)
  for place = 1, math.min(ring.given, ring.size) do
    if not (read(ring.key, place) <= now) then write(ring.key, place, now) end
  end
end

-- The number of all requests. A number that cannot be true counts as 0.
local function read_given(key)
  local given = read(key, 0)
  return given >= 0 and given < 2 ^ 53 and given == math.floor(given) and given or 0
end

local rings, delay = {}, 0
for index, key in ipairs(KEYS) do
  local ring = {
    key = key, given = read_given(key),
    size = tonumber(ARGV[3 * index]), room = tonumber(ARGV[3 * index + 1]), seconds = tonumber(ARGV[3 * index + 2])
  }
  if ring.given > 0 and not (last(ring, 1) <= now) then set_back(ring) end
  if ring.given >= ring.room then
    if not (last(ring, ring.room) <= now) then set_back(ring) end
    delay = math.max(delay, last(ring, ring.room) + ring.seconds - now)
  end
  rings[index] = ring
end

if ARGV[1] == 'used' then
  local ring = rings[1]
  local low, high = 0, math.min(ring.given, ring.room)
  while low < high do
    local middle = math.ceil((low + high) / 2)
    if last(ring, middle) > now - ring.seconds then low = middle else high = middle - 1 end
  end
  return string.format('%.17g', low / ring.room)
end

if ARGV[1] == 'take' and delay == 0 then
  for _, ring in ipairs(rings) do
    write(ring.key, 1 + ring.given % ring.size, now)
    write(ring.key, 0, ring.given + 1)
    redis.call('PEXPIRE', ring.key, math.ceil(1000 * ring.seconds))
  end
end
return string.format('%.17g', delay)
"""

# Errors of a Redis server that is reached, but cannot store the budget, and how to correct them. The library replaces
# the first word of some messages by a class of exceptions.
_STATES = {
    "OOM|OutOfMemoryError": ("its memory is full", "Free memory on the Redis server, or raise its maxmemory."),
    "READONLY|ReadOnlyError": ("it is a replica", "Give the URL of the primary server in budget_store."),
    "MASTERDOWN|MasterDownError": ("it is a replica without its primary server", "Check the primary server."),
    "NOREPLICAS": ("it has too few replicas to accept writes", "Check the replicas of the Redis server."),
    "MISCONF": ("it cannot save to its disk", "Check the disk and the log of the Redis server."),
    "BUSY": ("it is busy with a script of another program", "Run again later."),
    "WRONGTYPE": ("another program uses the keys of the budget", "Give another database number in budget_store."),
}


class RedisLog:
    """A :class:`RequestLog` that stores the request times of each window in a ring buffer on a Redis server.

    If the Redis server cannot be used, every method raises an error. No other store is used instead, because separate
    budgets of several machines could together exceed the limit.

    :param url: a ``redis://``, ``rediss://`` or ``unix://`` URL, as the Python library ``redis`` defines it. The URL
        may contain a password.
    :param clock: a function that returns seconds; ``None`` for the clock of the Redis server.
    :raises ParticleError: ``unsupported`` when the Python library ``redis`` is missing. The constructor and each method
        raise ``unreachable`` when the Redis server does not answer for some seconds, and ``invalid_option`` when the
        URL is not valid or the Redis server refuses the login or a command.
    """

    def __init__(self, url: str, clock: Callable[[], float] | None) -> None:
        try:
            # Imported here and not at the top, because the import is slow and most runs do not need it.
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            message = "budget_store requires the Python library 'redis', which is missing."
            hint = f"Install redis for {sys.executable}, or leave budget_store out."
            raise ParticleError("unsupported", message, hint=hint) from None
        self._redis = redis
        parts = urllib.parse.urlsplit(url)
        self._where = parts.netloc.rpartition("@")[2] or parts.path
        self._clock = clock
        try:
            # The retries of the library are turned off, because they differ between versions of the library.
            client = redis.Redis.from_url(url, socket_timeout=_ANSWER_SECONDS, retry=Retry(NoBackoff(), 0))
        except (redis.RedisError, ValueError, TypeError) as error:
            raise self._build_error(error) from None
        self._script = client.register_script(_SCRIPT)
        self._call_with_retries(client.ping)  # to fail now and not at the first request to a cloud

    def take_places(self, windows: Sequence[Window], waited: float) -> float:
        """Count a request in all ``windows``. If the limit of any window is reached, count the request in no window.

        :param waited: for how many seconds the request has waited so far.
        :returns: 0.0 if the request was counted, else the seconds after which to call this method again.
        """
        return self._run_script("take", [(window, window.count_allowed(waited)) for window in windows])

    def get_delay(self, window: Window) -> float:
        """Return the seconds until ``window`` allows a request. 0.0 means now. The call is not counted as a request."""
        return self._run_script("look", [(window, window.allowed)])

    def get_used_share(self, window: Window) -> float:
        """Return how much of ``window`` is used, from 0.0 (no requests) to 1.0 (the next request must wait)."""
        return self._run_script("used", [(window, window.allowed)])

    def _run_script(self, what: str, windows: Sequence[tuple[Window, int]]) -> float:
        arguments: list[str | int | float] = [what, "" if self._clock is None else self._clock()]
        for window, room in windows:
            arguments += [window.size, room, window.seconds]
        keys = [_PREFIX + window.name for window, _unused in windows]
        return float(self._call_with_retries(lambda: self._script(keys=keys, args=arguments)))

    def _call_with_retries(self, ask: Callable[[], Any]) -> Any:
        """Call ``ask`` and return its result. If the Redis server does not answer, repeat the call for some seconds.

        :param ask: a function that sends a command to the Redis server.
        """
        pauses = iter(_PAUSES)
        while True:
            try:
                return ask()
            except (self._redis.RedisError, ValueError, TypeError, OSError) as error:
                pause = next(pauses, None) if self._is_temporary(error) else None
                if pause is None:
                    raise self._build_error(error) from None
            time.sleep(pause)

    def _is_temporary(self, error: Exception) -> bool:
        passing = (self._redis.ConnectionError, self._redis.TimeoutError, OSError)
        return isinstance(error, passing) and not isinstance(error, self._redis.AuthenticationError)

    def _build_error(self, error: Exception) -> ParticleError:
        """Return the error for a Redis server that cannot be used."""
        # Messages of the library and of the Redis server are not quoted, because they may contain the password.
        if self._is_temporary(error):
            why, code = "it does not answer", "unreachable"
            hint = "Check that Redis runs and can be reached, then run again; writes already made are kept."
        elif state := self._find_state(error):
            (why, hint), code = state, "unreachable"
        elif isinstance(error, self._redis.RedisError):
            why, code = "it refuses the login, or a command that the budget requires", "invalid_option"
            hint = "Check the user and its permissions, the password, and the database number in budget_store."
        else:
            why, code, hint = "budget_store is not a valid Redis URL", "invalid_option", "Correct budget_store."
        message = f"The Redis server at {self._where} cannot be used as budget_store: {why}."
        return ParticleError(code, message, hint=hint)

    def _find_state(self, error: Exception) -> tuple[str, str] | None:
        """Return why a Redis server that was reached cannot store the budget, and a hint; ``None`` for other errors."""
        if not isinstance(error, self._redis.RedisError):
            return None
        text = f"{type(error).__name__} {error}"
        return next((state for words, state in _STATES.items() if re.search(rf"\b({words})\b", text)), None)

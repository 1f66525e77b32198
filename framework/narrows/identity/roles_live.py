"""The roles in force, read again when their files change."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from narrows.errors import PolicyError
from narrows.identity.policy_files import read_policy
from narrows.identity.roles import DecidesRoles, Roles

_log = logging.getLogger("narrows.identity")

_Stamp = tuple[int, int, int, int] | None


class LiveRoles:
    """Holds the current roles; a change replaces them as a whole or, if it does not load, not at all.

    A call takes `current` once, so that a change in its midst cannot mix two policies.
    """

    def __init__(
        self,
        declared: Iterable[tuple[str, str]] = (),
        policies: Sequence[Path] = (),
        model: Path | None = None,
        interval: float = 1.0,
    ) -> None:
        """Load declarations, policy files and the team's own model, if there is one.

        ``interval`` is the least time in seconds between two looks at the files; 0 looks every time.

        Raises:
            PolicyError: The files do not load; there is no last good policy to keep.
        """
        self._declared = tuple(declared)
        self._policies = tuple(policies)
        self._model = model
        self._interval = interval
        self._looked = float("-inf")
        self.stale_error: PolicyError | None = None
        self._stamps = self._stat()
        self.current = self._load()

    def reload(self) -> None:
        """Read the files again and put the new roles in force at once.

        Raises:
            PolicyError: They do not load. The old ones stay in force and `stale_error` says why.
        """
        # before reading, so that a write in between is seen as a change by the next look
        self._stamps = self._stat()
        try:
            self.current = self._load()
        except PolicyError as error:
            self.stale_error = error
            raise
        self.stale_error = None

    def refresh_if_changed(self, now: float) -> bool:
        """Look at the files, at most once per interval, and reload if one changed; tell whether new roles are in force.

        ``now`` is a time in seconds, such as a call's start; it may be of a wall clock. Never raises for a policy that
        does not load: see `stale_error`.
        A reload takes about 30 µs a line; with large files run it in a thread: new roles come into force in one step.
        """
        # A clock that was set back must not keep an old policy in force.
        if 0 <= now - self._looked < self._interval:
            return False
        self._looked = now
        if self._stat() == self._stamps:
            return False
        try:
            self.reload()
        except PolicyError as error:
            # Nobody else would notice: callers go on to get what the old policy gives them.
            _log.error("the policy files have changed and do not load, so the old ones stay in force: %s", error)
            return False
        return True

    def _stat(self) -> tuple[_Stamp, ...]:
        return tuple(map(_stamp, (*self._policies, *([self._model] if self._model else []))))

    def _load(self) -> DecidesRoles:
        texts = [read_policy(path) for path in self._policies]
        if self._model is None:
            return Roles.build(self._declared, texts)
        from narrows.identity.roles_stock import StockRoles  # casbin's enforcer only where a team brings a model

        return StockRoles.build(read_policy(self._model), self._declared, texts)


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    # ctime sees copies that keep the old mtime, the inode sees a renamed file
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino

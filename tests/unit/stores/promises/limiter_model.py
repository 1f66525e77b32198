"""A limiter in its simplest form, and sequences that a real one is compared with it over."""

from collections import Counter

from hypothesis import strategies as st

from narrows.declare.rate import Rate

LEASE_S = 15
KEYS = st.sampled_from(["ann", "bob", "eve"])
RATES = st.builds(Rate, st.integers(1, 4), st.sampled_from([0, 1, 60]))
WANTED = st.lists(st.tuples(KEYS, RATES), max_size=4)
VERBS = st.sampled_from(["ask", "take", "take", "give_back", "release"])
STEPS = st.lists(st.tuples(VERBS, st.integers(-5, 70), WANTED, st.sampled_from(["one", "two", "three"])), max_size=40)


class Model:
    """Every window is a start and a count, every lease an end; all are searched as a whole each time."""

    def __init__(self):
        self.time = 0
        self.windows = {}
        self.leases = {}

    def do(self, what, step, wanted, lease):
        """Whether it passes; None for what is only given back."""
        self.time += max(0, step)
        self.windows = {one: it for one, it in self.windows.items() if it[0] + one[1].seconds > self.time}
        self.leases = {held: it for held, it in self.leases.items() if it[0] > self.time}
        counts = Counter(wanted)
        if what == "give_back":
            for one in counts.keys() & self.windows.keys():
                start, count = self.windows[one]
                self.windows[one] = (start, max(0, count - counts[one]))
            return None
        if what == "release":
            for one in counts:
                self.leases.pop((one, lease), None)
            return None
        allowed = all(self.has_room(one, times, lease) for one, times in counts.items())
        if allowed and what == "take":
            self.take(counts, lease)
        return allowed

    def has_room(self, one, times, lease):
        """Whether one rate has enough."""
        if one[1].is_concurrent:
            used = sum(places for held, (_, places) in self.leases.items() if held[0] == one)
            return (one, lease) in self.leases or used + times <= one[1].amount
        return self.windows.get(one, (0, 0))[1] + times <= one[1].amount

    def take(self, counts, lease):
        """Take of each."""
        for one, times in counts.items():
            if one[1].is_concurrent:
                self.leases.setdefault((one, lease), (self.time + LEASE_S, times))
            else:
                start, count = self.windows.get(one, (self.time, 0))
                self.windows[one] = (start, count + times)


async def compare(limiter, clock, steps):
    """Take a limiter and the model through the same steps; the same ones must pass."""
    model = Model()
    for what, step, wanted, lease in steps:
        clock.time += step
        if what in ("ask", "take"):
            passed = (await getattr(limiter, what)(wanted, lease)).allowed
        else:
            passed = await (limiter.give_back(wanted) if what == "give_back" else limiter.release(wanted, lease))
        assert passed == model.do(what, step, wanted, lease)

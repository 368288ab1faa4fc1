"""What incidents do to signals, and which of them to blame. The rules of overlap are those of wit/types.wit."""

from wit_world.imports.types import Operation, Role

SMALLEST = 5e-324


def strength(effect, t: int) -> float:
    """How far an effect has set in at an instant, 0 to 1."""
    if t < effect.start or t >= effect.end:
        return 0.0
    if t < effect.full:
        return (t - effect.start) / (effect.full - effect.start)
    return 1.0 if t < effect.release else (effect.end - t) / (effect.end - effect.release)


def bent(bends, t: int, base: float, only=None) -> float:
    """Base times all scales plus all offsets; over that each `set` in the order of their starts."""
    scale, offset, keep, put = 1.0, 0.0, 1.0, 0.0
    for incident, effect in bends:
        if only is not None and incident is not only:
            continue
        s = strength(effect, t)
        if s <= 0.0:
            continue
        if effect.operation == Operation.SCALE:
            scale *= 1.0 + (effect.value - 1.0) * s
        elif effect.operation == Operation.OFFSET:
            offset += effect.value * s
        else:
            keep *= 1.0 - s
            put = put * (1.0 - s) + effect.value * s
    return (base * scale + offset) * keep + put


class Bent:
    """A signal of a target at one instant."""

    __slots__ = ("bends", "t")

    def __init__(self, bends, t: int):
        self.bends = bends
        self.t = t

    def apply(self, base: float) -> float:
        """What becomes of a base value."""
        return bent(self.bends, self.t, base) if self.bends else base

    def blame(self, base: float):
        """The id of the incident that changes a base value most, or None; decoys change values and are never to blame."""
        most = None
        for incident, _ in self.bends:
            if incident.role == Role.DECOY:
                continue
            change = abs(bent(self.bends, self.t, base, incident) - base) / max(abs(base), SMALLEST)
            if change > 0.0 and (most is None or (-change, incident.id) < most):
                most = (-change, incident.id)
        return None if most is None else most[1]


NEUTRAL = Bent((), 0)


class Effects:
    """All that incidents do to a simulation."""

    def __init__(self, simulation):
        targets = {target.name: target for target in simulation.targets}
        self.below: dict = {}
        for target in simulation.targets:
            names = [target.name]
            for name in names:
                if name in targets:
                    names.extend(parent for parent in targets[name].parents if parent not in names)
            for name in names:
                self.below.setdefault(name, []).append(target)
        self.known: set = set()
        self.bends: dict = {}
        self.active: dict = {}

    def inject(self, incidents):
        """Adds incidents; one that is known already is left as it is."""
        for incident in incidents:
            if incident.id in self.known:
                continue
            self.known.add(incident.id)
            for effect in incident.effects:
                for target in self.below.get(effect.target, ()):
                    if effect.signal in target.signals:
                        bends = self.bends.setdefault((target.name, effect.signal), [])
                        bends.append((incident, effect))
                        bends.sort(key=lambda bend: (bend[1].start, bend[0].id))

    def prepare(self, window):
        """Gathers what acts within a window; the glue calls it before each `advance`."""
        self.active.clear()
        for key, bends in self.bends.items():
            acting = [bend for bend in bends if bend[1].start < window.end and window.start < bend[1].end]
            if acting:
                self.active[key] = acting

    def at(self, target: str, signal: str, t: int) -> Bent:
        """What becomes of a signal of a target at an instant of the window that `advance` is asked for."""
        if not self.active:
            return NEUTRAL
        bends = self.active.get((target, signal))
        return NEUTRAL if bends is None else Bent(bends, t)

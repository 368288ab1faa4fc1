"""Keyed randomness: every draw follows from (seed, process, entity, step) and from nothing that came before it. The same key
gives the same 64 bits as in Telemill's SDK for Rust."""

import math

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
UNIT = 2.0**-53
LEAST = 2.0**-54


def mix(x: int) -> int:
    """The finaliser of SplitMix64: spreads every bit over all."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def process(name: str) -> int:
    """The name of something random ("arrivals", "noise") as a part of keys; make it once."""
    hash_ = 0xCBF29CE484222325
    for byte in name.encode():
        hash_ = ((hash_ ^ byte) * 0x100000001B3) & MASK
    return mix(hash_)


def normal_quantile(p: float) -> float:
    """The inverse of the normal distribution (Acklam's rational approximation, relative error below 1.2e-9)."""
    if p > 0.97575:
        return -normal_quantile(1.0 - p)
    if p < 0.02425:
        q = math.sqrt(-2.0 * math.log(max(p, LEAST)))
        return (
            ((((-7.784894002430293e-3 * q - 3.223964580411365e-1) * q - 2.400758277161838) * q - 2.549732539343734) * q
             + 4.374664141464968) * q + 2.938163982698783
        ) / ((((7.784695709041462e-3 * q + 3.224671290700398e-1) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1.0)
    q = p - 0.5
    r = q * q
    return q * (
        ((((-39.69683028665376 * r + 220.9460984245205) * r - 275.9285104469687) * r + 138.357751867269) * r
         - 30.66479806614716) * r + 2.506628277459239
    ) / (
        ((((-54.47609879822406 * r + 161.5858368580409) * r - 155.6989798598866) * r + 66.80131188771972) * r
         - 13.28068155288572) * r + 1.0
    )


class Steps:
    """Seed, process and entity of a key, mixed once for many steps. Cheaper than a stream where one draw a step is enough."""

    __slots__ = ("key",)

    def __init__(self, seed: int, of: int, entity: int):
        key = mix(((seed + GOLDEN) & MASK) ^ of)
        self.key = mix(((key + entity * GOLDEN) & MASK) ^ 0x6A09E667F3BCC909)

    def bits(self, step: int) -> int:
        """64 random bits."""
        # `mix`, written out: this is the function that plugins spend their time in.
        x = ((self.key + step * GOLDEN) & MASK) ^ 0xBB67AE8584CAA73B
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
        return x ^ (x >> 31)

    def unit(self, step: int) -> float:
        """A number in [0, 1)."""
        return (self.bits(step) >> 11) * UNIT

    def normal(self, step: int) -> float:
        """Normally distributed, mean 0 and variance 1."""
        return normal_quantile((self.bits(step) >> 11) * UNIT)

    def stream(self, step: int) -> "Stream":
        """A stream for as many draws as a step needs."""
        key = self.bits(step)
        return Stream(mix((key + GOLDEN) & MASK), mix((key + 2 * GOLDEN) & MASK))


def stream(seed: int, of: int, entity: int, step: int) -> "Stream":
    """The stream of a key."""
    return Steps(seed, of, entity).stream(step)


class Stream:
    """Random numbers of one key (Xoroshiro128++). Never keep one from a step to the next: make one for each entity and step."""

    __slots__ = ("low", "high")

    def __init__(self, low: int, high: int):
        self.low = low
        self.high = high

    def bits(self) -> int:
        """The next 64 bits."""
        low = self.low
        total = (low + self.high) & MASK
        high = self.high ^ low
        self.low = ((low << 49) & MASK | low >> 15) ^ high ^ (high << 21) & MASK
        self.high = (high << 28) & MASK | high >> 36
        return (((total << 17) & MASK | total >> 47) + low) & MASK

    def unit(self) -> float:
        """A number in [0, 1)."""
        return (self.bits() >> 11) * UNIT

    def chance(self, probability: float) -> bool:
        """Whether an event of this probability happens."""
        return self.unit() < probability

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self.unit()

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1."""
        return (self.bits() * n) >> 64

    def pick(self, items):
        """One of a list."""
        return items[self.below(len(items))]

    def normal(self, mean: float = 0.0, deviation: float = 1.0) -> float:
        """Normally distributed."""
        return mean + deviation * normal_quantile(self.unit())

    def exponential(self, mean: float) -> float:
        """The time to the next of events that come at random, `mean` apart."""
        return -mean * math.log(1.0 - self.unit())

    def poisson(self, mean: float) -> int:
        """How many of events that come at random come in an interval in which `mean` are expected."""
        if mean > 30.0:
            return max(0, round(self.normal(mean, math.sqrt(mean))))
        count, product, limit = 0, self.unit(), math.exp(-mean)
        while product > limit:
            count, product = count + 1, product * self.unit()
        return count


class Noise:
    """Noise with a memory (Ornstein-Uhlenbeck, mean 0, variance 1): `memory` is the number of steps in which correlation falls
    to 1/e. The value at a step depends on key and step alone; asking for one step after another is cheap."""

    def __init__(self, seed: int, of: int, entity: int, memory: float):
        self.draws = Steps(seed, of, entity)
        self.starts = Steps(seed, of ^ GOLDEN, entity)
        self.keep = math.exp(-1.0 / memory)
        self.spread = math.sqrt(1.0 - self.keep * self.keep)
        self.block = max(1, math.ceil(memory * 7))
        self.current = None
        self.step = 0
        self.value = 0.0

    def at(self, step: int) -> float:
        block = step // self.block
        if block != self.current or step < self.step:
            self.current = block
            self.step = (block - 1) * self.block
            self.value = self.starts.normal(self.step)
        while self.step < step:
            self.step += 1
            self.value = self.keep * self.value + self.spread * self.draws.normal(self.step)
        return self.value

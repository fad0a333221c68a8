"""Nodes in a finite field: equal formulas have equal residues, others almost never.

A tower of primes, each dividing its successor less one, makes exponentials exact: with g of order
P modulo the next prime, exp(u) is g to the residue of u modulo P, so that sums become products.
Inputs are random; logarithms of what is no product and erf are random functions of their argument
(Schwartz–Zippel).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from hashlib import blake2b

from symbackprop.auditing.code.dag import Node, reachable
from symbackprop.auditing.code.effort import POWER, RESIDUE

# Primes 7 modulo 8 in which 2, 3, 5, 7 and 11 have roots: the first, and what leads to the next.
_FIRST = 2305843009213695551
_STEPS = (3170, 1418, 1850, 11930, 2210, 3170, 50, 1370, 15098)
MOST_DRAWS = 60


def _tower() -> tuple[int, ...]:
    primes = [_FIRST]
    for step in _STEPS:
        primes.append(step * primes[-1] + 1)
    return tuple(primes)


PRIMES = _tower()
_CHEAP = frozenset(("add", "multiply", "constant", "input", "pi"))


class NoResidueError(ArithmeticError):
    """This draw of the inputs has no residue for some node; another may have."""


@lru_cache(maxsize=200_000)
def _hash(key: tuple[object, ...], prime: int) -> int:
    digest = blake2b(repr(key).encode(), digest_size=32).digest()
    return int.from_bytes(digest, "big") % prime


@lru_cache(maxsize=len(PRIMES))
def _generator(level: int) -> int:
    below, prime = PRIMES[level - 1], PRIMES[level]
    return next(g for h in range(2, 100) if (g := pow(h, (prime - 1) // below, prime)) != 1)


def residues(outputs: Sequence[Node], seed: int) -> list[int]:
    """Return the residues of the outputs, the inputs drawn by the seed.

    Raises:
        NoResidueError: If the outputs have none, by their form or in any draw.
    """
    levels = _levels(outputs)
    for draw in range(MOST_DRAWS):
        try:
            return _Draw(outputs, levels, (seed, draw)).result
        except NoResidueError as error:
            if error.args[0] == "form":
                raise
    raise NoResidueError("no draw")


def _levels(outputs: Sequence[Node]) -> list[list[Node]]:
    """The nodes that are read at each level of the tower, the lowest first."""
    top = max(_depth(outputs), 0)
    if top >= len(PRIMES):
        raise NoResidueError("form")
    wanted = [reachable(outputs)]
    for _ in range(top):
        wanted.append(reachable([e for node in wanted[-1] for e in _exponents(node)]))
    return wanted[::-1]


class _Draw:
    def __init__(
        self, outputs: Sequence[Node], levels: Sequence[Sequence[Node]], seed: tuple[int, int]
    ) -> None:
        self.seed = seed
        top = len(levels) - 1
        self.values: list[dict[int, int]] = [{} for _ in levels]
        self.logarithms: list[dict[int, int]] = [{} for _ in levels]
        for level, nodes in enumerate(levels):
            known = self.values[level]
            for node in nodes:
                node.graph.effort.spend(RESIDUE if node.function in _CHEAP else POWER)
                known[node.place] = self._value(node, level)
        self.result = [self.values[top][node.place] for node in outputs]

    def _value(self, node: Node, level: int) -> int:
        prime, known = PRIMES[level], self.values[level]
        function = node.function
        if function == "constant":
            return _fraction(node.payload, prime)
        if function in ("input", "pi"):
            return _hash((self.seed, level, node.payload), prime)
        if function == "infinite":
            raise NoResidueError("form")
        arguments = [known[a.place] for a in node.arguments]
        if function == "add":
            return (arguments[0] + arguments[1]) % prime
        if function == "multiply":
            return arguments[0] * arguments[1] % prime
        if function == "divide":
            return arguments[0] * _inverse(arguments[1], prime) % prime
        if function == "exp":
            return self._exponential(node.arguments[0], level)
        if function == "tanh":
            square = pow(self._exponential(node.arguments[0], level), 2, prime)
            return (square - 1) * _inverse(square + 1, prime) % prime
        if function == "power":
            return self._power(node, arguments[0], level)
        if function == "log":
            return self._logarithm(node.arguments[0], level)
        return self._other(function, arguments[0], prime)

    def _other(self, function: str, argument: int, prime: int) -> int:
        if function.startswith("arc"):
            return _hash((self.seed, function, argument), prime)
        if function == "erf":
            small = min(argument, prime - argument)
            value = _hash((self.seed, function, small), prime)
            return value if small == argument else prime - value
        small = min(argument, prime - argument)
        half = _hash((self.seed, "half angle", small), prime)
        below = _inverse(half * half + 1, prime)
        if function == "cos":
            return (1 - half * half) * below % prime
        sine = 2 * half * below % prime
        return sine if small == argument else prime - sine

    def _exponential(self, exponent: Node, level: int) -> int:
        if level == 0:
            raise NoResidueError("form")
        return pow(_generator(level), self.values[level - 1][exponent.place], PRIMES[level])

    def _power(self, node: Node, base: int, level: int) -> int:
        prime = PRIMES[level]
        exponent = node.arguments[1].constant
        if exponent is not None and exponent.denominator == 1:
            return pow(_inverse(base, prime) if exponent < 0 else base, abs(int(exponent)), prime)
        if exponent is not None and exponent.denominator == 2:
            root = pow(base, (prime + 1) // 4, prime)
            if root * root % prime != base:
                raise NoResidueError("no root")
            whole = pow(_inverse(root, prime) if exponent < 0 else root, 1, prime)
            return pow(whole, abs(exponent.numerator), prime)
        if level == 0:
            raise NoResidueError("form")
        rest, whole_part = split_exponent(node.arguments[1])
        below = PRIMES[level - 1]
        power = self._logarithm(node.arguments[0], level - 1)
        inner = self.values[level - 1][rest.place] if rest is not None else 0
        inner = inner * power % below
        fixed = whole_part - int(whole_part)
        inner = (inner + _fraction(fixed, below) * power) % below
        value = pow(_generator(level), inner, prime)
        whole = int(whole_part)
        return value * pow(_inverse(base, prime) if whole < 0 else base, abs(whole), prime) % prime

    def _logarithm(self, node: Node, level: int) -> int:
        """Log |node|, with logarithms of products taken apart."""
        known = self.logarithms[level]
        if node.place not in known:
            known[node.place] = self._new_logarithm(node, level)
        return known[node.place]

    def _new_logarithm(self, node: Node, level: int) -> int:
        prime, values = PRIMES[level], self.values[level]
        total = 0
        waiting = [(node, 1)]
        steps = 0
        while waiting:
            here, times = waiting.pop()
            steps += 1
            if steps > 2000:
                raise NoResidueError("form")
            fixed = here.arguments[1].constant if here.function == "power" else None
            if here.function == "multiply":
                waiting += [(a, times) for a in here.arguments]
            elif here.function == "divide":
                waiting += [(here.arguments[0], times), (here.arguments[1], -times)]
            elif fixed is not None:
                waiting.append((here.arguments[0], times * _fraction(fixed, prime)))
            elif here.function == "exp":
                total += times * values[here.arguments[0].place]
            else:
                value = values.get(here.place)
                if value is None:
                    value = self._missing(here, level)
                small = min(value, prime - value)
                if small != 1:
                    total += times * _hash((self.seed, level, "log", small), prime)
        return total % prime

    def _missing(self, node: Node, level: int) -> int:
        for here in reachable([node]):
            if here.place not in self.values[level]:
                self.values[level][here.place] = self._value(here, level)
        return self.values[level][node.place]


def split_exponent(exponent: Node) -> tuple[Node | None, Fraction]:
    """Return an exponent as a node plus a constant."""
    if exponent.constant is not None:
        return None, exponent.constant
    if exponent.function == "add":
        for one, other in (exponent.arguments, exponent.arguments[::-1]):
            if one.constant is not None:
                return other, one.constant
    return exponent, Fraction(0)


def _exponents(node: Node) -> list[Node]:
    """The nodes that are read one level below."""
    if node.function in ("exp", "tanh"):
        return [node.arguments[0]]
    if node.function == "power":
        exponent = node.arguments[1].constant
        if exponent is None or exponent.denominator > 2:
            rest, _ = split_exponent(node.arguments[1])
            return [node.arguments[0], *([] if rest is None else [rest])]
    return []


def _depth(outputs: Sequence[Node]) -> int:
    depth: dict[int, int] = {}
    deepest = 0
    for node in reachable(outputs):
        below = max((depth[a.place] for a in node.arguments), default=0)
        depth[node.place] = max([below, *(depth[e.place] + 1 for e in _exponents(node))])
        deepest = max(deepest, depth[node.place])
    return deepest


def _fraction(value: Fraction, prime: int) -> int:
    return value.numerator * _inverse(value.denominator % prime, prime) % prime


def _inverse(value: int, prime: int) -> int:
    if value % prime == 0:
        raise NoResidueError("a division by zero")
    return pow(value, -1, prime)

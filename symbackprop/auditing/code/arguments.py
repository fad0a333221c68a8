"""What a function and its derivative are called with."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from symbackprop.auditing.code import naming
from symbackprop.auditing.code.dag import Node
from symbackprop.auditing.code.faults import Unknown
from symbackprop.auditing.code.inputs import default_spec, guessed, guessed_size
from symbackprop.auditing.code.interpreter.scopes import MISSING, of_module
from symbackprop.auditing.code.interpreter.values import (
    Array,
    Bound,
    Class,
    Function,
    Instance,
    Native,
    Scope,
)
from symbackprop.auditing.code.pairs import definition, parameters
from symbackprop.auditing.code.preparing import extents
from symbackprop.auditing.code.running import (
    LATE,
    Target,
    choices_of,
    defaults_of,
    keyed,
    keys_of,
    linked_names,
    main_output,
    parameter_names,
    reads,
    unpacks,
)
from symbackprop.auditing.code.sites import site_spec, site_value
from symbackprop.auditing.code.specs import Spec
from symbackprop.auditing.code.targets import Targets

# How many extents an image has: channels, rows, columns.
IMAGE = 3


class Arguments(Targets):
    """A run that binds the parameters of both sides of its pair."""

    def arguments(self, target: Target, prefix: str = "") -> dict[str, Any]:
        """Return the arguments of the function, by name."""
        if target.node is None:
            return {"x": self.inputs.get("x", Spec)}
        found: dict[str, Any] = {}
        for name, default in defaults_of(target).items():
            value = self.argument(target, name, default, prefix)
            if value is not MISSING:
                found[name] = value
        return found

    def argument(self, target: Target, name: str, default: Any, prefix: str) -> Any:
        """Return one argument; MISSING leaves it to its default."""
        key = prefix + name
        if name in target.flags:
            return target.flags[name]
        if name in self.pair.settings or key in self.pair.settings:
            value = self.pair.settings.get(key, self.pair.settings.get(name))
            self.setup.specs[key] = Spec("fixed", 0, value=value)
            return self.inputs.get(key)
        for text in self.pair.given:
            left, _, right = text.partition("=")
            if left.strip() == name:
                value = self.given(right)
                return self.inputs.freed(name, value) if isinstance(value, dict) else value
        spec = self.setup.specs.get(key)
        if spec is None:
            spec = self.first_guess(target, name, default, prefix)
            self.setup.specs[key] = spec
        if spec.kind == "default":
            return MISSING
        if spec.kind == "site":
            value = site_value(self, target, name)
            return self.inputs.freed(name, value) if not prefix else value
        if prefix and (spec.kind, spec.rank) == ("shape", IMAGE):
            self.link_image(key)
        return self.inputs.get(key)

    def first_guess(self, target: Target, name: str, default: Any, prefix: str) -> Spec:
        """Return what a parameter is taken for when nothing has been tried."""
        if self.pair.function is None and naming.names_turns(name):
            # One step of training shows the gradient.
            return Spec("fixed", 0, value=1)
        if default is not MISSING:
            return default_spec(name, default)
        if prefix and naming.names_rate(name):
            return guessed(name)
        choices = choices_of(target, name) or keys_of(
            target, name, lambda known: of_module(self.machine, self.scope, known)
        )
        if choices:
            return Spec("fixed", 0, value=choices[0])
        if site_value(self, target, name, probe=True) is not MISSING:
            return Spec("site", 0)
        if keyed(target, name):
            return Spec("options", 0)
        if naming.names_state(name) and unpacks(target, name) and not prefix:
            return Spec("parts", 0, value=tuple(unpacks(target, name)))
        if prefix:
            return self.first_size(target, name)
        shown = site_spec(self, target, name)
        if shown is not None:
            return shown
        spec = guessed(name)
        names = parameter_names(target)
        beside = len(names) == 2 and any(map(naming.names_label, names))
        if naming.names_scalar(name) and (name == names[0] or beside):
            # A function's first parameter is its variable, and so is what stands alone beside its
            # targets: p is a probability.
            spec = Spec()
        if spec.kind == "array" and name.islower() and "X" in parameter_names(target):
            return Spec("array", 1)
        return spec

    def first_size(self, target: Target, name: str) -> Spec:
        """Return what a parameter that sets an object up is taken for: extents, if used so."""
        count = extents(target.function, name)
        spec = guessed_size(name)
        if count and spec.kind in ("shape", "int", "array"):
            return Spec("shape", count)
        later = target.function.name != "__init__"
        return Spec("shape", 1) if later and spec.kind == "shape" else spec

    def link_image(self, key: str) -> None:
        """Make three extents those of the images that the function takes, after samples."""
        part = self.pair.function
        function = part and definition(self.project.module, part.name)
        names = parameters(function)[1:] if isinstance(function, ast.FunctionDef) else []
        # Whether it takes samples, the function itself says: it may be for one image.
        known = self.setup.specs.get(names[0]) if names else None
        if known is None or (known.kind, known.rank) != ("array", IMAGE + 1):
            return
        sizes = self.setup.sizes
        for axis in range(IMAGE):
            one, other = f"{key}.{axis}", f"{names[0]}.{axis + 1}"
            if sizes.root(one) != sizes.root(other):
                sizes.unify(sizes.value(one), sizes.value(other))

    def given(self, text: str) -> Any:
        """Return the value of a definition that was given, of inputs and names of the file."""
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except SyntaxError:
            raise Unknown(f"--given: {text.strip()!r} is no expression") from None
        scope = Scope(self.scope, None)
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id not in scope.names:
                known = of_module(self.machine, self.scope, node.id)
                if known is MISSING:
                    scope.names[node.id] = self.inputs.get(node.id)
        return self.machine.evaluate(tree, scope)

    def backward_arguments(self, target: Target, output: Any) -> dict[str, Any]:
        """Return the arguments of the derivative: inputs, what the function gave, the upstream."""
        if target.node is None:
            return {"x": self.inputs.get("x", Spec)}
        found: dict[str, Any] = {}
        late: list[str] = []
        self.main = main_output(output)
        linked = {} if target.receiver is not None else linked_names(self, target)
        for name, default in defaults_of(target).items():
            value = self.known_argument(target, name, default, linked)
            if value is LATE:
                late.append(name)
            elif value is not MISSING:
                found[name] = value
        self.late = late
        self.backward_target = target
        self.backward_names = set(defaults_of(target))
        for name in late:
            found[name] = self.late_argument(name, late, output)
        return {n: found[n] for n in defaults_of(target) if n in found}

    def known_argument(
        self, target: Target, name: str, default: Any, linked: dict[str, Any]
    ) -> Any:
        """Return an argument that the function's run determines."""
        if name in target.flags or name in self.pair.settings:
            return self.argument(target, name, default, "")
        if any(text.partition("=")[0].strip() == name for text in self.pair.given):
            return self.argument(target, name, default, "")
        if default is not MISSING and name not in self.forward_names:
            if naming.names_upstream(name) and reads(target, name):
                return LATE
            return self.argument(target, name, default, "")
        if f"output for {name}" in self.setup.reading:
            return self.main
        spelled = dict(self.returned)
        known = self.setup.specs.get(name, Spec()).kind
        if name in self.inputs.values and not (known == "parts" and name in spelled):
            return self.inputs.values[name]
        if known == "default":
            return MISSING
        if name in linked:
            return linked[name]
        if name in spelled:
            return spelled[name]
        if name in self.forward_names and not naming.names_upstream(name):
            return self.forward_names[name]
        return LATE

    def late_argument(self, name: str, late: list[str], output: Any) -> Any:
        """Return the upstream gradient, a target, a cache or an input of its own."""
        rest = [v for n, v in self.returned[1:]]
        if name in self.inputs.values:
            return self.inputs.values[name]
        for instance in self.objects.values():
            held = instance.attributes.get(name)
            if isinstance(held, Instance | Function | Class | Bound | Native):
                return held
        arrays = [(n, v) for n, v in self.returned if isinstance(v, np.ndarray) and n is not None]
        for place, (output_name, value) in enumerate(arrays):
            if len(arrays) > 1 and naming.stands_for(name, output_name):
                first = place == 0 and self.upstream is None
                return self.upstream_input(name, value) if first else self.shaped(name, value)
        if rest and (
            "cache" in name
            or name in ("ctx", "memory", "saved", "context")
            or unpacks(self.backward_target, name)
        ):
            return rest[0] if len(rest) == 1 else tuple(rest)
        main = main_output(output) if output is not None else self.state_output(name)
        if naming.names_output(name) and main is not None:
            return main
        named = [n for n in late if naming.names_upstream(n)]
        likely = named[0] if named else None
        free = self.unmatched(late)
        # A derivative that reads nothing but `y` reads the output, or the variable.
        alone = len(self.backward_names) == 1
        others = [
            n
            for n in late
            if (alone or not naming.names_label(n)) and not naming.names_rate(n) and n not in named
        ]
        if len(others) == 1 and name == others[0] and likely is None:
            likely = self.linked(name, free, main)
            if likely is None:
                return self.link_of(free, main)
        elif len(others) == 1 and name == others[0] and len(free) == 1:
            return self.inputs.values[free[0]]
        if name == likely and self.upstream is None and main is not None:
            return self.upstream_input(name, main)
        if len(rest) == 1 and len(others) == 1 and name == others[0]:
            return rest[0]
        if name not in self.setup.specs and (naming.names_label(name)):
            shown = site_spec(self, self.backward_target, name)
            if shown is not None:
                self.setup.specs[name] = shown
                return self.inputs.get(name)
        if naming.names_label(name) and isinstance(main, np.ndarray):
            known = self.setup.specs.get(name)
            if known is None or known.rank == main.ndim:
                return self.shaped(name, main)
        return self.inputs.get(name)

    def unmatched(self, late: list[str]) -> list[str]:
        """Return the function's own arrays that no parameter of the derivative is named after."""
        node = self.forward_node
        known = [] if node is None else parameters(node)
        return [
            n
            for n in known
            if n in self.inputs.originals
            and not naming.names_label(n)
            and n not in self.backward_names
        ]

    def linked(self, name: str, free: list[str], main: Any) -> str | None:
        """Return the name if the parameter left is the upstream gradient; None if it is linked.

        A derivative with one parameter that its function lacks reads the variable, or the output,
        unless it works on what the function stored.
        """
        for reading in ("variable", "output"):
            if f"link {reading}" in self.setup.reading:
                return None
        scalar = not isinstance(main, np.ndarray) or not main.ndim
        labels = [n for n in self.late if naming.names_label(n) and len(self.backward_names) > 1]
        if not free and labels:
            self.setup.reading = (*self.setup.reading, "link output")
            return None
        if "link upstream" in self.setup.reading:
            return name
        if free and (not self.stored or scalar or labels):
            self.setup.reading = (*self.setup.reading, "link variable")
            return None
        return None if scalar else name

    def link_of(self, free: list[str], main: Any) -> Any:
        """Return the variable, or the output where the derivative is read as a function of it."""
        if "link output" in self.setup.reading:
            return main
        if free:
            return self.inputs.values[free[0]]
        raise Unknown("a parameter of the derivative that the function lacks")

    def upstream_input(self, name: str, main: Any) -> Any:
        """Return the gradient by the output, shaped like it."""
        self.upstream = name
        if isinstance(main, Node) or main.ndim == 0:
            self.setup.specs.setdefault(name, Spec("real", 0))
            return self.inputs.get(name)
        return self.shaped(name, main)

    def shaped(self, name: str, main: Array) -> Any:
        """Return an input shaped like the output."""
        spec = self.setup.specs.setdefault(name, Spec("array", main.ndim, -1.5, 1.5))
        if spec.kind in ("array", "onehot", "sparse"):
            if name not in self.inputs.values:
                self.inputs.values[name] = self.inputs.array(name, main.shape, spec)
            return self.inputs.values[name]
        return self.inputs.get(name)

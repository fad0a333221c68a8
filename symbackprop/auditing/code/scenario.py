"""One run of a pair: the function, then its derivative, on inputs of one setup."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from symbackprop.auditing.code import naming
from symbackprop.auditing.code.arguments import Arguments
from symbackprop.auditing.code.dag import Node, reachable
from symbackprop.auditing.code.faults import OneStep, Raised
from symbackprop.auditing.code.interpreter.machine import nodes
from symbackprop.auditing.code.interpreter.values import Function, Instance, Scope
from symbackprop.auditing.code.running import Followed, Target, main_output, returned_parts
from symbackprop.auditing.code.script import assigned, segment
from symbackprop.auditing.code.specs import Spec


class Scenario(Arguments):
    """The run of one pair on one setup; `stage` says how far it came."""

    def run(self) -> Followed:
        """Run the pair.

        Raises:
            Fault: If the program cannot be followed, or raises.
        """
        if self.pair.derivative.name == "<module>":
            return self.script()
        alone = self.pair.function is None
        forward = self.target(self.pair.function or self.pair.derivative)
        backward = forward if alone else self.target(self.pair.derivative)
        for target in (forward, backward):
            if target.node is not None:
                self.machine.shown_nodes.add(target.node)
        self.stage = "backward" if alone else "forward"
        arguments = self.arguments(forward)
        self.forward_node = forward.node
        before = held = self.state()
        output = self.call(forward, arguments)
        made = 0 if alone else len(self.machine.graph.nodes)
        main = main_output(output)
        if isinstance(main, np.ndarray) and not main.size:
            raise Raised("ValueError", "negative dimensions: the output has no elements")
        if not alone:
            output, arguments = self.later_steps(forward, held, output, arguments)
        self.stored = any(
            k.startswith("self.") and (k not in held or _stored(held[k], v))
            for k, v in self.state().items()
        )
        self.setup.forward = set(self.inputs.values) | set(self.inputs.originals)
        self.forward_names = {**arguments, **self.machine.shown.get(id(forward.node), {})}
        self.returned = returned_parts(forward.node, output)
        result = output
        if not alone:
            self.stage = "backward"
            before = self.state()
            result = self.call_back(backward, output)
        shown = self.machine.shown.get(id(backward.node), {})
        return Followed(
            self.machine,
            self.inputs,
            output,
            result,
            self.upstream,
            before,
            self.state(),
            shown,
            forward,
            backward,
            self.forward_names,
            made,
        )

    def partly_read(self) -> set[str]:
        """Return the arrays of which the function's output depends on some elements alone."""
        outputs = self.main.ravel() if isinstance(self.main, np.ndarray) else [self.main]
        used = {n.place for n in reachable(n for n in outputs if isinstance(n, Node))}
        return {
            name
            for name, array in self.inputs.originals.items()
            if 0 < sum(node.place in used for node in array.flat) < array.size
        }

    def script(self) -> Followed:
        """Run a script's own lines, its variables free where it sets them to numbers."""
        wrt = self.pair.wrt
        scope = Scope(self.scope, None)
        self.stage = "backward"
        output: Any = None
        for statement in segment(self.project.module.body, wrt):
            name = assigned(statement)
            if name in wrt and name not in scope.names:
                self.setup.specs.setdefault(name, Spec("real", 0))
                scope.names[name] = self.inputs.get(name)
                continue
            self.machine.execute([statement], scope)
            if name is not None and not naming.names_gradient(name) and name[:1] != "d":
                output = scope.names[name]
        claimed = {f"d{name}": scope.names.get(f"d{name}") for name in wrt}
        target = Target(None)
        return Followed(
            self.machine, self.inputs, output, claimed, None, {}, {}, scope.names, target, target
        )

    def later_steps(
        self, target: Target, held: dict[str, Any], output: Any, arguments: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Call a function that keeps a history once a step, until it has seen three."""
        if not self.has_history(held):
            return output, arguments
        for step in range(2, self.setup.steps + 1):
            arguments = dict(arguments)
            for name, value in arguments.items():
                spec = self.setup.specs.get(name)
                if isinstance(value, np.ndarray) and spec is not None and spec.kind == "array":
                    later = f"{name} at step {step}"
                    self.setup.specs[later] = spec
                    arguments[name] = self.inputs.array(later, value.shape, spec)
            output = self.call(target, arguments)
        if self.setup.steps > 1 and not self.is_recurrent(output):
            raise OneStep("no step depends on those before it")
        return output, arguments

    def is_recurrent(self, output: Any) -> bool:
        """Return whether the last step's output depends on what the first one was given."""
        main = self.state_output("") if output is None else main_output(output)
        used = {node.place for node in reachable(_nodes_of(main))}
        firsts = (name.partition(" at step ") for name in self.setup.specs)
        names = {first for first, later, _ in firsts if later}
        arrays = (self.inputs.originals[name] for name in names if name in self.inputs.originals)
        return any(node.place in used for array in arrays for node in array.flat)

    def call_back(self, target: Target, output: Any) -> Any:
        """Call the derivative; one without a loop goes back a step at each call.

        The objective is the last step's output, so no upstream gradient meets those before it.
        """
        arguments = self.backward_arguments(target, output)
        result = self.call(target, arguments)
        late = any(" at step " in name for name in self.setup.specs)
        if not late or _loops(target):
            return result
        for _ in range(1, self.setup.steps):
            if self.upstream in arguments:
                upstream = np.zeros_like(arguments[self.upstream])
                arguments = {**arguments, self.upstream: nodes(self.machine, upstream)}
            result = self.call(target, arguments)
        return result

    def has_history(self, held: dict[str, Any]) -> bool:
        """Return whether the function appended to lists of its object."""
        return any(
            isinstance(value, list)
            and isinstance(held.get(name), list)
            and len(value) > len(held[name])
            for name, value in self.state().items()
        )


def _nodes_of(output: Any) -> list[Node]:
    values = output.ravel() if isinstance(output, np.ndarray) else [output]
    return [value for value in values if isinstance(value, Node)]


def _loops(target: Target) -> bool:
    """Whether a derivative, or a method of its object that it calls, has a loop."""
    waiting: list[Any] = [target.function]
    seen: set[ast.AST] = set()
    while waiting:
        function = waiting.pop()
        if not isinstance(function, Function) or function.node in seen:
            continue
        seen.add(function.node)
        for inner in ast.walk(function.node):
            if isinstance(inner, ast.For | ast.While):
                return True
            if isinstance(inner, ast.Attribute) and isinstance(target.receiver, Instance):
                waiting.append(target.receiver.cls.find(inner.attr))
    return False


def _stored(before: Any, after: Any) -> bool:
    """Whether a part of an object's state was set anew; objects are dicts of their attributes."""
    if isinstance(before, dict) and isinstance(after, dict):
        return any(k not in before or _stored(before[k], v) for k, v in after.items())
    if isinstance(before, list | tuple) and type(before) is type(after):
        parts = zip(before, after, strict=False)
        return len(before) != len(after) or any(_stored(b, a) for b, a in parts)
    arrays = isinstance(before, np.ndarray) and isinstance(after, np.ndarray)
    return after is not before and not arrays

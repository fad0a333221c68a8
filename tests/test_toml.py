"""Architecture files: their tables, the user's own entries, and errors."""

import pytest
from descriptions import DEFINED, DENSE, EXAMPLES, NETWORK, define, message, read

from symbackprop import api
from symbackprop.architecture import Architecture, Use
from symbackprop.definition import Activation, Layer, Loss, Parameter
from symbackprop.notation import load


class TestToml:
    @pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
    def test_examples_are_read(self, path):
        assert load(path).name == path.stem
        assert load(str(path)).text == str(path)

    def test_everything_a_network_says(self):
        architecture = read(
            'spec = 1\n[network]\nname = "digits"\ninput = [1, "T"]\n'
            'loss = { name = "cross_entropy", label_smoothing = 0.1, '
            "weight = [1, 2.5], axis = 1 }\n"
            'reduction = "sum"\nl1 = 0.5\nl2 = 1e-4\n'
            '[[layer]]\ntype = "dense"\nname = "head"\nunits = "n_1"\nbias = false\n'
            'activation = { name = "leaky_relu", negative_slope = 0.2 }\n'
            '[[layer]]\ntype = "activation"\nfunction = { name = "softmax", axis = 1 }\n'
            '[[layer]]\ntype = "dense"\nunits = 4\nactivation = "f_1"\n'
        )
        assert (architecture.name, architecture.input) == ("digits", (1, "T"))
        assert architecture.loss == Use(
            "cross_entropy", {"label_smoothing": 0.1, "weight": (1, 2.5), "axis": 1}
        )
        assert (architecture.reduction, architecture.l1, architecture.l2) == ("sum", 0.5, 1e-4)
        first, second, third = architecture.layers
        assert (first.type, first.name, first.place) == ("dense", "head", "layer 'head'")
        assert first.fields == {"units": "n_1", "bias": False}
        assert first.activation == Use("leaky_relu", {"negative_slope": 0.2})
        assert (second.type, second.fields) == ("activation", {})
        assert second.activation == Use("softmax", {"axis": 1})
        assert third.activation == Use("f_1", undetermined=True)

    def test_defaults(self):
        architecture = read(NETWORK + DENSE)
        assert architecture == Architecture(
            "network", (2,), architecture.layers, text="arch.toml", place="arch.toml"
        )
        assert architecture.layers[0].activation is None

    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("spec = 2", ["spec", "found 2", "allowed: 1"]),
            ("spec = 1", ["network is missing"]),
            ("[network]\ninput = [2]\n" + DENSE, ["spec is missing"]),
            ("spec = 1\n[network\n", ["not valid TOML", "line 2"]),
            (NETWORK + "input = [3]\n" + DENSE, ["not valid TOML", "line 4"]),
            (NETWORK, ["layer: found none"]),
            ("layer = []\n" + NETWORK, ["at least one [[layer]]"]),
            (NETWORK + 'losss = "nll"\n' + DENSE, ["network", "'losss'", "did you mean 'loss'?"]),
            (NETWORK + 'loss = "nlll"\n' + DENSE, ["network", "'nlll'", "did you mean 'nll'?"]),
            (NETWORK + 'loss = "mse"\n' + DENSE, ["'mse' is called 'mean_squared_error' here"]),
            (NETWORK + "loss = 3\n" + DENSE, ["network: loss: found 3", "a name, or a table"]),
            (
                NETWORK + 'loss = { name = "huber", beta = 1 }\n' + DENSE,
                ["huber: 'beta' is called 'delta' here"],
            ),
            (
                NETWORK + 'loss = { name = "huber", delta = 0 }\n' + DENSE,
                ["huber: delta: found 0", "greater than 0"],
            ),
            (
                NETWORK + 'loss = { name = "cross_entropy", label_smoothing = 1.5 }\n' + DENSE,
                ["label_smoothing: found 1.5", "from 0 to 1"],
            ),
            (
                NETWORK + 'loss = { name = "nll", weight = 2 }\n' + DENSE,
                ["weight: found 2", "a number for each class"],
            ),
            (
                NETWORK + 'loss = { name = "nll", weight = [0, 0, 0] }\n' + DENSE,
                ["network: nll: weight: found only zeros", "greater than 0"],
            ),
            (
                NETWORK + 'loss = { name = "nll", weight = [1, -2, 1] }\n' + DENSE,
                ["network: nll: weight: found -2", "0 or more"],
            ),
            (
                NETWORK + 'loss = { name = "nll", weight = [1, nan, 1] }\n' + DENSE,
                ["network: nll: weight: found nan", "finite number"],
            ),
            (
                NETWORK + 'loss = { name = "huber", delta = 1e200 }\n' + DENSE,
                ["network: huber: delta: found 1e+200", "at most 1e+30"],
            ),
            (
                NETWORK + DENSE + 'activation = { name = "soft_shrink", lambd = -1 }\n',
                ["soft_shrink: lambd: found -1", "0 or more"],
            ),
            (
                NETWORK + 'loss = { name = "nll", ignore_index = 1.5 }\n' + DENSE,
                ["ignore_index: found 1.5", "an integer"],
            ),
            (
                NETWORK + 'loss = { name = "hinge", axis = 1 }\n' + DENSE,
                ["'axis' is not known", "hinge has no constants"],
            ),
            (NETWORK + 'reduction = "avg"\n' + DENSE, ["reduction: found 'avg'", "mean, sum"]),
            (NETWORK + "l2 = -1\n" + DENSE, ["l2: found -1", "0 or more"]),
            (NETWORK + "l2 = nan\n" + DENSE, ["l2: found nan", "finite"]),
            (NETWORK + 'name = "a b"\n' + DENSE, ["name: found 'a b'", "letters"]),
            (NETWORK + 'name = "class"\n' + DENSE, ["name", "'class' is reserved"]),
            (NETWORK + "name = 1\n" + DENSE, ["network: name: expected str, found int"]),
            ("spec = 1\n[network]\ninput = []\n" + DENSE, ["input: found 0 axes"]),
            ("spec = 1\n[network]\ninput = 2\n" + DENSE, ["input: expected array, found int"]),
            ("spec = 1\n[network]\ninput = [true]\n" + DENSE, ["input: found true"]),
            ("spec = 1\n[network]\ninput = [0]\n" + DENSE, ["input: found 0", "from 1 to"]),
            ("spec = 1\n[network]\ninput = [2.5]\n" + DENSE, ["input: found 2.5"]),
            ('spec = 1\n[network]\ninput = ["N"]\n' + DENSE, ["'N' is reserved"]),
            (NETWORK + DENSE + "[[input]]\n", ["input 1: name is missing"]),
            (NETWORK + DENSE + "[[block]]\n", ["block 1: name is missing"]),
            (NETWORK + "[[layer]]\nunits = 3\n", ["layer 1: type is missing; found 'units'"]),
            (NETWORK + "[[layer]]\n", ["layer 1: type is missing; found no field"]),
            (NETWORK + "[[layer]]\ntype = 3\n", ["layer 1: type: found 3", "name of a type"]),
            (
                NETWORK + DENSE + '[[layer]]\ntype = "conv4d"\n',
                ["layer 2: type 'conv4d' is not known", "did you mean 'conv3d'?"],
            ),
            (NETWORK + '[[layer]]\ntype = "Linear"\n', ["'Linear' is called 'dense' here"]),
            (
                NETWORK + '[[layer]]\ntype = "LeakyReLU"\n',
                ["'LeakyReLU' is an activation", 'function = "leaky_relu"'],
            ),
            (
                NETWORK + '[[layer]]\ntype = "dense"\nunits = "3"\n',
                ["layer 1 (dense): units: found '3'", "an integer from 1 to"],
            ),
            (NETWORK + '[[layer]]\ntype = "dense"\n', ["layer 1 (dense): units is missing"]),
            (NETWORK + DENSE + "unit = 4\n", ["layer 1 (dense)", "'unit'", "'units'"]),
            (NETWORK + DENSE + "out_features = 4\n", ["'out_features' is called 'units' here"]),
            (NETWORK + DENSE + "bias = 1\n", ["bias: found 1", "true, false"]),
            (NETWORK + DENSE + 'name = "1a"\n', ["name: found '1a'"]),
            (
                NETWORK + DENSE + 'name = "input"\n',
                ["the name 'input' is reserved in from"],
            ),
            (
                NETWORK + 2 * (DENSE + 'name = "a"\n'),
                ["layer 'a': the name 'a' is that of layer 1"],
            ),
            (
                NETWORK + DENSE + 'name = "a"\nactivation = "rleu"\n',
                ["layer 'a'", "'rleu'", "did you mean 'relu'?"],
            ),
            (
                NETWORK + DENSE + 'activation = { name = "relu", negative_slope = 1 }\n',
                ["relu: 'negative_slope' is not known", "relu has no constants"],
            ),
            (
                NETWORK + DENSE + 'activation = { name = "elu", alpha = "1" }\n',
                ["elu: alpha: found '1'", "finite number"],
            ),
            (
                NETWORK + DENSE + 'activation = { name = "f", alpha = 1 }\n',
                ["undetermined f takes no constants"],
            ),
            (
                NETWORK + '[[layer]]\ntype = "activation"\n',
                ["layer 1 (activation): function is missing"],
            ),
            (
                NETWORK + '[[layer]]\ntype = "activation"\nfunction = "relu"\nunits = 2\n',
                ["'units' is not known", "from, function, name, share, type"],
            ),
        ],
    )
    def test_errors_give_place_found_and_allowed(self, text, parts):
        found = message(read, text)
        assert found.startswith("arch.toml: ")
        for part in parts:
            assert part in found, found


class TestWhatDoesNotFit:
    """Mistakes that show only when shapes are known name file and field as well."""

    @pytest.mark.parametrize(
        ("network", "layer", "parts"),
        [
            (
                'loss = { name = "nll", weight = [1, 2] }',
                "",
                ["loss: nll on the output of layer 1 (dense)", "2 numbers; the classes are 3"],
            ),
            ('loss = { name = "nll", axis = 4 }', "", ["loss: nll", "axis is 4; allowed: 1 to 1"]),
            (
                "",
                'activation = { name = "softmax", axis = 2 }',
                ["layer 1 (dense): activation 'softmax': axis is 2"],
            ),
            ('loss = "gaussian_nll"', "", ["loss: gaussian_nll", "extent 2 * units, found 3"]),
            ('loss = "cross_entropy"', "", ["loss: cross_entropy reads probabilities"]),
            (
                "",
                'activation = { name = "prelu", num_parameters = 2 }',
                ["alpha has 2 numbers; allowed: 1, or one for each of the 3 channels"],
            ),
            (
                "",
                'activation = "zero"\n[[define]]\nkind = "activation"\nname = "zero"\n'
                'equations = ["a = 0 * z"]',
                ["layer 1 (dense)", "the output does not depend on the input"],
            ),
            (
                'loss = "zero"',
                '[[define]]\nkind = "loss"\nname = "zero"\nequations = ["L = total(i, 0 * a[i])"]',
                ["loss: ", "does not depend on the output"],
            ),
            ("", 'name = "a"\n[[layer]]\ntype = "activation"\nfunction = "prelu"\nname = "a"', []),
        ],
    )
    def test_file_and_field_are_named(self, tmp_path, network, layer, parts):
        path = tmp_path / "net.toml"
        path.write_text(f"{NETWORK}{network}\n{DENSE}{layer}\n", encoding="utf-8")
        found = message(api.build, path)
        assert found.startswith(f"{path}: ")
        for part in parts:
            assert part in found, found


class TestDefine:
    def test_entries_are_read_and_used(self):
        architecture = read(
            'spec = 1\n[network]\ninput = [3, 4, 5]\nloss = "quartic"\n'
            '[[layer]]\ntype = "excite"\nsqueezed = 2\n'
            'activation = { name = "squareplus", beta = 2.5 }\n' + DEFINED
        )
        squareplus, quartic, excite = architecture.definitions
        assert squareplus == Activation(
            "squareplus", ("a = (z + sqrt(z**2 + beta)) / 2",), constants={"beta": 4.0}
        )
        assert quartic == Loss("quartic", ("L = total(i, (a[i] - y[i])**4)",), within="written")
        assert isinstance(excite, Layer)
        assert excite.inputs == {"x": ("channels", "height", "width")}
        assert excite.parameters["W"] == Parameter(("squeezed", "channels"))
        assert architecture.loss == Use("quartic")
        assert architecture.layers[0].fields == {"squeezed": 2}
        assert architecture.layers[0].activation == Use("squareplus", {"beta": 2.5})

    def test_parameters_of_a_layer(self):
        architecture = read(
            define(
                'equations = ["z[i] = g[i] * x[i] + total(j, W[i, j] * x[j]) + b[i]"]\n'
                "options = { bias = true }\n"
                'parameters.g = { extents = ["features"], initial = 1 }\n'
                'parameters.W = ["features", "features"]\n'
                'parameters.b = { extents = ["features"], option = "bias" }',
                "layer",
            )
        )
        assert architecture.definitions[0].parameters == {
            "g": Parameter(("features",), 1),
            "W": Parameter(("features", "features"), "weight"),
            "b": Parameter(("features",), 0.0, "bias"),
        }

    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            (define("equations = []"), ["define 1 (mine): equations: found 0"]),
            (define(""), ["define 1 (mine): equations is missing"]),
            (define('equations = ["a = z +"]'), ["define 1 (mine)", "'a = z +'", "column"]),
            (define('equations = ["a = zanh(z)"]'), ["'zanh'", "did you mean 'tanh'?"]),
            (define('equations = ["a = mine(z)"]'), ["unknown function 'mine'"]),
            (define('equations = ["a = softmax(z)"]'), ["unknown function 'softmax'"]),
            (define('equations = ["a = z"]', name="relu"), ["define 1", "'relu'", "another"]),
            (define('equations = ["a = z"]', name="exp"), ["define 1", "'exp'", "another"]),
            (define('equations = ["a = z"]', kind="gate"), ["kind: found 'gate'", "layer, loss"]),
            (define('equations = ["a = z"]', name="a b"), ["define 1: name: found 'a b'"]),
            (define('equations = ["a = z"]\nderivative = "1"'), ["'derivative' is not known"]),
            (define('equations = ["a = z"]\nconstants = { z = 1 }'), ["'z' stands for two"]),
            (define('equations = ["a = z"]\nconstants = { exp = 1 }'), ["'exp' is a word"]),
            (define('equations = ["a = z"]\nconstants = { b = "x" }'), ["b: found 'x'", "finite"]),
            (define('equations = ["a = z"]\nconstants = { axis = 1 }'), ["'axis' is reserved"]),
            (
                define('equations = ["a = z"]\nparameters = { w1 = ["n"] }'),
                ["parameter 'w1'", "letters only"],
            ),
            (define('equations = ["L = a"]\nwithin = "each"', "loss"), ["within: found 'each'"]),
            (
                define('equations = ["z = x"]\nsizes = ["name"]', "layer"),
                ["the name 'name' is reserved"],
            ),
            (
                define('equations = ["z = x"]\nsizes = ["features"]', "layer"),
                ["'features' stands for two things"],
            ),
            (
                define('equations = ["z = x"]\ninput = ["n"]\ninputs = { x = ["n"] }', "layer"),
                ["allowed: one of them"],
            ),
            (
                define('equations = ["z = x"]\noutput = ["n +"]', "layer"),
                ["define 1 (mine)", "'n +'"],
            ),
        ],
    )
    def test_errors_give_place_found_and_allowed(self, text, parts):
        found = message(read, text)
        for part in parts:
            assert part in found, found

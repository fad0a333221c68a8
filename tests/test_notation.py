"""Architecture descriptions: what is read, and one clear error for everything else."""

import os
import time
from pathlib import Path

import pytest
from descriptions import DEFINED, DENSE, NETWORK, define, message, outcome, read
from hypothesis import example, given, settings
from hypothesis import strategies as st

from symbackprop.architecture import Architecture, Use
from symbackprop.catalog import CATALOG
from symbackprop.notation import load
from symbackprop.notation.compact import MOST_LAYERS, read_compact
from symbackprop.notation.uses import MOST_BYTES


class TestCompact:
    def test_sizes_repeats_and_activations(self):
        architecture = read_compact("784-128x2:relu-10:softmax")
        assert architecture.input == (784,)
        assert [layer.fields["units"] for layer in architecture.layers] == [128, 128, 10]
        assert [layer.activation.name for layer in architecture.layers] == [
            "relu",
            "relu",
            "softmax",
        ]
        assert [layer.place for layer in architecture.layers] == [
            "layer 1 (dense)",
            "layer 2 (dense)",
            "layer 3 (dense)",
        ]
        assert architecture.text == "784-128x2:relu-10:softmax"

    def test_names_and_undetermined_functions(self):
        architecture = read_compact("n_0-n_1:f_1-2:g-m")
        assert architecture.input == ("n_0",)
        assert [layer.fields["units"] for layer in architecture.layers] == ["n_1", 2, "m"]
        assert [layer.activation for layer in architecture.layers] == [
            Use("f_1", undetermined=True),
            Use("g", undetermined=True),
            None,
        ]

    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("", ["column 1", "nothing"]),
            ("2", ["no layer"]),
            ("2-", ["column 3", "nothing"]),
            ("2-4:rleu", ["column 5", "'rleu'", "did you mean 'relu'?", "softmax"]),
            ("2-4:", ["column 5", "''", "relu"]),
            ("2-4:ReLU", ["column 5", "'ReLU' is called 'relu' here"]),
            ("2-4:relu:relu", ["column 5", "'relu:relu'"]),
            ("2-4:f_", ["column 5", "'f_'"]),
            ("2--3", ["column 3", "nothing"]),
            ("2-0", ["column 3", "found 0", "from 1 to"]),
            ("2-4.5:relu", ["column 3", "'4.5'", "positive integer"]),
            ("2-4 -1", ["column 3", "'4 '"]),
            ("2-9999999999:relu", ["column 3", "9999999999", "1000000000"]),
            ("2-" + "9" * 5000, ["column 3"]),
            ("2-" + "9" * 500, ["column 3", "more than 30 digits"]),
            ("2-4x0", ["column 3", "x0", "x1"]),
            ("2-4x", ["column 3", "'4x'"]),
            ("2-4x10000-1", ["column 11", str(MOST_LAYERS)]),
            ("2-4x" + "9" * 3000, ["column 3", str(MOST_LAYERS)]),
            ("2-nx3:relu", ["column 3", "takes no repeat"]),
            ("2-N:relu", ["column 3", "'N' is reserved"]),
            ("2-lambda:relu", ["column 3", "'lambda' is reserved"]),
            ("2:relu-4", ["column 1", "'2:relu'", "a size alone"]),
            ("2x3-4", ["column 1", "a size alone"]),
            ("٣-4", ["column 1", "'٣'"]),
            ("2-é:relu", ["column 3", "ASCII"]),
            ("1-" * (MOST_BYTES // 2) + "1", ["characters", str(MOST_BYTES)]),
        ],
        ids=lambda value: value[:20] if isinstance(value, str) else "",
    )
    def test_errors_give_column_found_and_allowed(self, text, parts):
        found = message(read_compact, text)
        assert len(found) < 1000
        for part in parts:
            assert part in found

    def test_largest_network_is_read_in_time(self):
        start = time.perf_counter()
        assert len(read_compact(f"2-4x{MOST_LAYERS}:relu").layers) == MOST_LAYERS
        assert time.perf_counter() - start < 2

    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(st.text(alphabet="0123456789-x:.nf_ relu", max_size=40) | st.text(max_size=20))
    def test_only_our_error_escapes(self, text):
        assert isinstance(outcome(read_compact, text), Architecture | str)

    @settings(derandomize=True, deadline=None, max_examples=50)
    @given(
        st.integers(1, 10**9),
        st.lists(
            st.tuples(
                st.integers(1, 10**9),
                st.integers(1, 5),
                st.none() | st.sampled_from(sorted(CATALOG.activations)),
            ),
            min_size=1,
            max_size=6,
        ),
    )
    def test_what_is_written_is_read(self, size, layers):
        text = str(size) + "".join(
            f"-{units}x{repeat}" + (f":{name}" if name else "") for units, repeat, name in layers
        )
        expected = [(units, name) for units, repeat, name in layers for _ in range(repeat)]
        architecture = read_compact(text)
        assert architecture.input == (size,)
        assert [
            (layer.fields["units"], layer.activation and layer.activation.name)
            for layer in architecture.layers
        ] == expected


class TestFiles:
    def test_missing(self):
        assert "No such file" in message(load, "nowhere.toml")
        assert "No such file" in message(load, Path("nowhere"))
        assert "No such file" in message(load, f"no{os.sep}where")

    def test_directory_and_special_file(self, tmp_path):
        assert "not a regular file" in message(load, tmp_path)
        os.mkfifo(tmp_path / "pipe.toml")
        assert "not a regular file" in message(load, tmp_path / "pipe.toml")

    def test_not_utf8_and_byte_order_mark(self, tmp_path):
        path = tmp_path / "arch.toml"
        path.write_bytes(b"spec = 1 # \xff")
        assert "byte 11 is not UTF-8" in message(load, path)
        path.write_bytes(b"\xef\xbb\xbf" + (NETWORK + DENSE).replace("\n", "\r\n").encode())
        assert load(path).input == (2,)

    def test_too_large(self, tmp_path):
        path = tmp_path / "arch.toml"
        path.write_text(NETWORK + DENSE + "#" * MOST_BYTES)
        assert str(MOST_BYTES) in message(load, path)
        assert str(MOST_BYTES) in message(read, "#" + "é" * (MOST_BYTES // 2))

    def test_unreadable(self, tmp_path, monkeypatch):
        path = tmp_path / "arch.toml"
        path.write_text(NETWORK + DENSE)

        def refuse(*_):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
        assert "Permission denied" in message(load, path)

    def test_odd_names(self):
        assert "cannot be read" in message(load, "a\0b.toml")
        assert "cannot be read" in message(load, "a" * 5000 + ".toml")
        assert "column 1" in message(load, "\0")
        assert "column 3" in message(load, "2-" + "n" * 5000)

    @pytest.mark.parametrize(
        "text",
        [
            "a=" + "[" * 60_000,
            "a=" + "{a=" * 20_000,
            "a=" + "[" * 900 + "]" * 900,
            ".".join("a" * 32_000) + "=1",
            "[" + ".".join(['"b"'] * 16_000) + "]",
            " . ".join(["'='"] * 10_000) + "=1",
            "a" * 65_000,
            '"' * 65_000,
            "a = " + "9" * 60_000,
            "spec = 0x" + "f" * 60_000,
            "spec = 1e999999999",
            "[a]\n" * 16_000,
            "[[layer]]\n" * 6_500,
            NETWORK + "[[layer]]\ntype='dense'\nunits=1\n" * 1_800,
            NETWORK + DENSE + "[[define]]\nkind='loss'\nname='a'\nequations=['L=0']\n" * 1_000,
            NETWORK + "l1 = 0x" + "f" * 60_000 + "\n" + DENSE,
            NETWORK + "loss = " + "[" * 400 + "]" * 400 + "\n" + DENSE,
            NETWORK + "loss." + "a." * 25 + "a = 1\n" + DENSE,
            NETWORK + "name = '''" + "\n" * 50_000 + "'''\n" + DENSE,
            NETWORK + DENSE + "\n".join(f"k{i} = {i}" for i in range(5_000)),
            define("equations = ['a = " + "(" * 30_000 + "']"),
            define("equations = ['a = " + "-" * 4_000 + "z']"),
        ],
        ids=lambda text: text[:12].replace("\n", " "),
    )
    def test_large_and_deep_files_are_refused_in_time(self, text):
        start = time.perf_counter()
        found = outcome(read, text)
        assert isinstance(found, Architecture) or len(found) < 2000
        assert time.perf_counter() - start < 2

    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(st.text(max_size=60))
    @example("spec = 1979-05-27")
    def test_only_our_error_escapes_any_text(self, text):
        assert outcome(read, text).startswith("arch.toml: ")

    @settings(derandomize=True, deadline=None, max_examples=400)
    @given(st.data())
    def test_only_our_error_escapes_a_mangled_file(self, data):
        """Values and keys of a good file are replaced by any others."""
        good = 'spec = 1\n[network]\ninput = [3]\nloss = "quartic"\n' + DENSE + DEFINED
        lines = good.split("\n")
        values = (
            "1",
            "-1",
            "nan",
            "0.5",
            "true",
            '""',
            '"x"',
            '"L"',
            "[]",
            "{}",
            "[[1]]",
            "{ a = 1 }",
        )
        extra = ("1979-05-27", "[{ name = 1 }]", '["a = z"]', '{ name = "f" }', "1e400", '["é"]')
        keys = ("name", "type", "kind", "inputs", "parameters", "constants", "activation", "x")
        for _ in range(data.draw(st.integers(1, 3))):
            place = data.draw(st.integers(0, len(lines) - 1))
            key, equals, _ = lines[place].partition(" = ")
            if data.draw(st.booleans()):
                key = data.draw(st.sampled_from(keys))
            if equals or data.draw(st.booleans()):
                lines[place] = f"{key} = {data.draw(st.sampled_from(values + extra))}"
        found = outcome(read, "\n".join(lines))
        assert isinstance(found, Architecture) or found.startswith("arch.toml: ")

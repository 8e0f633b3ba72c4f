"""C source that is generated: tables, structures, numbers and strings."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

KINDS: dict[str, type] = {
    "int8_t": np.int8,
    "int16_t": np.int16,
    "uint16_t": np.uint16,
    "int32_t": np.int32,
    "float": np.float32,
}
WIDTH = 104


class Source:
    """Definitions of constants, each of which is there once however often it is asked for.

    Example:
        >>> source = Source()
        >>> source.table("int8_t", [1, 2]), source.table("int8_t", [1, 2]), source.table("int32_t", [1, 2])
        ('table_0', 'table_0', 'table_1')
        >>> print(source.text)
        static const int8_t table_0[2] = {
            1, 2,
        };
        static const int32_t table_1[2] = {
            1, 2,
        };
    """

    def __init__(self):
        self._names: dict[str, str] = {}

    def table(self, kind: str, values: npt.ArrayLike) -> str:
        """Define an array.

        Args:
            kind: C's name of the type.
            values: any shape; they are written as that type.

        Returns:
            Its name.
        """
        return self._named("table", f"static const {kind} %s{array(kind, values)}")

    def structure(self, kind: str, fields: Mapping[str, object]) -> str:
        """Define a structure.

        Args:
            kind: C's name of the type.
            fields: numbers, names, or lists of numbers.

        Returns:
            What points to it.
        """
        words = [f".{name} = {_value(value)}" for name, value in fields.items()]
        return "&" + self._named(kind.removeprefix("tfspec_"), f"static const {kind} %s = {_braced(words)};")

    def _named(self, stem: str, text: str) -> str:
        return self._names.setdefault(text, f"{stem}_{len(self._names)}")

    @property
    def text(self) -> str:
        """All definitions, in the order in which they were asked for."""
        return "\n".join(text.replace("%s", name, 1) for text, name in self._names.items())


def array(kind: str, values: npt.ArrayLike) -> str:
    """Write what follows an array's name in its definition.

    Args:
        kind: C's name of the type.
        values: any shape; they are written as that type.

    Example:
        >>> print(array("float", [0.1, 3]))
        [2] = {
            0.1f, 3.0f,
        };
    """
    flat: np.ndarray = np.ravel(values).astype(KINDS[kind])
    words = [number(value) if kind == "float" else str(value) for value in flat]
    return f"[{len(words)}] = {_braced(words)};"


def number(value: float) -> str:
    """Write a float32 in the fewest digits that mean it.

    Args:
        value: a finite number.

    Example:
        >>> number(0.1), number(1e-10), number(2)
        ('0.1f', '1e-10f', '2.0f')
    """
    return f"{np.float32(value)!s}f"


def string(text: str) -> str:
    r"""Write untrusted text as a C string, all but plain characters as the octal numbers of their UTF-8.

    Args:
        text: such as a label.

    Example:
        >>> print(string('a"?é'))
        "a\042\077\303\251"
    """
    plain = set(range(ord(" "), ord("~") + 1)) - set(b'"\\?')  # a ? may begin a trigraph
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode()) + '"'


def _braced(words: list[str]) -> str:
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > WIDTH:
            lines.append("")
        lines[-1] += f" {word},"
    return "\n".join(["{", *(f"   {line}" for line in lines), "}"])


def _value(value: object) -> str:
    return f"{{{', '.join(map(str, value))}}}" if isinstance(value, (list, tuple)) else str(value)

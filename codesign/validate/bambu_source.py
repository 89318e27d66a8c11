"""The emitted C++ of one process as Bambu takes it, and a test bench of recorded words.

Source and numbers are those of the project; only pragmas differ, and the type of stream words.
Bambu unrolls what a pragma before the loop names, with a literal factor, and takes `PIPELINE` for
an error; what it would ignore is left out.
Source: PandA 2024.10, `etc/clang_plugin/plugin_ASTAnalyzer.cpp`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FUNCTION = re.compile(r"^void (\w+)\((.*)\) \{$", re.MULTILINE)
_PORT = re.compile(r"hls::stream<(Word<U?Int<\d+>, (\d+)>) >& (\w+)")
_UNROLLED = re.compile(
    r"^(?P<indent> *)for \(int \w+ = 0; \w+ < (?P<count>\d+); \+\+\w+\) \{\n#pragma HLS UNROLL\n",
    re.MULTILINE,
)
_PRAGMA = re.compile(r"^#pragma HLS (?!unroll factor=).*\n", re.MULTILINE)
_LOADED = "static bool loaded"
"""Stands in a process that takes its weights once: a later image cannot be fed to it alone."""
_CALL = re.compile(r"^    (\w+)\((.*)\);$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Port:
    """A stream argument of a process."""

    name: str
    word: str
    """Its C++ type."""
    lanes: int
    fifo: str
    """The stream that the accelerator joins to it."""


@dataclass(frozen=True, slots=True)
class Source:
    """One process of a project."""

    name: str
    text: str
    ports: tuple[Port, ...]

    def written_by(self, port: Port) -> bool:
        """Return whether the process writes to a port."""
        return f"{port.name}.write(" in self.text


def sources(project: Path) -> tuple[list[Source], list[str]]:
    """Return the processes of a project, and the names of those that cannot be taken alone.

    These are the ones that speak AXI4-Stream, or that load their weights.
    """
    found, others = [], []
    accelerator = (project / "src" / "accelerator.cpp").read_text()
    for name, arguments in _CALL.findall(accelerator):
        text = (project / "src" / f"{name}.cpp").read_text()
        declared = _FUNCTION.search(text)
        types = _PORT.findall(declared.group(2)) if declared else []
        fifos = arguments.split(", ")
        if len(types) < len(fifos) or _LOADED in text:
            others.append(name)
            continue
        ports = tuple(
            Port(port, word, int(lanes), fifo)
            for (word, lanes, port), fifo in zip(types, fifos, strict=True)
        )
        found.append(Source(name, text, ports))
    return found, others


def synthesisable(source: Source, words: dict[str, int]) -> str:
    """Return a process with the pragmas that Bambu takes.

    Args:
        source: the emitted process.
        words: how many words each port carries in the test bench, by the port's name.
    """

    def before(match: re.Match[str]) -> str:
        indent, count = match["indent"], int(match["count"])
        head = match[0].split("\n")[0].strip()
        unroll = f"#pragma HLS unroll factor={count}\n" if count > 1 else ""
        return f"{unroll}{indent}{head}\n"

    text = _PRAGMA.sub("", _UNROLLED.sub(before, source.text))
    text = re.sub(r"> >& ", "> ::Packed>& ", text).replace("> ::Packed", ">::Packed")
    interfaces = "".join(
        f"#pragma HLS interface mode=fifo port={port.name} depth={words[port.name]}\n"
        for port in source.ports
    )
    return _FUNCTION.sub(lambda match: interfaces + match[0], text, count=1)


def header(source: Source) -> str:
    """Return the `processes.hpp` of one process alone."""
    return f'#pragma once\n#include "types.hpp"\n\n{_declaration(source)};\n'


def bench(source: Source, words: dict[str, list[str]]) -> str:
    """Return a test bench: `main` returns how many elements differ from the recorded ones.

    Args:
        source: the process.
        words: the lines of each port's record, by the port's name.
    """
    parts = ['#include "processes.hpp"\n#include <stdio.h>\n']
    for port in source.ports:
        rows = ",\n".join("{" + ", ".join(line.split()) + "}" for line in words[port.name])
        size = f"[{len(words[port.name])}][{port.lanes}]"
        parts.append(f"static const long long {port.name}_words{size} = {{\n{rows}\n}};\n")
    parts.append("int main() {\n    int wrong = 0;\n")
    parts += [f"    hls::stream<{port.word}::Packed> {port.name};\n" for port in source.ports]
    for port in source.ports:
        if not source.written_by(port):
            parts.append(_each(port, len(words[port.name]), _FEED))
    parts.append(f"    {source.name}({', '.join(port.name for port in source.ports)});\n")
    for port in source.ports:
        if source.written_by(port):
            parts.append(_each(port, len(words[port.name]), _COMPARE))
    parts.append('    printf("%d wrong\\n", wrong);\n    return wrong ? 1 : 0;\n}\n')
    return "".join(parts)


_FEED = """\
        {word} word;
        for (int i = 0; i < {lanes}; ++i) word.lane[i] = {name}_words[n][i];
        {name}.write(word);
"""
_COMPARE = """\
        const {word} word = {name}.read();
        for (int i = 0; i < {lanes}; ++i) wrong += word.lane[i] != {name}_words[n][i];
"""


def _each(port: Port, count: int, body: str) -> str:
    filled = body.format(word=port.word, lanes=port.lanes, name=port.name)
    return f"    for (int n = 0; n < {count}; ++n) {{\n{filled}    }}\n"


def _declaration(source: Source) -> str:
    ports = ", ".join(f"hls::stream<{port.word}::Packed>& {port.name}" for port in source.ports)
    return f"void {source.name}({ports})"

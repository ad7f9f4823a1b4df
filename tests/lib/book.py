# SPDX-License-Identifier: MIT
"""The book (README.md, docs/*.md, docs/journey/*.md) taken apart: what its pages claim, in a form that tests can check.

    `kernel/wait.c:prepare_to_wait`     a file and a name in it; `kernel/wait.c` alone: a file
    [text](page.md#heading)             a link
    <!-- from FILE: WHAT -->            above a ```c, ```asm or ```python block: it is FILE's text, white space apart;
                                        a line /* ... */ stands for something left out
    ```console                          what a terminal shows: `$ command`, `pollux> command` at the kernel's
                                        prompt, `/root # command` at the shell, and the answers; a line ...
                                        stands for something left out. In docs/journey/ also `host$ command`, typed
                                        at a second terminal, in bash
"""

import dataclasses
import pathlib
import re
import shlex

from guest import OUT, PROMPT, ROOT

DOCS = ROOT / "docs"
# One story, in this order: its README, then step by step.
JOURNEY = [DOCS / "journey/README.md",
           *sorted((DOCS / "journey").glob("[0-9]*.md"), key=lambda page: int(page.name.partition("-")[0]))]
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *JOURNEY]
# Of `make run`, as qemu.Machine names them.
SETTINGS = {"SMP": "smp", "MEM": "mem", "APPEND": "append", "CPU": "cpu", "INITRD": "initrd"}
SHELL_PROMPT = "/root # "
HOST_PROMPT = "host$ "
# Who speaks in a block that does not say how the guest was started: with INITRD= it is the kernel's prompt.
STARTED_BY = {PROMPT: "make run INITRD=", SHELL_PROMPT: "make run"}
LEFT_OUT_C = re.compile(r"/\* \.\.\. \*/")
SOURCE = re.compile(r"(?:\.?[\w-]+/)*[\w-]*\.(?:c|h|S|py|ld|md|cfg|awk|mk)|Makefile")


@dataclasses.dataclass
class Block:
    page: pathlib.Path
    line: int
    language: str
    label: str  # the comment right above it
    lines: list

    def __str__(self):
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page, language=None):
    """The fenced blocks of a page, in order."""
    found, block, label = [], None, ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if not line.startswith("```"):
            if block:
                block.lines.append(line)
            elif line.strip():
                comment = re.fullmatch(r"<!-- (.*) -->", line)
                label = comment.group(1) if comment else ""
        elif block:
            found.append(block)
            block, label = None, ""
        else:
            block = Block(page, number, line[3:].strip(), label, [])
    assert not block, f"{page.name}: a ``` block that does not end"
    return [block for block in found if language in (None, block.language)]


def all_blocks(language):
    return [block for page in PAGES for block in blocks(page, language)]


def prose(page):
    """The page without its blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def code_words(page):
    return re.findall(r"`([^`\n]+)`", prose(page))


def is_path(word):
    """A source by its ending, or anything below one of our folders but what is built."""
    top, slash, _ = word.partition("/")
    return bool(SOURCE.fullmatch(word)) or bool(slash and top not in ("", "build") and (ROOT / top).is_dir())


def references(page):
    """(path, name or None) for each piece of `code` in the prose that is a path, or a path and a name."""
    found = set()
    for word in code_words(page):
        path, _, name = word.partition(":")
        if is_path(path) and re.fullmatch(r"\w*", name):
            found.add((path, name or None))
    return sorted(found, key=str)


def links(page):
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)) if "://" not in target]


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.*)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def shell_commands(page):
    """Each command after a `$ ` in a console block, and each `make ...` in the prose."""
    shown = [line[2:] for block in blocks(page, "console") for line in block.lines if line.startswith("$ ")]
    return shown + [word for word in code_words(page) if word.split()[0] == "make"]


def squeeze(text):
    return " ".join(text.split())


def kernel_sources():
    """(path from the root, text) of the kernel's C files."""
    for top in ("kernel", "drivers", "fs", "net"):
        for source in sorted((ROOT / top).glob("**/*.[ch]")):
            yield str(source.relative_to(ROOT)), source.read_text(encoding="utf-8")


def boot_options():
    """Every option that the kernel's sources declare."""
    return {name for _, text in kernel_sources() for name in re.findall(r'BOOT_OPTION\(\s*\w+,\s*"([^"]+)"', text)}


LOCKS = re.compile(r"^(?:static )?DEFINE_(?:SPINLOCK|MUTEX)\((\w+)\);|^static spinlock_t (\w+);"
                   r"|\b(?:spin_lock|mutex)_init\(&([^;]+)\);", re.M)


def locks():
    """file:name of each place where a lock, or a class of locks, is made; tests and benchmarks aside."""
    found = set()
    for path, text in kernel_sources():
        if not re.search("/(selftest|bench)", path):
            found |= {f"{path}:{''.join(match).replace('(', '').replace(')', '')}" for match in LOCKS.findall(text)}
    return found


# ---- transcripts -----------------------------------------------------------------------------------


@dataclasses.dataclass
class Transcript:
    """A console block that shows a guest: how it is started, and what is typed and answered."""

    block: Block
    build: str
    machine: tuple  # of (name, value), for qemu.Machine
    prompt: str  # what it is typed at

    def __str__(self):
        return str(self.block)

    def typed(self):
        """The commands, as they are typed. One that is empty only shows the prompt."""
        words = [line[len(self.prompt):].strip() for line in self.block.lines if line.startswith(self.prompt)]
        return [word for word in words if word]

    def end(self):
        """What the guest prints last: a prompt, or the last line that is shown."""
        if any(line.startswith(self.prompt.strip()) for line in self.block.lines):
            return re.escape(self.prompt)
        line = re.escape(self.parts()[-1][-1])
        return line.replace("N", "[0-9a-fx]+").replace(r"\ ", r"\s+")

    def parts(self):
        return parts_of(line for line in self.block.lines if not line.startswith("$ ") and line.strip() != self.prompt.strip())


def parts_of(lines):
    """The lines to be found, in pieces that were next to each other."""
    pieces = [[]]
    for line in lines:
        if line.strip() == "...":
            pieces.append([])
        else:
            pieces[-1].append(shape(line))
    return [piece for piece in pieces if piece]


MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"


def shape(line):
    """A line with what differs from run to run taken out: numbers, their width, dates, the time in front, and
    what only moves the cursor."""
    line = re.sub(r"\x1b\[[\d;]*[A-Za-z]", "", line.rstrip())
    line = re.sub(r"^\[ *\d+\.\d+\] ", "", line)
    line = re.sub(rf"\b({MONTHS})\b", "MONTH", line)
    line = re.sub(r"\b(0x)?[0-9a-f]{8,}\b|\b0x[0-9a-f]+\b|\d+", "N", line)
    return squeeze(line)


def speaker(block):
    """The prompt that a block shows; without any, that of the shell."""
    shown = [prompt for prompt in STARTED_BY for line in block.lines if line.startswith(prompt.strip())]
    return shown[0] if shown else SHELL_PROMPT


def transcripts():
    """The console blocks in which a guest speaks: they begin with `$ make run`, or are all prompt. The journey's pages
    share a guest: see story()."""
    found = []
    for block in all_blocks("console"):
        if block.page in JOURNEY:
            continue
        prompt, first = speaker(block), block.lines[0]
        command = shlex.split(STARTED_BY[prompt] if first.startswith(prompt) else first.removeprefix("$ "))
        if command[:2] != ["make", "run"]:
            continue
        given = {"INITRD": str(OUT / "initramfs.cpio"), **dict(word.split("=", 1) for word in command[2:])}
        build = "debug" if given.pop("DEBUG", "") else "release"
        machine = tuple((SETTINGS[name], value) for name, value in given.items())
        found.append(Transcript(block, build, machine, prompt))
    return found


def missing_part(parts, output):
    """The first piece that is not in the output behind the one before it; None if all are there."""
    at = 0
    for piece in parts:
        while output[at:at + len(piece)] != piece:
            at += 1
            if at + len(piece) > len(output):
                return piece
        at += len(piece)
    return None


def story():
    """What is typed in the journey's pages, from the first to the last: (block, prompt, command, lines that answer)."""
    told = []
    for block in (block for page in JOURNEY for block in blocks(page, "console")):
        for line in block.lines:
            prompt = next((prompt for prompt in (SHELL_PROMPT, HOST_PROMPT) if line.startswith(prompt)), None)
            if prompt:
                told.append((block, prompt, line.removeprefix(prompt), []))
            elif told and told[-1][0] is block:
                told[-1][3].append(line)
    return told

# SPDX-License-Identifier: MIT
"""What a page of the book claims is true: names exist, links lead somewhere, excerpts are the source,
options are complete, and a guest that is typed at answers as the book says."""

import re
import shlex

import book
import pytest
import qemu
from guest import ROOT, TIMEOUT

MAX_LINES = 200
CHAPTERS = book.PAGES[1:]

each_page = pytest.mark.parametrize("page", book.PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@each_page
def test_references(page):
    wrong = []
    for path, name in book.references(page):
        file = ROOT / path
        if not file.exists():
            wrong.append(f"{path} does not exist")
        elif name and not re.search(rf"\b{name}\b", file.read_text(encoding="utf-8")):
            wrong.append(f"{path} has no {name}")
    assert not wrong


@each_page
def test_tests_that_are_named(page):
    """`program::test` is a test of tests/sys."""
    for program, name in re.findall(r"`(\w+)::(\w+)`", page.read_text(encoding="utf-8")):
        assert f"TEST({name})" in (ROOT / f"tests/sys/{program}.c").read_text(encoding="utf-8"), f"{program}::{name}"


@each_page
def test_links(page):
    wrong = []
    for target in book.links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            wrong.append(f"{target}: no such file")
        elif anchor and anchor not in book.anchors(file):
            wrong.append(f"{target}: no such heading")
    assert not wrong


@each_page
def test_page_is_short(page):
    if page.name == "syscalls.md":
        return  # a table, with a row for each call
    assert len(page.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_index_lists_every_chapter():
    index = book.DOCS / "README.md"
    assert {str(page.relative_to(book.DOCS)) for page in CHAPTERS if page != index} <= set(book.links(index))


@each_page
def test_commands(page):
    """`make` has the goals and settings that the book names, and the kernel the options given to it."""
    makefiles = "".join(file.read_text() for file in (ROOT / "Makefile", ROOT / "tests/unit/unit.mk"))
    goals = set(re.findall(r"^([a-z-]+):", makefiles, re.M))
    settings = set(re.findall(r"\b([A-Z_]+)=", re.search(r"^## Settings.*", makefiles, re.M | re.S).group()))
    text, wrong = page.read_text(encoding="utf-8"), []
    for command in book.shell_commands(page):
        words = shlex.split(command)
        if words[0] != "make":
            continue
        for word in words[1:]:
            name, equals, value = word.partition("=")
            if name not in (settings if equals else goals):
                wrong.append(f"{command}: make has no {name}")
            if name == "APPEND":
                options = {option.partition("=")[0] for option in value.split()}
                options = {option for option in options if f"unknown option '{option}'" not in text}
                wrong += [f"{command}: no option {option}" for option in options - book.boot_options()]
    assert not wrong


@each_page
def test_gdb_commands(page):
    sources = "".join(file.read_text() for file in sorted((ROOT / "tools/gdb").glob("*.py")))
    known = re.findall(r"^def (px_\w+)", sources, re.M)
    named = re.findall(r"\b(px-\w+)", page.read_text(encoding="utf-8"))
    assert {name.replace("-", "_") for name in named} <= set(known)


def test_every_option_is_described():
    page = ROOT / "docs" / "cmdline.md"
    described = re.findall(r"^\| `([\w.-]+)[=`]", book.prose(page), re.M)
    assert sorted(described) == sorted(book.boot_options())


def test_every_lock_has_its_place():
    """docs/locking.md has one row for each lock that the sources make, by the name that lockdep knows it by."""
    rows = re.findall(r"^\| `([^`]+)` \|", book.prose(ROOT / "docs" / "locking.md"), re.M)
    listed, made = {row for row in rows if ":" in row}, book.locks()
    assert sorted(made - listed) == [], "docs/locking.md does not list them"
    assert sorted(listed - made) == [], "docs/locking.md lists them, and they are gone"


@pytest.mark.parametrize("block", book.all_blocks("c") + book.all_blocks("asm") + book.all_blocks("python"), ids=str)
def test_excerpts(block):
    match = re.fullmatch(r"from ([\w./]+): (.+)", block.label)
    assert match, "an excerpt needs a line <!-- from FILE: WHAT --> above it"
    source = book.squeeze((ROOT / match.group(1)).read_text(encoding="utf-8"))
    assert match.group(2) in source
    at = 0
    for piece in book.LEFT_OUT_C.split("\n".join(block.lines)):
        at = source.find(book.squeeze(piece), at)
        assert at >= 0, f"not (or not here) in {match.group(1)}:\n{piece}"


# As `make run` has it.
NETWORK = ("-netdev", "user,id=net0", "-device", "e1000,netdev=net0,romfile=")


@pytest.mark.parametrize("transcript", book.transcripts(), ids=str)
def test_transcripts(boot, transcript):
    machine = dict(transcript.machine)
    machine["append"] = qemu.with_address(machine.get("append", ""), "user")
    guest = boot(build=transcript.build, debug_exit=False, extra=NETWORK, **machine)
    for command in transcript.typed():
        guest.expect(re.escape(transcript.prompt), timeout=TIMEOUT)
        guest.settle()  # what the last command has started, too, is where it stays
        guest.send(command + "\r")
    guest.expect(transcript.end(), timeout=TIMEOUT)
    output = [book.shape(line) for line in guest.log().splitlines()]
    missing = book.missing_part(transcript.parts(), output)
    assert missing is None, "the guest does not say:\n" + "\n".join(missing or [])

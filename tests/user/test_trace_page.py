# SPDX-License-Identifier: MIT
"""`make trace`: what it records is the journey, and the page shows it, step by step, in a browser."""

import html
import json
import pathlib
import re
import shutil
import subprocess

import pytest
from guest import KERNELS, OUT, ROOT, TIMEOUT

ALL = list(range(2, 15))
# Steps through the recording and tells what the page shows of it; then back again.
WALK = """
const shown = () => [document.getElementById("event").textContent, document.querySelector(".here")?.dataset.step ?? "",
    document.querySelectorAll(".skb").length, document.querySelectorAll(".ready .listed").length,
    document.querySelectorAll("#source i").length, document.querySelector("#tasks").textContent];
const there = [], back = [];
show(0);
for (let i = 0; i < events.length; i++, document.getElementById("next").click())
    there.push(shown());
for (let i = 0; i < events.length; i++, document.getElementById("back").click())
    back.unshift(shown());
show(0);
const walked = [];
for (let i = 0; i < 13; i++) {
    next_step();
    walked.push(Number(document.querySelector(".here").dataset.step));
}
const result = { there, same: JSON.stringify(there) === JSON.stringify(back), walked,
    wide: document.documentElement.scrollWidth - innerWidth };
document.body.innerHTML = "<pre id=result></pre>";
document.getElementById("result").textContent = JSON.stringify(result);
"""


def make_page(build, path):
    subprocess.run([ROOT / "tools" / "trace", KERNELS[build], OUT / "initramfs.cpio", path], check=True, timeout=TIMEOUT)
    text = path.read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S).group(1))
    return text, data


@pytest.mark.parametrize("build", ["release", "debug"])
def test_recording(build, tmp_path):
    text, data = make_page(build, tmp_path / "trace.html")
    assert sorted(sorted(journey.values()) for journey in data["journeys"]) == sorted([
        [step for step in ALL if step not in (10, 13)], ALL])  # the datagram to recvfrom, the segment to epoll_wait
    for journey in data["journeys"]:
        assert [step for _, step in sorted((int(index), step) for index, step in journey.items())] == sorted(journey.values())
    assert all(step["source"] and (tmp_path / step["chapter"]).resolve().is_file() for step in data["steps"])
    assert not re.search(r'(src|href)="?\w+:', text), "the page loads something"


def browser():
    path = shutil.which("chromium")
    if not path:
        pytest.skip("there is no chromium")
    return [path, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=400,900"]


def test_page(tmp_path):
    page = tmp_path / "trace.html"
    text, data = make_page("release", page)
    page.write_text(text.replace("</html>", f"<script>{WALK}</script></html>"), encoding="utf-8")
    dom = subprocess.run([*browser(), f"--user-data-dir={tmp_path}/profile", "--dump-dom", page.as_uri()],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=TIMEOUT, check=True).stdout
    result = json.loads(html.unescape(re.search(r'<pre id="result">(.*?)</pre>', dom, re.S).group(1)))
    there = result["there"]
    assert [name for name, *_ in there] == [event["name"] for event in data["events"]]
    assert result["same"], "a step back shows something else than the way there"
    assert result["walked"] == ALL
    assert result["wide"] <= 0, "wider than a telephone"
    journey, = [journey for journey in data["journeys"] if 10 in journey.values()]
    at = {step: int(index) for index, step in journey.items()}
    queued, listed, lines, tasks = ([row[column] for row in there] for column in (2, 3, 4, 5))
    assert [int(there[at[step]][1]) for step in ALL] == ALL
    assert all(lines[at[step]] > 3 for step in ALL)
    # The segment is in the queue from step 8 until the program has read it; the epitem on rdllist from step 10.
    assert (queued[at[7]], queued[at[8]], queued[at[14] - 1], queued[at[14]]) == (0, 1, 1, 0)
    assert (listed[at[10] - 1], listed[at[10]]) == (0, 1)
    for step, state in ((10, r"sleeps in epoll_p?wait, on the wait queue of the eventpoll"), (11, "on the run queue"), (12, "runs")):
        assert re.search(r"echo_epoll \d+:\s+" + state, tasks[at[step]])

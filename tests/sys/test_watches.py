# SPDX-License-Identifier: MIT
"""What a user may watch by epoll has a limit: it counts all eventpolls of one user, and is given back by DEL and close."""

import sys_programs

EXPECTED = """\
ADD = 0
ADD = 0
ADD = 0
ADD = -1 ENOSPC
ctl(epfd, EPOLL_CTL_MOD, fds[0], EPOLLOUT, 0) = 0
ctl(epfd, EPOLL_CTL_DEL, fds[0], 0, 0) = 0
add(epfd, fds[3]) = 0
add(epfd, fds[0]) = -1 ENOSPC
add(epfd, fds[0]) = 0
add(epfd, fds[1]) = -1 ENOSPC
add(epfd, fds[1]) = 0
nobody: exit 0
add(make_epoll(), make_event(0)) = 0
"""


def test_max_user_watches(boot):
    output = sys_programs.on_pollux(boot, "watches", build="debug", smp=4)
    assert sys_programs.outputs(output) == [("watches", EXPECTED)]
    assert not sys_programs.leaks(output, "watches")

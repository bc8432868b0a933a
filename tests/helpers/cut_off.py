#!/usr/bin/env python3
"""Runs a command in a network of its own where something fails that a server on loopback cannot bring about.

	unshare -mn python3 cut_off.py HOW COMMAND...

HOW: syn-dropped (whatever is sent to 127.0.0.1:81 vanishes), no-route (192.0.2.1 is unreachable), or what the name server of this
network does: dns-unknown (no such name), dns-failed (it has failed), dns-silent (it never answers). The process becomes the command.
"""
import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys

RESOLV = "nameserver 127.0.0.1\n"
CODES = {"dns-unknown": 3, "dns-failed": 2}
PR_SET_PDEATHSIG = 1


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def answer_all(s, code):
    while True:
        data, peer = s.recvfrom(2000)
        s.sendto(data[:2] + struct.pack(">H", 0x8180 | code) + data[4:6] + bytes(6) + data[12:], peer)


def name_server(how):
    with open("/dev/shm/plimsoll-resolv.%d" % os.getpid(), "w", encoding="ascii") as f:
        f.write(RESOLV)
    run("mount", "--bind", f.name, "/etc/resolv.conf")
    os.unlink(f.name)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 53))
    if how not in CODES or os.fork():
        os.set_inheritable(s.detach(), True)  # it stays open, and we read nothing
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    answer_all(s, CODES[how])


def main(how, command):
    run("ip", "link", "set", "lo", "up")
    if how == "syn-dropped":
        run("nft", "add table ip t; add chain ip t c { type filter hook input priority 0; }; add rule ip t c tcp dport 81 drop")
    elif how.startswith("dns-"):
        name_server(how)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

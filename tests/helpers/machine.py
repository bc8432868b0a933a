"""A machine with a real systemd, in namespaces of its own: for what only systemd can show of our units.

	with Machine(folder, installed) as m:		# installed: DESTDIR of make install
		m.sh("systemctl start plimsoll-redis")	# in the machine; fails loudly
		m.try_sh("systemctl is-active x")	# (exit code, text)

Nothing is written to this system: the machine's root is an overlay, its processes, network and control groups are its own,
and all of it is gone when the helper dies. It needs root; Machine.refused says why there is none.
"""
import os
import signal
import subprocess

from .programs import dying_with_us
from .servers import wait_for

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "machine.sh")
REFUSED = 77
START_S = 40


class Refused(Exception):
    """This host does not let us have a machine."""


class Machine:
    def __init__(self, folder, installed):
        self.folder, self.installed = str(folder), str(installed)
        self.pid = None

    def start(self):
        if os.geteuid() != 0:
            raise Refused("only root makes namespaces with a systemd of their own")
        os.makedirs(self.folder, exist_ok=True)
        self.log = open(self.folder + ".log", "w+", encoding="utf-8")
        self.holder = subprocess.Popen(
            dying_with_us(["unshare", "--mount", "--propagation=unchanged", "--pid", "--fork", "--kill-child=KILL", "--net",
                           "--ipc", "--uts", "--cgroup", SCRIPT, self.folder, self.installed]),
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True)
        wait_for("systemd in a machine of its own", self._is_up, START_S)
        return self

    def _is_up(self):
        if self.holder.poll() is not None:
            self.log.seek(0)
            text = self.log.read()
            raise Refused(text.strip()[-300:]) if self.holder.returncode in (1, REFUSED) else RuntimeError(text)
        with open(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children", encoding="ascii") as f:
            children = f.read().split()
        try:
            if not children or os.readlink(f"/proc/{children[0]}/exe") != "/usr/lib/systemd/systemd":
                return False
        except OSError:
            return False
        self.pid = int(children[0])
        return self.try_sh("systemctl is-system-running")[1].strip() in ("running", "degraded")

    def command(self, *args):
        return ["nsenter", "-t", str(self.pid), "-a", "-r", "-w", *args]

    def try_sh(self, script, timeout_s=60):
        p = subprocess.run(self.command("sh", "-c", script), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", timeout=timeout_s,
                           env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
        return p.returncode, p.stdout

    def sh(self, script, timeout_s=60):
        code, text = self.try_sh(script, timeout_s)
        assert code == 0, f"{script}: {code}\n{text}\n{self.journal()}"
        return text

    def journal(self, unit="plimsoll-*"):
        return self.try_sh(f"journalctl --no-pager -o cat -u '{unit}' | grep -v Deprecation | tail -60")[1]

    def show(self, unit, key):
        return self.sh(f"systemctl show -P {key} {unit}").strip()

    def write(self, path, text):
        with open(f"/proc/{self.pid}/root{path}", "w", encoding="utf-8") as f:
            f.write(text)

    def connect(self, other, mine, theirs):
        """A cable between two machines, with these addresses ("10.1.2.1/24")."""
        subprocess.run(["ip", "link", "add", "cable", "netns", str(self.pid), "type", "veth", "peer", "name", "cable",
                        "netns", str(other.pid)], check=True, timeout=20)
        for machine, address in ((self, mine), (other, theirs)):
            machine.sh(f"ip addr add {address} dev cable && ip link set cable up")

    def stop(self):
        if self.holder.poll() is None and self.pid:
            os.kill(self.pid, signal.SIGKILL)  # ends every process of the machine
        if self.holder.poll() is None:
            self.holder.kill()
        self.holder.wait()
        self.log.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

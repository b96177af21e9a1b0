"""A supervisor's accepting socket without the supervisor: one runner per connection, as systemd or launchd start it."""

import contextlib
import socket
import subprocess
import sys
import threading
from pathlib import Path

_SYSTEMD = 'exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'


class Activation:
    """Listens on `path`; each connection starts `nixfleet-agent runner` with `env`, and nothing else."""

    def __init__(self, path: Path, env: dict[str, str], log: Path, *, way: str = "systemd") -> None:
        """`way`: `systemd` passes the connection as descriptor 3, `inetd` as 0, 1 and 2."""
        self.env = env
        self.runners: list[subprocess.Popen[bytes]] = []
        self.hold = threading.Lock()
        """While it is held no runner starts: the user of this process, which they inherit, may be another meanwhile."""
        self._way = way
        self._log = log
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        path.chmod(0o666)
        self._socket.listen(32)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()
        for runner in self.runners:
            if runner.poll() is None:
                runner.kill()
            runner.wait(10)

    def _serve(self) -> None:
        runner = [sys.executable, "-P", "-m", "nixfleet_agent", "runner"]
        argv = runner if self._way == "inetd" else ["sh", "-c", _SYSTEMD, "sh", *runner]
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with self.hold, connection, self._log.open("ab") as log:
                out = connection.fileno() if self._way == "inetd" else log
                self.runners.append(
                    subprocess.Popen(
                        argv,
                        env=self.env,
                        stdin=connection,
                        stdout=out,
                        stderr=out,
                        start_new_session=True,
                        cwd="/",
                    )
                )

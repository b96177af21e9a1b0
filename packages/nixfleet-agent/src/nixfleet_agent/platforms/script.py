"""Any host: the repository brings its own `hosts/HOST/switch`, or one `switch` for all."""

import json
import os

from nixfleet_agent.config import Config
from nixfleet_agent.files import Disk, read_json
from nixfleet_agent.runner.context import Context, Failed
from nixfleet_agent.system import operating_system
from nixfleet_protocol.messages import Facts, ProgressState


class Script:
    """The generation counts successful switches; STATE_DIR/deployed.json holds it with the commit deployed."""

    def __init__(self, config: Config, disk: Disk | None = None) -> None:
        self._config = config
        self._disk = disk or Disk()
        self._file = os.path.join(config.state_dir, "deployed.json")

    def switch(self, context: Context, tree: str, commit: str | None) -> str:
        program = self._program(tree)
        shown = os.path.relpath(program, tree)
        context.note(f"switch: {shown} at {commit[:12] if commit else 'an unknown commit'}")
        context.progress(ProgressState(phase="switch", label=shown))
        ran = context.run([program], tree)
        if ran.exit_code:
            reason = f": {ran.last_line}" if ran.last_line else ""
            raise Failed(f"{shown} failed with exit code {ran.exit_code}{reason}", ran.exit_code)
        generation = self._count() + 1
        deployed = {"generation": generation, "commit": commit, "run_id": context.request.run_id}
        self._disk.replace(self._file, json.dumps(deployed).encode())
        return f"generation {generation}"

    def generation(self) -> str | None:
        count = self._count()
        return str(count) if count else None

    def facts(self) -> Facts:
        name, version = operating_system()
        return Facts(os=name, os_version=version, generation=self.generation())

    def _count(self) -> int:
        value = (read_json(self._file) or {}).get("generation")
        return value if isinstance(value, int) and value > 0 else 0

    def _program(self, tree: str) -> str:
        places = [os.path.join(tree, "hosts", self._config.hostname, "switch"), os.path.join(tree, "switch")]
        for place in places:
            if os.path.isfile(place):
                if os.access(place, os.X_OK):
                    return place
                raise Failed(
                    f"{os.path.relpath(place, tree)} is not executable: `git update-index --chmod=+x` it", 126
                )
        raise Failed(
            f"the repository has no hosts/{self._config.hostname}/switch and no switch at its root", 127
        )

/** Made by `python -m scripts.web_types` from the protocol's JSON schema: change the messages, not this. */

/** Message or part → what its fields are when the wire leaves them out, and which hold parts. */
export const WIRE = /** @type {const} */ ({
  "HostView": {
    "defaults": {
      "criticality": "medium",
      "presence": "new",
      "connected": false,
      "last_seen_at": null,
      "interval": 30.0,
      "platform": "unknown",
      "agent_version": null,
      "protocol": null,
      "compatible": true,
      "commands": [],
      "facts": null,
      "metrics": null,
      "pending_command": null,
      "command_pid": null,
      "run_id": null,
      "last_run": null,
      "queued": 0,
      "notes": "",
      "created_at": null,
      "availability": null,
      "flapping": false,
      "token_overlap_until": null
    },
    "parts": {
      "facts": "Facts",
      "metrics": "Metrics",
      "last_run": "RunView"
    }
  },
  "RunView": {
    "defaults": {
      "options": {},
      "result": null,
      "exit_code": null,
      "message": "",
      "started_by": "",
      "started_at": null,
      "ended_at": null,
      "lines": 0,
      "generation": null,
      "commit": null,
      "tests": null,
      "outcome": null,
      "bulk_id": null,
      "expires_at": null,
      "warn_at": null,
      "timeout_at": null,
      "progress": null,
      "log_removed_at": null
    },
    "parts": {
      "options": "Options",
      "tests": "TestReport",
      "outcome": "Outcome",
      "progress": "ProgressState"
    }
  },
  "LogRecord": {
    "defaults": {
      "partial": false
    },
    "parts": {}
  },
  "Facts": {
    "defaults": {
      "os": null,
      "os_version": null,
      "nixpkgs_version": null,
      "generation": null,
      "store_path": null,
      "commit": null,
      "branch": null,
      "repo_error": null,
      "boot_id": null,
      "configuration_revision": null,
      "wanted_commit": null,
      "wanted_at": null,
      "behind": null,
      "dirty": null,
      "profile_path": null,
      "booted_path": null,
      "specialisation": null,
      "kernel_running": null,
      "kernel_next": null,
      "system": null,
      "changed_outside": null,
      "reboot": null,
      "reboot_reasons": [],
      "failed_units": [],
      "generations": [],
      "store_free": null,
      "store_total": null,
      "launcher": null
    },
    "parts": {
      "generations": "Generation"
    }
  },
  "Metrics": {
    "defaults": {
      "cpu": null,
      "ram": null,
      "swap": null,
      "load": null,
      "cores": null
    },
    "parts": {}
  },
  "Options": {
    "defaults": {
      "ref": null,
      "generation": null,
      "target": null,
      "timeout": null,
      "queue": false,
      "expires": null,
      "force": false,
      "reason": null
    },
    "parts": {}
  },
  "TestReport": {
    "defaults": {
      "failures": []
    },
    "parts": {
      "failures": "TestFailure"
    }
  },
  "Outcome": {
    "defaults": {
      "steps": [],
      "failed_units": [],
      "failures": [],
      "changes": "",
      "units": "",
      "store_path": null,
      "previous": null,
      "reboot": null,
      "reboot_reasons": []
    },
    "parts": {
      "steps": "Step",
      "failures": "BuildFailure"
    }
  },
  "ProgressState": {
    "defaults": {
      "current": 0,
      "total": 0,
      "passed": null,
      "failed": null,
      "label": "",
      "nix": null
    },
    "parts": {
      "nix": "NixProgress"
    }
  },
  "Generation": {
    "defaults": {
      "store_path": null,
      "created_at": null,
      "version": null,
      "selected": false,
      "current": false
    },
    "parts": {}
  },
  "TestFailure": {
    "defaults": {
      "exit_code": null,
      "output": ""
    },
    "parts": {}
  },
  "Step": {
    "defaults": {
      "message": "",
      "seconds": 0.0
    },
    "parts": {}
  },
  "BuildFailure": {
    "defaults": {
      "derivation": "",
      "reason": "",
      "log": ""
    },
    "parts": {}
  },
  "NixProgress": {
    "defaults": {
      "planning": true,
      "built": 0,
      "to_build": 0,
      "building": 0,
      "failed": 0,
      "copied": 0,
      "to_copy": 0,
      "unpacked": 0,
      "to_unpack": 0,
      "downloaded": 0,
      "to_download": 0,
      "current": "",
      "build_phase": ""
    },
    "parts": {}
  }
});

/**
 * The shapes this page works with: nixfleet_protocol's messages as they arrive once defaults.js has filled in what the
 * wire leaves out. Types only; nothing runs here.
 *
 * @typedef {'new'|'online'|'stale'|'offline'|'unreachable'} Presence
 * @typedef {'queued'|'sent'|'running'|'ended'} RunState
 *
 * @typedef {object} Generation
 * @property {number} number
 * @property {string|null} store_path
 * @property {number|null} created_at
 * @property {string|null} version
 * @property {boolean} selected the profile points to it
 * @property {boolean} current it runs now
 *
 * @typedef {object} Facts
 * @property {string|null} os
 * @property {string|null} os_version
 * @property {string|null} nixpkgs_version
 * @property {string|null} generation
 * @property {string|null} store_path
 * @property {string|null} commit
 * @property {string|null} branch
 * @property {string|null} repo_error
 * @property {string|null} boot_id
 * @property {string|null} configuration_revision
 * @property {string|null} wanted_commit
 * @property {number|null} wanted_at
 * @property {number|null} behind
 * @property {boolean|null} dirty
 * @property {string|null} profile_path
 * @property {string|null} booted_path
 * @property {string|null} specialisation
 * @property {string|null} kernel_running
 * @property {string|null} kernel_next
 * @property {string|null} system
 * @property {boolean|null} changed_outside
 * @property {string|null} reboot
 * @property {string[]} reboot_reasons
 * @property {string[]} failed_units
 * @property {Generation[]} generations
 * @property {number|null} store_free
 * @property {number|null} store_total
 * @property {string|null} launcher
 *
 * @typedef {object} Metrics
 * @property {number|null} cpu percent
 * @property {number|null} ram percent
 * @property {number|null} swap percent
 * @property {number|null} load
 * @property {number|null} cores
 *
 * @typedef {object} Progress
 * @property {string} phase
 * @property {number} current
 * @property {number} total 0 while unknown
 * @property {number|null} passed
 * @property {number|null} failed
 * @property {string} label
 * @property {NixProgress|null} nix
 *
 * @typedef {object} NixProgress
 * @property {boolean} planning totals are a guess: show no percentage
 * @property {number} built
 * @property {number} to_build
 * @property {number} building
 * @property {number} failed
 * @property {number} copied
 * @property {number} to_copy
 * @property {number} unpacked
 * @property {number} to_unpack
 * @property {number} downloaded
 * @property {number} to_download
 * @property {string} current
 * @property {string} build_phase
 *
 * @typedef {object} Step
 * @property {string} name
 * @property {string} outcome
 * @property {string} message
 * @property {number} seconds
 *
 * @typedef {object} BuildFailure
 * @property {string} name
 * @property {string} derivation
 * @property {string} reason
 * @property {string} log
 *
 * @typedef {object} Outcome
 * @property {Step[]} steps
 * @property {string[]} failed_units
 * @property {BuildFailure[]} failures
 * @property {string} changes
 * @property {string} units
 * @property {string|null} store_path
 * @property {string|null} previous
 * @property {string|null} reboot
 * @property {string[]} reboot_reasons
 *
 * @typedef {object} TestFailure
 * @property {string} name
 * @property {number|null} exit_code
 * @property {string} output
 *
 * @typedef {object} TestReport
 * @property {number} total
 * @property {number} passed
 * @property {number} failed
 * @property {TestFailure[]} failures
 *
 * @typedef {object} Run
 * @property {string} run_id
 * @property {string} host_id
 * @property {string} command
 * @property {{timeout?: number|null}} options as given with the command
 * @property {RunState} state
 * @property {string|null} result
 * @property {number|null} exit_code
 * @property {string} message
 * @property {string} started_by
 * @property {number} created_at milliseconds since 1970
 * @property {number|null} started_at
 * @property {number|null} ended_at
 * @property {number} lines
 * @property {string|null} generation
 * @property {string|null} commit
 * @property {TestReport|null} tests
 * @property {Outcome|null} outcome
 * @property {string|null} bulk_id
 * @property {number|null} expires_at
 * @property {number|null} warn_at
 * @property {number|null} timeout_at
 * @property {number|null} log_removed_at
 * @property {Progress|null} progress
 *
 * @typedef {object} Host
 * @property {string} host_id
 * @property {'high'|'medium'|'low'} criticality
 * @property {Presence} presence
 * @property {boolean} connected
 * @property {number|null} last_seen_at milliseconds since 1970, by the server's clock
 * @property {number} interval seconds
 * @property {string} platform
 * @property {string|null} agent_version
 * @property {boolean} compatible
 * @property {string[]} commands
 * @property {Facts|null} facts
 * @property {Metrics|null} metrics
 * @property {string|null} pending_command
 * @property {string|null} run_id
 * @property {Run|null} last_run
 * @property {number} queued
 * @property {string} notes
 * @property {number|null} created_at
 * @property {number|null} availability percent
 * @property {boolean} flapping
 * @property {number|null} token_overlap_until
 *
 * @typedef {object} LogRecord
 * @property {number} seq
 * @property {number} at
 * @property {'stdout'|'stderr'|'note'} stream
 * @property {string} line
 * @property {boolean} partial
 *
 * @typedef {{type: string, payload: any}} Message
 *
 * @typedef {object} Fleet
 * @property {boolean} synced a snapshot has arrived on this connection or an earlier one
 * @property {string} serverVersion
 * @property {number} clockOffset milliseconds to add to this machine's clock to get the server's
 * @property {Map<string, Host>} hosts in the order to show them
 * @property {Map<string, Run>} runs those heard of since the snapshot, newest last
 */
export {};

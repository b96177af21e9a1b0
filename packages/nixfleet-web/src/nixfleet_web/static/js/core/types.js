/**
 * The shapes this page works with: nixfleet_protocol's messages as they arrive once defaults.js has filled in what the
 * wire leaves out. Types only; nothing runs here.
 *
 * @typedef {'new'|'online'|'stale'|'offline'|'unreachable'} Presence
 * @typedef {'queued'|'sent'|'running'|'ended'} RunState
 *
 * @typedef {object} Facts
 * @property {string|null} os
 * @property {string|null} os_version
 * @property {string|null} generation
 * @property {string|null} commit
 * @property {string|null} branch
 * @property {string|null} repo_error
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

/**
 * The shapes this page works with: the protocol's (types/protocol.d.ts is made from its schema) as they are once defaults.js
 * has filled in what the wire leaves out, and the page's own. Types only; nothing runs here.
 *
 * @typedef {protocol.HostView} Host
 * @typedef {Host["presence"]} Presence
 * @typedef {protocol.Facts} Facts
 * @typedef {protocol.Generation} Generation
 * @typedef {protocol.Metrics} Metrics
 * @typedef {protocol.RunView} Run
 * @typedef {Run["state"]} RunState
 * @typedef {protocol.ProgressState} Progress
 * @typedef {protocol.NixProgress} NixProgress
 * @typedef {protocol.Outcome} Outcome
 * @typedef {protocol.Step} Step
 * @typedef {protocol.BuildFailure} BuildFailure
 * @typedef {protocol.TestReport} TestReport
 * @typedef {protocol.TestFailure} TestFailure
 * @typedef {protocol.LogRecord} LogRecord
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

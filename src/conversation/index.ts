/**
 * Conversations: threads, messages, turns, branches, decision sets and people's answers. This layer knows registered graphs
 * only by name, and no HTTP. Invariant: a message commits with its job, and a reply with the completion of its job.
 */
export { submitTurn } from "./submit-turn.ts";
export { cancelTurn } from "./cancel-turn.ts";
export { redriveTurn } from "./redrive-turn.ts";
export { answer } from "./answer.ts";
export { recordTurn } from "./record-turn.ts";
export { readPast } from "./branch.ts";
export { getTurn, getTurnStatus, getTurnStatuses } from "./get-turn.ts";
export { getDecisionSet, getDecisionVersion, getThread, listThreads } from "./read-threads.ts";
export { readAnswers } from "./read-answers.ts";
export { graphJobType, listGraphs } from "./graphs.ts";
export { takeIdleThreads } from "./idle-threads.ts";

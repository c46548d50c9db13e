/**
 * Conversations: what makes a job a chat. It owns threads, messages, turns, branches, decision sets and the answers that
 * people give; it knows no graph and no HTTP. Invariant: a message and its job commit together, and so do a reply and the
 * completion of its job.
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

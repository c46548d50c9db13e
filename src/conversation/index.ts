/**
 * Conversations make a job a chat. This folder owns threads, messages, turns, branches, decision sets and people's answers.
 * It must not know graphs or HTTP. Invariant: a message and its job commit together, and so do a reply and the completion
 * of its job.
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

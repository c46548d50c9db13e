/*
 * What the load promises to the checker.
 */

/** How many jobs of one limited key may run at once, and how many of the narrow queue. */
export const PLACES = 3;
export const NARROW_PLACES = 2;
export const NARROW_QUEUE = "narrow";
/** The message of a turn that is cancelled soon after; its thread has no other. */
export const NEVER_MIND = "Never mind";
/** How many crashes a suspect begins with: a chaos worker runs what has crashed so often alone. */
export const CRASHES_OF_SUSPECTS = 4;

import type { Stage } from "../design/plan-stages.ts";

export const bullets = (items: readonly string[]) => items.map((item) => `- ${item}`).join("\n");
export const stageText = ({ stage, choice }: Stage) => `**${stage}**: ${choice}`;
